// The recording part of bench/record-overhead in a process of its own, as it is: sensor, recorder, and
// the files of what it keeps (in memory: disks are not measured here).
import { randomBytes } from 'node:crypto';
import { silent } from '../../src/domain/logger.ts';
import { record } from '../../src/record/record.ts';
import { type KeptSensor, startSensor } from '../../src/record/sensor/sensor.ts';
import type { Recorder } from '../../src/record/types.ts';
import { encodeRecording } from '../../src/store/recordings/file.ts';
import { sealerOf } from '../../src/store/seal.ts';
import { answer, cpuMsOf, kernelMibOf, residentMibOf } from './helper.ts';

export interface RecordingCost {
  recorderCpuMs: number;
  sensorCpuMs: number;
  recorderMib: number;
  recorderPeakMib: number;
  sensorMib: number;
  /** What the kernel holds beside the ring, which is in the sensor's memory already. */
  mapsMib: number;
  /** Bytes that the sensor passed on, and those that it says it dropped. */
  seenBytes: number;
  droppedBytes: number;
  /** Bytes that the recorder has as declared gaps. */
  gapBytes: number;
  kept: number;
}

const ringMib = 64;
const sealer = sealerOf(randomBytes(32));
let sensor: KeptSensor;
let recorder: Recorder;
let kept = 0;
let before = { recorderMs: 0, sensorMs: 0 };

void answer({
  ready: () => null,
  watch: async ({ netns, port }: { netns: number; port: number }) => {
    sensor = await startSensor({ ringMib });
    recorder = record({ sensor, logger: silent, store });
    await recorder.watch({ id: 'bench', app: 'bench', releaseNumber: 1, netns, port });
    await recorder.healthy('bench');
  },
  /** From here on its cost counts. */
  mark: () => {
    before = spentMs();
  },
  stop: async (): Promise<RecordingCost> => {
    await sensor.flush();
    const spent = spentMs();
    const memory = {
      recorderMib: residentMibOf(process.pid),
      recorderPeakMib: residentMibOf(process.pid, 'VmHWM'),
      sensorMib: residentMibOf(sensor.pid),
      mapsMib: kernelMibOf(sensor.pid) - ringMib,
    };
    const gapBytes = sumOf(Object.values(recorder.status().lostBytes));
    await recorder.close();
    await sensor.close(); // its last words are its totals
    const { stats } = sensor;
    if (stats === undefined) throw new Error('the sensor told no totals');
    return {
      ...memory,
      recorderCpuMs: spent.recorderMs - before.recorderMs,
      sensorCpuMs: spent.sensorMs - before.sensorMs,
      seenBytes: stats.bytes,
      droppedBytes: sumOf(Object.values(stats.drops).map(({ bytes }) => bytes)),
      gapBytes,
      kept,
    };
  },
});

function spentMs() {
  const { user, system } = process.cpuUsage();
  return { recorderMs: (user + system) / 1000, sensorMs: cpuMsOf(sensor.pid) };
}

function sumOf(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Keeps as the store does, up to the disk. */
const store: Parameters<typeof record>[0]['store'] = {
  recordings: {
    keep: async (recording) => {
      kept++;
      return { ...recording, storedBytes: (await encodeRecording(recording, sealer)).length };
    },
    load: async () => null,
    summary: async () => null,
    list: async () => [],
    remove: async () => {},
  },
  interruptions: { add: async () => {}, list: async () => [] },
};

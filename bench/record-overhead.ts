/**
 * What recording costs an app: throughput, latency and processor time with and without it, in
 * interleaved pairs of one run. `node bench/record-overhead.ts [--seconds 2] [--warm 3] [--rounds 5]
 * [--only hello,select]`. Needs root, the sensor (scripts/setup builds it) and a free machine.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeNetwork } from '../test/parts/network.ts';
import { startPostgres } from '../test/parts/postgres.ts';
import { type Figures, median, printFigures } from './figures.ts';
import { Helper, residentMibOf } from './overhead/helper.ts';
import type { Load, LoadResult } from './overhead/load.ts';
import type { RecordingCost } from './overhead/recorder.ts';

type Workload = Omit<Load, 'seconds'> & { says: string };

const workloads: Record<string, Workload> = {
  hello: { path: '/', connections: 32, everyMs: 0, says: 'hello-world, saturated' },
  work: { path: '/work', connections: 8, everyMs: 0, says: '1 ms of work per request' },
  select: { path: '/select', connections: 32, everyMs: 0, says: 'one SELECT per request' },
  lone: { path: '/', connections: 1, everyMs: 0, says: 'hello-world, one connection' },
  bursts: { path: '/large', connections: 30, everyMs: 30, says: 'bursts of 30 with 200 KB each' },
};
/** As bin/fixpoint starts the server. */
const serverFlags = ['--max-semi-space-size=2'];
const port = 3000;

interface Usage {
  cpuUs: number;
  receivedBytes: number;
  sentBytes: number;
}

/** One run of the load. */
interface Run extends LoadResult {
  perSecond: number;
  appCpuUs: number;
  /** All bytes of the app's sockets, to its clients and to the database. */
  appBytes: number;
}

type Recorded = Run & RecordingCost & { idleMib: number; undeclaredBytes: number };

interface Parts {
  app: Helper;
  load: Helper;
  netns: number;
}

interface Pair {
  bare: Run;
  recorded: Recorded;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    // Longer than reading what is kept of the first requests takes: a recorder runs for weeks.
    warm: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: Object.keys(workloads).join(',') },
  },
});
const seconds = Number(values.seconds);
const warmSeconds = Number(values.warm);
const rounds = Number(values.rounds);
if (!(seconds > 0 && warmSeconds > 0 && rounds >= 1)) {
  throw new Error('--seconds, --warm and --rounds are above 0');
}
const chosen = values.only.split(',');
for (const name of chosen) if (!workloads[name]) throw new Error(`there is no workload ${name}`);

const cleanUps: (() => unknown)[] = [];
try {
  await main();
} finally {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
}

async function main(): Promise<void> {
  const network = makeNetwork();
  cleanUps.push(() => network.remove());
  const postgres = await startPostgres();
  cleanUps.push(() => postgres.stop());
  await postgres.query(`CREATE TABLE thing (id int PRIMARY KEY, name text, price int);
    INSERT INTO thing SELECT n, 'thing ' || n, n FROM generate_series(1000, 1999) n`);
  const helper = (command: [string, string[]]) => {
    const made = new Helper(command);
    cleanUps.push(() => made.end());
    return made;
  };
  const url = postgres.url.replace('127.0.0.1', network.outside);
  const appArguments = [file('app'), network.inside, String(port), url];
  const app = helper(network.command(process.execPath, ...appArguments));
  await app.ask('ready');
  const load = helper([process.execPath, [file('load'), network.inside, String(port)]]);
  const parts: Parts = { app, load, netns: network.netns };
  const figures: Figures = {};
  const costs: Recorded[] = [];
  for (const name of chosen) {
    const pairs = await pairsOf(parts, workloads[name]!);
    costs.push(...pairs.map(({ recorded }) => recorded));
    Object.assign(figures, figuresOf(name, pairs));
  }
  Object.assign(figures, memoryFigures(costs, await emptyNodeMib()));
  for (const name of chosen) console.log(`${name}: ${workloads[name]!.says}`);
  printFigures('record-overhead', figures);
}

async function pairsOf(parts: Parts, workload: Workload): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round++) {
    // Each goes first as often as the other: machines drift.
    const first = round % 2 === 0 ? await runOf(parts, workload) : null;
    const recorded = await recordedRun(parts, workload);
    pairs.push({ bare: first ?? (await runOf(parts, workload)), recorded });
  }
  return pairs;
}

/** Without a recorder there is no sensor in the kernel at all. */
async function runOf(parts: Parts, workload: Workload, recorder?: Helper): Promise<Run> {
  const { app, load } = parts;
  // Connections to the database that are older than the sensor would not be seen from their start.
  await app.ask('reset');
  const before = await app.ask<Usage>('usage');
  await recorder?.ask('watch', { netns: parts.netns, port });
  await load.ask('run', { ...workload, seconds: warmSeconds });
  await recorder?.ask('mark');
  const warm = await app.ask<Usage>('usage');
  const told = await load.ask<LoadResult>('run', { ...workload, seconds });
  await app.ask('reset');
  const after = await app.ask<Usage>('usage');
  return {
    ...told,
    perSecond: told.exchanges / told.seconds,
    appCpuUs: (after.cpuUs - warm.cpuUs) / told.exchanges,
    appBytes: after.receivedBytes + after.sentBytes - (before.receivedBytes + before.sentBytes),
  };
}

/** With a recorder of its own, whose memory is then nobody else's. */
async function recordedRun(parts: Parts, workload: Workload): Promise<Recorded> {
  const recorder = new Helper([process.execPath, [...serverFlags, file('recorder')]]);
  try {
    await recorder.ask('ready');
    const idleMib = residentMibOf(recorder.pid);
    const run = await runOf(parts, workload, recorder);
    const cost = await recorder.ask<RecordingCost>('stop');
    // What passed the app's sockets, was not passed on, and has no gap that says so.
    const undeclaredBytes = run.appBytes - cost.seenBytes - cost.gapBytes;
    return { ...run, ...cost, idleMib, undeclaredBytes };
  } finally {
    await recorder.end();
  }
}

function figuresOf(name: string, pairs: readonly Pair[]): Figures {
  const ratioOf = (of: (run: Run) => number) =>
    median(pairs.map(({ bare, recorded }) => of(recorded) / of(bare)));
  const compared = (unit: string, of: (run: Run) => number) => ({
    value: median(pairs.map(({ recorded }) => of(recorded))),
    unit,
    ratio: ratioOf(of),
    against: `of unrecorded ${(median(pairs.map(({ bare }) => of(bare)))).toPrecision(4)} ${unit}`,
  });
  const recordings = pairs.map(({ recorded }) => recorded);
  const costMs = (each: Recorded) => (each.recorderCpuMs + each.sensorCpuMs) / each.exchanges;
  const share = recordings.map((each) => {
    return (
      Math.max(0, each.appBytes - each.gapBytes - Math.abs(each.undeclaredBytes)) / each.appBytes
    );
  });
  return {
    [`${name}_throughput`]: compared('1/s', (run) => run.perSecond),
    [`${name}_p50`]: compared('ms', (run) => run.p50Ms),
    [`${name}_p99`]: compared('ms', (run) => run.p99Ms),
    [`${name}_app_cpu`]: compared('us/exchange', (run) => run.appCpuUs),
    [`${name}_recording_cpu`]: {
      value: median(recordings.map(costMs)),
      unit: 's/1000 exchanges',
      ratio: median(pairs.map(({ bare, recorded }) => costMs(recorded) / (bare.appCpuUs / 1000))),
      against: "of the unrecorded app's own",
    },
    [`${name}_captured`]: {
      value: 100 * Math.min(...share),
      unit: '%',
      ratio: Math.min(...share),
      against: 'of the bytes of all sockets, worst round',
    },
    [`${name}_undeclared`]: {
      value: Math.max(...recordings.map((each) => Math.abs(each.undeclaredBytes))),
      unit: 'bytes',
      ratio: Math.max(...recordings.map((each) => Math.abs(each.undeclaredBytes) / each.appBytes)),
      against: 'of the bytes of all sockets, worst round',
    },
  };
}

function memoryFigures(costs: readonly Recorded[], emptyMib: number): Figures {
  const most = (of: (cost: Recorded) => number, says = '') => {
    const value = Math.max(...costs.map(of));
    const against = `of an empty Node process${says && `; ${says}`}`;
    return { value, unit: 'MiB', ratio: value / emptyMib, against };
  };
  const recording = (cost: Recorded) =>
    cost.sensorMib + cost.mapsMib + cost.recorderMib - cost.idleMib;
  return {
    empty_node_memory: most(() => emptyMib),
    recorder_idle_memory: most((cost) => cost.idleMib, 'its modules loaded, nothing watched'),
    recorder_memory: most((cost) => cost.recorderMib),
    recorder_peak_memory: most((cost) => cost.recorderPeakMib),
    sensor_memory: most((cost) => cost.sensorMib, '64 of them are the ring'),
    kernel_maps_memory: most((cost) => cost.mapsMib, 'the ring left out'),
    recording_memory: most(recording, 'sensor, maps, and what the recorder grew by'),
  };
}

function file(name: string): string {
  return join(import.meta.dirname, 'overhead', `${name}.ts`);
}

/** A Node process that does nothing but wait. */
async function emptyNodeMib(): Promise<number> {
  const script = "process.stdin.on('data', () => console.log(0)).on('end', () => process.exit())";
  const empty = new Helper([process.execPath, ['-e', script]]);
  await empty.ask('ready');
  const mib = residentMibOf(empty.pid);
  await empty.end();
  return mib;
}

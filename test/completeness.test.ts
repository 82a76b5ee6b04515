// The recording of connections equals, byte for byte, what both ends say went through them: at any
// size of body, on many connections at once; and where the sensor is outrun, every loss has its place.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silent } from '../src/domain/logger.ts';
import type { Recording } from '../src/domain/recording.ts';
import type { Connection, Side } from '../src/domain/wire.ts';
import { exchangesOf } from '../src/protocols/exchanges.ts';
import { record } from '../src/record/record.ts';
import { type KeptSensor, type SensorOptions, startSensor } from '../src/record/sensor/sensor.ts';
import type { Recorder } from '../src/record/types.ts';
import { decodeRecording, encodeRecording } from '../src/store/recordings/file.ts';
import { makeNetwork, type TestNetwork } from './parts/network.ts';

const port = 3000;
const connections = 16;
const sides = ['client', 'server'] as const;
const bodyBytesMax = 1 << 20;

/** What one end says of one connection: hashes and lengths of both directions. */
interface Told {
  /** The client's. */
  port: number;
  client: { sha256: string; bytes: number };
  server: { sha256: string; bytes: number };
}

let network: TestNetwork;
let folder: string;
let sensor: KeptSensor | undefined;
let recorder: Recorder | undefined;
let kept: Recording[];
const children: ChildProcess[] = [];

beforeAll(() => {
  execFileSync('make', ['--silent', '-C', join(import.meta.dirname, '../sensor')]);
  network = makeNetwork();
});

afterAll(() => network?.remove());

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await recorder?.close();
  await sensor?.close();
  recorder = undefined;
  sensor = undefined;
  rmSync(folder, { recursive: true, force: true });
});

describe('10,000 exchanges on 16 connections, bodies from 0 to 1 MB', () => {
  it('are recorded as both ends hashed them, and stored so', async () => {
    await watch();
    const { client, server } = await exchange(10_000);
    await recorder!.healthy('i');
    const recording = await stored(kept[0]!);
    expect(sensor!.stats?.drops['ring-full'].events).toBe(0);
    expect(recording.completeness).toMatchObject({ reasons: [] });
    expect(recording.completeness.seenBytes).toBe(recording.completeness.totalBytes);
    expect(recorder!.status().lostBytes).toEqual({});
    expect(client).toHaveLength(connections);
    for (const told of client) {
      expect(serverOf(server, told)).toEqual(told);
      const connection = connectionOf(recording, told);
      expect(connection.gaps).toEqual([]);
      for (const side of sides) {
        expect(breaksIn(connection, side)).toEqual([]);
        expect(hashed(connection, side)).toEqual(told[side]);
      }
    }
    const exchanges = exchangesOf(recording.connections, { bodyBytesMax: 2 * bodyBytesMax });
    const whole = exchanges.filter(({ end, direction }) => {
      return end === 'complete' && direction === 'inbound';
    });
    expect(whole).toHaveLength(10_000);
    expect(exchanges).toHaveLength(10_000);
  });
});

describe('a sensor that is outrun', () => {
  it('declares every byte it could not pass on, in its place', async () => {
    await watch({ ringMib: 1, drainMs: 100 });
    const pauses = setInterval(() => {
      sensor!.pause();
      setTimeout(() => sensor!.resume(), 60);
    }, 90);
    const { client, server } = await exchange(2500).finally(() => clearInterval(pauses));
    sensor!.resume();
    await recorder!.healthy('i');
    const recording = kept[0]!;
    let lostBytes = 0;
    for (const told of client) {
      expect(serverOf(server, told)).toEqual(told);
      const connection = connectionOf(recording, told);
      for (const side of sides) {
        const truth = readFileSync(join(folder, `${told.port}.${side}`));
        expect(truth.length).toBe(told[side].bytes);
        lostBytes += declared(connection, side, truth);
      }
    }
    const { drops } = await totals();
    expect(drops['ring-full'].bytes).toBeGreaterThan(0);
    expect(lostBytes).toBe(drops['ring-full'].bytes);
    expect(recorder!.status().lostBytes).toEqual({ 'ring-full': lostBytes });
    expect(recording.completeness.reasons).not.toEqual([]);
  });
});

/** Every byte is either held as it was, or in a gap; returns how many are in gaps. */
function declared(connection: Connection, side: Side, truth: Buffer): number {
  const gaps = connection.gaps.filter(({ from }) => from === side);
  const chunks = connection.chunks.filter(({ from }) => from === side);
  const parts = [
    ...gaps.map(({ pos, length }) => ({ pos, length, bytes: null })),
    ...chunks.map(({ pos, bytes }) => ({ pos, length: bytes.length, bytes })),
  ].sort((a, b) => a.pos - b.pos);
  let next = 0;
  for (const { pos, length, bytes } of parts) {
    expect(pos).toBe(next);
    next = pos + length;
    if (bytes !== null && !truth.subarray(pos, next).equals(bytes)) {
      throw new Error(`${length} bytes at ${pos} of ${side} are not what went through`);
    }
  }
  expect(next).toBe(truth.length);
  return gaps.reduce((sum, { length }) => sum + length, 0);
}

/** The sensor's totals, which it tells once more when it ends. */
async function totals() {
  await sensor!.close();
  return sensor!.stats!;
}

async function watch(options: SensorOptions = {}): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'fixpoint-completeness-'));
  kept = [];
  sensor = await startSensor(options);
  const bytesMax = 1 << 30;
  recorder = record({
    sensor,
    logger: silent,
    limits: { windowBytesMax: bytesMax, bootBytesMax: bytesMax, totalBytesMax: bytesMax },
    store: {
      recordings: {
        keep: async (recording) => {
          kept.push(recording);
          return { ...recording, storedBytes: 0 };
        },
        load: async () => null,
        summary: async () => null,
        list: async () => [],
        remove: async () => {},
      },
      interruptions: { add: async () => {}, list: async () => [] },
    },
  });
  await recorder.watch({ id: 'i', app: 'a', releaseNumber: 1, netns: network.netns, port });
}

/** Runs server and client; each tells what it saw of every connection. */
async function exchange(count: number): Promise<{ client: Told[]; server: Told[] }> {
  const end = join(import.meta.dirname, 'parts/hashing-end.ts');
  const shared = [network.inside, String(port)];
  const [program, argv] = network.command(process.execPath, end, 'server', ...shared);
  const server = start(program, argv);
  await server.first;
  const client = start(process.execPath, [
    ...[end, 'client', ...shared],
    ...[String(connections), String(count), String(bodyBytesMax), folder],
  ]);
  await client.ended;
  server.child.stdin!.end();
  await server.ended;
  return { client: client.told.map(parsed), server: server.told.slice(1).map(parsed) };
}

function parsed(line: string): Told {
  return JSON.parse(line) as Told;
}

function start(program: string, argv: string[]) {
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const told: string[] = [];
  const lines = createInterface({ input: child.stdout }).on('line', (line) => told.push(line));
  const ended = once(child, 'close').then(([code]) => {
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
  });
  const first = Promise.race([once(lines, 'line'), ended]);
  return { child, told, first, ended };
}

async function stored(recording: Recording): Promise<Recording> {
  const bytes = await encodeRecording(recording, null);
  return decodeRecording(bytes, { file: 'in memory', sealer: null });
}

function serverOf(all: Told[], { port: clientPort }: Told): Told | undefined {
  return all.find((each) => each.port === clientPort);
}

function connectionOf(recording: Recording, told: Told): Connection {
  const found = recording.connections.filter(({ client }) => client.port === told.port);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Places at which a chunk does not begin where the one before ended. */
function breaksIn(connection: Connection, side: Side): number[] {
  const breaks: number[] = [];
  let next = 0;
  for (const { from, pos, bytes } of connection.chunks) {
    if (from !== side) continue;
    if (pos !== next) breaks.push(pos);
    next = pos + bytes.length;
  }
  return breaks;
}

function hashed(connection: Connection, side: Side) {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const chunk of connection.chunks) {
    if (chunk.from !== side) continue;
    hash.update(chunk.bytes);
    bytes += chunk.bytes.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

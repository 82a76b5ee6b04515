/**
 * Exists to prove, on the real kernel, that the sensor sees what both ends of a connection say went
 * through it: programs write down what they sent and received, and the hashes must be equal.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Seen, type SeenStream } from './fake-recorder.ts';
import { type KeptSensor, type SensorOptions, startSensor } from './sensor.ts';
import type { Direction, Loss } from './types.ts';

const folder = fileURLToPath(new URL('../../../sensor', import.meta.url));
const exercise = join(folder, 'build/exercise');
const watched = { name: `fxsensor${process.pid}`, netns: 0 };
const unwatched = { name: `fxother${process.pid}`, netns: 0 };
const WATCH = 77;

let sensor: KeptSensor | undefined;
let seen: Seen;
let losses: Loss[];
let logs: string;

beforeAll(() => {
  execFileSync('make', ['--silent', '-C', folder, 'all', 'test']);
  for (const namespace of [watched, unwatched]) {
    execFileSync('ip', ['netns', 'add', namespace.name]);
    execFileSync('ip', ['-n', namespace.name, 'link', 'set', 'lo', 'up']);
    namespace.netns = statSync(`/run/netns/${namespace.name}`).ino;
  }
}, 60_000);

afterAll(() => {
  for (const { name } of [watched, unwatched]) spawnSync('ip', ['netns', 'del', name]);
});

async function start(options: SensorOptions = {}): Promise<KeptSensor> {
  logs = mkdtempSync(join(tmpdir(), 'fixpoint-exercise-'));
  seen = new Seen();
  losses = [];
  sensor = await startSensor(options);
  sensor.onEvents(seen.add);
  sensor.onLoss((loss) => losses.push(loss));
  await sensor.watch(watched.netns, WATCH);
  return sensor;
}

afterEach(async () => {
  await sensor?.close();
  sensor = undefined;
  rmSync(logs, { recursive: true, force: true });
});

async function run(scenario: string, name = watched.name): Promise<number | NodeJS.Signals> {
  const child = spawn('ip', ['netns', 'exec', name, exercise, logs, scenario], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [status, signal] = await once(child, 'exit');
  if (status !== 0 && status !== 77 && scenario !== 'killed')
    throw new Error(`${scenario} ended with ${status}`);
  return signal ?? status;
}

interface Log {
  readonly local: number;
  readonly peer: number;
  readonly direction: Direction;
  readonly bytes: Buffer;
}

/** What the programs say that went through. */
function readLogs(): Log[] {
  return readdirSync(logs).map((file) => {
    const [, local, peer, direction] = /^(\d+)-(\d+)\.(sent|received)$/.exec(file) ?? [];
    return {
      local: Number(local),
      peer: Number(peer),
      direction: direction as Direction,
      bytes: readFileSync(join(logs, file)),
    };
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function streamOf(log: Log): SeenStream {
  const found = seen.byPorts(log.local, log.peer);
  if (found.length !== 1) throw new Error(`${found.length} connections ${log.local}-${log.peer}`);
  return found[0]!.streams[log.direction];
}

/** Every log equals the stream the sensor saw; nothing lost, nothing twice, nothing left open. */
function expectAllSeen(isClosed = true): void {
  const all = readLogs();
  expect(all.length).toBeGreaterThan(0);
  for (const log of all) {
    const stream = streamOf(log);
    expect.soft({ ...log, bytes: stream.position }).toEqual({ ...log, bytes: log.bytes.length });
    expect.soft(stream.lostBytes).toBe(0);
    expect.soft(stream.sha256()).toBe(sha256(log.bytes));
  }
  if (isClosed) expectAllClosed();
  expect(seen.strays).toEqual([]);
  expect(losses).toEqual([]);
}

function expectAllClosed(): void {
  for (const { open, close, streams } of seen.connections.values()) {
    expect(open.watch).toBe(WATCH);
    expect(close).toMatchObject({
      sentBytes: streams.sent.position,
      receivedBytes: streams.received.position,
      sentUnseenBytes: 0,
      receivedUnseenBytes: 0,
    });
  }
}

describe('bytes over TCP', () => {
  it.each([
    ['large', '10 MB each way'],
    ['sizes', 'lengths around the size of a chunk, over IPv6'],
    ['iovecs', 'a thousand buffers at once, empty ones among them'],
    ['nonblocking', 'a non-blocking connect, and partial writes'],
    ['half-closed', 'a side that stopped sending and reads on'],
    ['reused', '200 connections on one descriptor, some reset'],
    ['threads', 'six threads at once'],
  ])('are seen whole: %s (%s)', async (scenario) => {
    const sensor = await start();
    await run(scenario);
    await sensor.flush();
    expectAllSeen();
  });

  it('are one connection through dup, fork and F_DUPFD, and end with the process', async () => {
    const sensor = await start();
    await run('shared');
    await sensor.flush();
    expectAllSeen();
    expect(seen.connections.size).toBe(2);
    expect(seen.events.map(({ kind }) => kind)).toContain('fork');
  });

  it('are not counted twice when peeked at, and are marked when thrown away', async () => {
    const sensor = await start();
    await run('peek');
    await sensor.flush();
    for (const log of readLogs().filter(({ bytes }) => bytes.length > 0)) {
      const stream = streamOf(log);
      expect(stream.sha256()).toBe(sha256(log.bytes));
      expect(stream.position).toBe(4000);
      expect([...stream.missing]).toEqual(log.direction === 'received' ? ['discarded'] : []);
    }
    expectAllClosed();
  });

  it('are counted and marked when they come from a file or a pipe', async () => {
    const sensor = await start();
    await run('files');
    await sensor.flush();
    for (const log of readLogs().filter(({ bytes }) => bytes.length > 0)) {
      const stream = streamOf(log);
      expect(stream.position).toBe(log.bytes.length);
      expect(stream.missingBytes).toBe(log.direction === 'sent' ? 203_000 : 3000);
      expect([...stream.missing]).toEqual(['file']);
    }
    expectAllClosed();
  });

  it('know their roles, addresses and a refused connect', async () => {
    const sensor = await start();
    await run('nonblocking');
    await sensor.flush();
    const opens = [...seen.connections.values()];
    expect(opens.map(({ open }) => open.role)).toEqual(['outbound', 'inbound', 'outbound']);
    expect(opens.map(({ open }) => open.peer.host)).toEqual(Array(3).fill('127.0.0.1'));
    expect(opens[0]?.open.local.port).toBe(opens[1]?.open.peer.port);
    expect((opens[2]?.open.errno ?? 0) || opens[2]?.close?.errno).toBe(111);
  });
});

/** A Node server that echoes, and a Node client; prints one hash per body. */
const ECHO = `
  const http = require('node:http'), { createHash, randomBytes } = require('node:crypto');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const server = http.createServer((request, response) => request.pipe(response));
  server.listen(0, '::', async () => {
    const { port } = server.address();
    for (const size of [10, 300_000, 10 << 20]) {
      const body = randomBytes(size);
      await new Promise((resolve) => {
        const headers = { 'content-length': size };
        const options = { agent, host: '127.0.0.1', port, method: 'POST', headers };
        http.request(options, (response) => response.resume().on('end', resolve)).end(body);
      });
      console.log(createHash('sha256').update(body).digest('hex'));
    }
    process.exit(7);
  });`;

it('sees what a Node server and client exchange, bodies of 10 MB included', async () => {
  const sensor = await start();
  const command = ['netns', 'exec', watched.name, process.execPath, '-e', ECHO];
  const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  await once(child, 'close');
  await sensor.flush();
  const [client, server] = [...seen.connections.values()];
  expect([client?.open.role, server?.open.role]).toEqual(['outbound', 'inbound']);
  expect(server?.open.peer).toEqual(client?.open.local);
  const { sent, received } = client!.streams;
  expect(sent.sha256()).toBe(server?.streams.received.sha256());
  expect(received.sha256()).toBe(server?.streams.sent.sha256());
  expect(bodiesOf(sent.bytes()).map(sha256)).toEqual(said.trim().split('\n'));
  expectAllClosed();
  expect(seen.events.at(-1)?.kind).toBe('answer');
  expect(seen.events.findLast(({ kind }) => kind === 'exit')).toMatchObject({ exitCode: 7 });
  expect(losses).toEqual([]);
});

/** The bodies of requests that all say their content-length. */
function bodiesOf(bytes: Buffer): Buffer[] {
  const bodies: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const head = bytes.indexOf('\r\n\r\n', at) + 4;
    const size = Number(/content-length: (\d+)/i.exec(bytes.toString('latin1', at, head))?.[1]);
    bodies.push(bytes.subarray(head, head + size));
    at = head + size;
  }
  return bodies;
}

it('sees every datagram with its own peer and true length', async () => {
  const sensor = await start();
  await run('datagrams');
  await sensor.flush();
  for (const log of readLogs()) {
    const stream = streamOf(log);
    const framed = stream.datagrams.map(({ peerPort, lengthBytes, payload }) => {
      const head = Buffer.alloc(6);
      head.writeUInt16LE(peerPort, 0);
      head.writeUInt32LE(lengthBytes, 2);
      return Buffer.concat([head, payload]);
    });
    expect(stream.datagrams.length).toBeGreaterThan(20);
    expect(sha256(Buffer.concat(framed))).toBe(sha256(log.bytes));
  }
  expectAllClosed();
});

it('tells that a process was killed, and how its connections stood', async () => {
  const sensor = await start();
  expect(await run('killed')).toBe('SIGKILL');
  await sensor.flush();
  expectAllSeen();
  const exits = seen.events.filter((event) => event.kind === 'exit');
  expect(exits).toMatchObject([{ signal: 9, exitCode: 0, command: 'exercise' }]);
  expect(seen.events.some((event) => event.kind === 'exec')).toBe(true);
});

it('sees nothing of a namespace that is not watched, nor of one that is no longer', async () => {
  const sensor = await start();
  await run('large', unwatched.name);
  await sensor.unwatch(watched.netns);
  await run('sizes');
  await sensor.flush();
  expect(seen.connections.size).toBe(0);
  expect(seen.events.filter(({ kind }) => !['hello', 'answer', 'stats'].includes(kind))).toEqual(
    [],
  );
  expect(seen.strays).toEqual([]);
});

function startPatient() {
  const command = ['netns', 'exec', watched.name, exercise, logs, 'patient'];
  const child = spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  const next = async () => String(await once(child.stdout, 'data'));
  return {
    ready: next,
    step: async () => {
      child.stdin.write('go\n');
      await next();
    },
    end: async () => {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

it('learns connections that were there before, and says so', async () => {
  const sensor = await start();
  await sensor.unwatch(watched.netns);
  const program = startPatient();
  await program.ready();
  await program.step();
  await sensor.watch(watched.netns, WATCH);
  await program.step();
  await program.end();
  await sensor.flush();
  expect([...seen.connections.values()].map(({ open }) => open.openedBeforeAttach)).toEqual([
    true,
    true,
  ]);
  for (const log of readLogs().filter(({ bytes }) => bytes.length > 0)) {
    expect(streamOf(log).sha256()).toBe(sha256(log.bytes.subarray(5000)));
  }
  expectAllClosed();
});

it('comes back after it was killed, and tells the time without recording', async () => {
  const sensor = await start();
  const program = startPatient();
  await program.ready();
  await program.step();
  await sensor.flush();
  const { pid } = sensor;
  const before = Date.now();
  process.kill(pid, 'SIGKILL');
  await program.step();
  while (losses.every(({ kind }) => kind !== 'interval')) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(sensor.pid).not.toBe(pid);
  await program.step();
  await program.end();
  await sensor.flush();
  expect(losses.map(({ kind }) => kind)).toEqual(['stopped', 'interval']);
  const interval = losses.find((loss) => loss.kind === 'interval');
  expect(interval?.fromMs).toBeLessThanOrEqual(before + 1);
  expect(interval?.fromMs).toBeGreaterThan(before - 2000);
  expect(interval?.toMs).toBeGreaterThanOrEqual(before);
  const all = [...seen.connections.values()];
  expect(all.map(({ open }) => open.openedBeforeAttach)).toEqual([false, false, true, true]);
  expect(new Set(all.map(({ open }) => open.connection)).size).toBe(4);
  expect(all.slice(2).map(({ close }) => close?.sentBytes)).toEqual([5000, 0]);
});

it('declares to the byte what a slow server made it drop', async () => {
  const sensor = await start({ ringMib: 1 });
  const before = process.memoryUsage.rss();
  sensor.pause();
  await run('flood');
  await run('sizes');
  sensor.resume();
  await sensor.flush();
  let lostBytes = 0;
  for (const log of readLogs()) {
    const [connection] = seen.byPorts(log.local, log.peer);
    const total = connection?.close?.[`${log.direction}Bytes`];
    expect(total).toBe(log.bytes.length);
    const stream = streamOf(log);
    lostBytes += stream.lostBytes + ((total ?? 0) - stream.position);
  }
  expect(lostBytes).toBeGreaterThan(40 << 20);
  const declared = losses.flatMap((loss) => (loss.kind === 'dropped' ? [loss] : []));
  expect(declared.reduce((sum, loss) => sum + loss.bytes, 0)).toBe(lostBytes);
  expect(declared.map(({ reason }) => reason)).toContain('ring-full');
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
});

it("declares io_uring, and finds by TCP's own count what went through it", async (context) => {
  const sensor = await start();
  const status = await run('uring');
  if (status === 77) context.skip('this kernel has no io_uring');
  await sensor.flush();
  const opaque = seen.events.filter((event) => event.kind === 'opaque');
  expect(opaque).toMatchObject([{ reason: 'io_uring', watch: WATCH }]);
  const closes = seen.events.filter((event) => event.kind === 'close');
  expect(closes).toMatchObject([
    { sentBytes: 0, sentUnseenBytes: 1000, receivedUnseenBytes: 0 },
    { receivedBytes: 1000, receivedUnseenBytes: 0, sentUnseenBytes: 0 },
  ]);
});

it('fails to start with the reason', async () => {
  const start = (executable: string) => startSensor({ executable, startTimeoutMs: 300 });
  await expect(start('/nowhere/fixpoint-sensor')).rejects.toThrow('cannot start the sensor: spawn');
  await expect(start('/bin/false')).rejects.toThrow('sensor ended with exit code 1');
  await expect(startSensor({ ringMib: 3 })).rejects.toThrow('--ring-mib must be a power of two');
});

it('says what this kernel allows', () => {
  const said = spawnSync(join(folder, 'build/fixpoint-sensor'), ['--probe'], { encoding: 'utf8' });
  expect(JSON.parse(said.stdout)).toMatchObject({ ok: true, missing: [], features: { btf: true } });
});

/** The recorder on a real kernel: a Node app in a network namespace, its clients and its upstream outside. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silent } from '../domain/logger.ts';
import type { Recording } from '../domain/recording.ts';
import { now } from '../domain/time.ts';
import type { Connection, Side } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { failuresOf } from '../symptoms/failures.ts';
import type { Suspicion } from '../symptoms/symptoms.ts';
import { record } from './record.ts';
import { type KeptSensor, startSensor } from './sensor/sensor.ts';
import type { Recorder } from './types.ts';

const app = `
import { createServer } from 'node:http';
const server = createServer(async (req, res) => {
  if (req.url === '/echo') {
    // Chunked, also when the body is empty: the client knows the end by its last chunk.
    res.writeHead(200, { 'transfer-encoding': 'chunked' });
    return void req.pipe(res);
  }
  if (req.url.startsWith('/dies')) return void setTimeout(() => { throw new RangeError('dead'); });
  try {
    const id = req.url.split('/')[2];
    const port = id === 'refused' ? 4001 : 4000;
    const order = await (await fetch('http://10.213.7.1:' + port + '/customers/' + id)).json();
    res.end(order.customer.email.toLowerCase());
  } catch (error) {
    console.error(error);
    res.writeHead(500).end('broken');
  }
});
server.keepAliveTimeout = 0;
server.listen(3000, '0.0.0.0', () => console.log('listening'));
`;
const upstream = `
import { createServer } from 'node:http';
createServer((req, res) => {
  const customer = req.url.endsWith('/7') ? null : { email: 'Ada@Example.com' };
  res.end(JSON.stringify({ customer }));
}).listen(4000, '10.213.7.1', () => console.log('listening'));
`;
/** Sends EXCHANGES on each of CONNECTIONS, one after the other, and hashes both directions. */
const driver = `
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
const [connections, exchanges] = process.argv.slice(2).map(Number);
let seed = 1;
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const sizeOf = (n) => { const r = random(); if (n === 0) return 0; return Math.floor(random() * (r < 0.7 ? 2000 : r < 0.96 ? 60_000 : 1 << 20)); };
await Promise.all(Array.from({ length: connections }, async () => {
  const socket = connect(3000, '10.213.7.2');
  const sent = createHash('sha256'), received = createHash('sha256');
  await new Promise((done) => socket.once('connect', done));
  const { localPort } = socket;
  let wanted, buffered = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    received.update(bytes);
    buffered = Buffer.concat([buffered, bytes]).subarray(-7);
    if (buffered.equals(Buffer.from('\\r\\n0\\r\\n\\r\\n'))) wanted();
  });
  for (let n = 0; n < exchanges; n++) {
    const body = Buffer.alloc(sizeOf(n), n + 65);
    const head = Buffer.from('POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: ' + body.length + '\\r\\n\\r\\n');
    for (const bytes of [head, body]) { sent.update(bytes); socket.write(bytes); }
    await new Promise((done) => { wanted = done; });
  }
  socket.end();
  await new Promise((done) => socket.once('close', done));
  console.log(JSON.stringify({ localPort, sent: sent.digest('hex'), received: received.digest('hex') }));
}));
`;

const inside = `fxrecin${process.pid}`;
const outside = `fxrecout${process.pid}`;
const instance = { id: 'i1', app: 'shop', releaseNumber: 1, netns: 0, port: 3000 };
const children: ChildProcess[] = [];
let folder: string;
let sensor: KeptSensor;
let recorder: Recorder;
let kept: Recording[];
let suspicions: Suspicion[];

beforeAll(() => {
  execFileSync('make', ['--silent', '-C', fileURLToPath(new URL('../../sensor', import.meta.url))]);
  folder = mkdtempSync(join(tmpdir(), 'fixpoint-record-'));
  for (const [name, text] of Object.entries({ app, upstream, driver })) {
    writeFileSync(join(folder, `${name}.mjs`), text);
  }
  for (const name of [inside, outside]) ip('netns', 'add', name);
  ip('-n', outside, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1', 'netns', inside);
  for (const [name, device, address] of [
    [outside, 'v0', '10.213.7.1/30'],
    [inside, 'v1', '10.213.7.2/30'],
  ] as const) {
    ip('-n', name, 'addr', 'add', address, 'dev', device);
    for (const link of ['lo', device]) ip('-n', name, 'link', 'set', link, 'up');
  }
  instance.netns = statSync(`/run/netns/${inside}`).ino;
}, 60_000);

afterAll(() => {
  for (const name of [inside, outside]) spawnSync('ip', ['netns', 'del', name]);
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  kept = [];
  suspicions = [];
  sensor = await startSensor();
  recorder = record({
    sensor,
    logger: silent,
    limits: { bootBytesMax: 1 << 30, totalBytesMax: 1 << 30 },
    store: {
      recordings: {
        async keep(recording) {
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
  recorder.onFailure(async (suspicion) => void suspicions.push(suspicion));
  await recorder.watch(instance);
  await run(outside, 'upstream.mjs');
  await run(inside, 'app.mjs');
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await recorder.close();
  await sensor.close();
});

describe('a real app', () => {
  it('is recorded byte for byte, on 16 connections at once', async () => {
    const lines = await outputOf(outside, 'driver.mjs', '16', '125');
    const told = lines.map((line) => JSON.parse(line));
    expect(told).toHaveLength(16);
    await recorder.healthy('i1');
    const boot = kept[0]!;
    expect(boot.completeness.reasons).toEqual([]);
    for (const { localPort, sent, received } of told) {
      const connection = boot.connections.find(({ client }) => client.port === localPort)!;
      expect([hashOf(connection, 'client'), hashOf(connection, 'server')]).toEqual([
        sent,
        received,
      ]);
    }
    const exchanges = exchangesOf(boot).filter(({ direction }) => direction === 'inbound');
    expect(exchanges).toHaveLength(16 * 125);
    expect(exchanges.every(({ end }) => end === 'complete')).toBe(true);
  });

  it('that fails shows its request, its call and its stack line', async () => {
    await recorder.healthy('i1');
    expect(await ask('/orders/1')).toBe('200 ada@example.com');
    expect(await ask('/orders/7')).toBe('500 broken');
    await until(() => suspicions.length > 0);
    const { symptoms, recording } = suspicions[0]!;
    expect(symptoms).toMatchObject({ status: 500, route: 'GET /orders/:id' });
    expect(recording).toMatchObject({ causality: 'exact', completeness: { reasons: [] } });
    const titles = new Map(exchangesOf(recording!).map((each) => [each.id, each.title]));
    expect(titles.get(recording!.triggerExchangeId!)).toContain('GET /orders/7 -> 500');
    const calls = recording!.callExchangeIds.map((id) => titles.get(id));
    expect(calls).toEqual([expect.stringContaining('GET /customers/7 -> 200')]);
    const prefix = recording!.prefixExchangeIds.map((id) => titles.get(id));
    expect(prefix).toEqual([expect.stringContaining('GET /orders/1 -> 200')]);
    const [failure] = await failuresOf({ ...symptoms, locate: async () => null });
    expect(failure).toMatchObject({ kind: 'server-error', trace: { type: 'TypeError' } });
    await until(() => kept.some(({ kind }) => kind === 'sample'));
    expect(kept.map(({ kind }) => kind)).toEqual(['boot', 'sample']);
    expect(suspicions).toHaveLength(1);
  });

  it('that is refused a connection shows by whom, and with which error', async () => {
    await recorder.healthy('i1');
    expect(await ask('/orders/refused')).toBe('500 broken');
    await until(() => suspicions.length > 0);
    const { connections, completeness } = suspicions[0]!.recording!;
    expect(completeness.reasons).toEqual([]);
    const refused = connections.filter((each) => each.connectErrno !== undefined);
    expect(refused).toMatchObject([
      {
        ...{ direction: 'outbound', transport: 'tcp', connectErrno: 111, chunks: [], gaps: [] },
        server: { address: '10.213.7.1', port: 4001 },
      },
    ]);
  });

  it('that dies shows the request it died of', async () => {
    await recorder.healthy('i1');
    expect(await ask('/dies/3')).toBe('none');
    await until(() => suspicions.length > 0);
    const { symptoms, recording } = suspicions[0]!;
    expect(symptoms).toMatchObject({ status: null, route: 'GET /dies/:id', exit: { code: 1 } });
    expect(recording!.completeness.reasons).toEqual([]);
    const [failure] = await failuresOf({ ...symptoms, locate: async () => null });
    expect(failure).toMatchObject({ kind: 'crash', trace: { type: 'RangeError', uncaught: true } });
  });
});

function ip(...args: string[]): void {
  execFileSync('ip', args);
}

/** Starts a program and resolves once it listens; the app's lines and its end are told. */
async function run(netns: string, file: string): Promise<void> {
  const child = spawn('ip', ['netns', 'exec', netns, process.execPath, join(folder, file)]);
  children.push(child);
  const listening = new Promise<void>((resolve) => {
    for (const stream of ['stdout', 'stderr'] as const) {
      createInterface({ input: child[stream] }).on('line', (text) => {
        if (netns === inside) recorder.log('i1', { at: now(), stream, text });
        if (text === 'listening') resolve();
      });
    }
  });
  child.on('exit', (code) => {
    if (netns !== inside || code === null) return;
    recorder.exited('i1', { at: now(), code, signal: null, oomKilled: false });
  });
  await listening;
}

async function outputOf(netns: string, file: string, ...args: string[]): Promise<string[]> {
  const child = spawn(
    'ip',
    ['netns', 'exec', netns, process.execPath, join(folder, file), ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  await once(child, 'close');
  return lines;
}

/** Status and body of an answer, `none` when there is none. */
async function ask(path: string): Promise<string> {
  const script = `fetch('http://10.213.7.2:3000${path}')
    .then(async (r) => console.log(r.status + ' ' + (await r.text())), () => console.log('none'))`;
  const child = spawn('ip', ['netns', 'exec', outside, process.execPath, '-e', script]);
  children.push(child);
  let out = '';
  child.stdout.on('data', (bytes) => {
    out += bytes;
  });
  await once(child, 'close');
  return out.trim();
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

function hashOf(connection: Connection, side: Side): string {
  const hash = createHash('sha256');
  for (const chunk of connection.chunks) if (chunk.from === side) hash.update(chunk.bytes);
  return hash.digest('hex');
}

/** The recorder without a kernel: events of a fake sensor in, recordings and suspicions out. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Exchange } from '../domain/exchange.ts';
import { silent } from '../domain/logger.ts';
import type { Recording, RecordingSummary } from '../domain/recording.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import * as pg from '../protocols/postgres/fake-messages.ts';
import type { RecordingInterruption } from '../store/store.ts';
import { failuresOf } from '../symptoms/failures.ts';
import type { Suspicion } from '../symptoms/symptoms.ts';
import { answer, FakeClock, FakeConnection, FakeDatagrams, get } from './fake-traffic.ts';
import { record } from './record.ts';
import { Repeats } from './repeats.ts';
import { FakeSensor } from './sensor/fake-sensor.ts';
import { type Recorder, type RecordLimits, recordLimits } from './types.ts';

const limits: Partial<RecordLimits> = { graceMs: 20, traceWaitMs: 60, answerWaitMs: 200 };
const instance = { id: 'i1', app: 'shop', releaseNumber: 3, netns: 4711, port: 3000 };

let sensor: FakeSensor;
let clock: FakeClock;
let recorder: Recorder;
let kept: Recording[];
let interruptions: RecordingInterruption[];
let suspicions: Suspicion[];

beforeEach(() => {
  sensor = new FakeSensor();
  clock = new FakeClock(sensor);
  kept = [];
  interruptions = [];
  suspicions = [];
});

afterEach(async () => {
  await recorder.close();
});

function start(more: Partial<RecordLimits> = {}): void {
  recorder = record({
    sensor,
    logger: silent,
    limits: { ...limits, ...more },
    store: { recordings: fakeRecordings(kept), interruptions: fakeInterruptions(interruptions) },
  });
  recorder.onFailure(async (suspicion) => {
    suspicions.push(suspicion);
  });
}

async function serve(more: Partial<RecordLimits> = {}): Promise<void> {
  start(more);
  await recorder.watch(instance);
  await recorder.healthy('i1');
  clock.sync();
}

describe('a failing request', () => {
  it('becomes a suspicion with its calls, its prefix and its trace', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' });
    web.client(get('/orders/1')).server(answer(200, '{"id":1}'));
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
    web.client(get('/orders/7'));
    api.client(get('/rates/EUR')).server(answer(200, '{"rate":1}'));
    log("TypeError: Cannot read properties of null (reading 'email')");
    log('    at draft (/app/dist/invoices.js:5:33)');
    web.server(answer(500, '{"error":"internal"}'));
    await recorder.settle();

    expect(suspicions).toHaveLength(1);
    const { recording, symptoms } = suspicions[0]!;
    expect(symptoms).toMatchObject({ status: 500, route: 'GET /orders/:id', exit: null });
    expect(symptoms.log.map((line) => line.text)).toHaveLength(2);
    expect(recording!.completeness.reasons).toEqual([]);
    expect(recording!.completeness.seenBytes).toBe(recording!.completeness.totalBytes);
    expect(recording!.completeness.totalBytes).toBeGreaterThan(200);
    expect(recording!.causality).toBe('exact');
    const titles = titlesOf(recording!);
    expect(titles(recording!.triggerExchangeId!)).toContain('GET /orders/7');
    expect(recording!.callExchangeIds.map(titles)).toEqual([expect.stringContaining('/rates/EUR')]);
    expect(recording!.prefixExchangeIds.map(titles)).toEqual([
      expect.stringContaining('GET /orders/1'),
    ]);
    const [failure] = await failuresOf({ ...symptoms, locate: async () => null });
    expect(failure).toMatchObject({ kind: 'server-error', status: 500 });
    expect(failure!.trace!.type).toBe('TypeError');
  });

  it('is found at its place among pipelined requests', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' });
    web.client(get('/a/1') + get('/b/2') + get('/c/3'));
    web.server(answer(200, 'A') + answer(500, 'B') + answer(200, 'C'));
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
    const { recording } = suspicions[0]!;
    expect(titlesOf(recording!)(recording!.triggerExchangeId!)).toContain('GET /b/2');
    expect(recording!.route).toBe('GET /b/:id');
  });

  it('is found on a connection kept alive, whose earlier requests are not its own', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' });
    for (let n = 0; n < 100; n++) web.client(get(`/fine/${n}`)).server(answer(200, 'fine'));
    web.client(get('/broken/1')).server(answer(503, 'no'));
    for (let n = 0; n < 5; n++) web.client(get(`/fine/${n}`)).server(answer(200, 'fine'));
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
    const { recording, symptoms } = suspicions[0]!;
    expect(symptoms).toMatchObject({ status: 503, route: 'GET /broken/:id' });
    expect(titlesOf(recording!)(recording!.triggerExchangeId!)).toContain('GET /broken/1');
    expect(recording!.completeness.reasons).toEqual([]);
    expect(recording!.prefixExchangeIds).toHaveLength(30);
  });

  it('is seen when its status line comes byte by byte', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/slow'));
    for (const byte of answer(502, 'slow')) web.server(byte);
    await recorder.settle();
    expect(suspicions[0]?.symptoms).toMatchObject({ status: 502, route: 'GET /slow' });
  });

  it('is not seen in a body that only looks like a failing answer', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/log'));
    const body = 'HTTP/1.1 500 Internal Server Error\r\n\r\n';
    const whole = answer(200, body);
    const head = whole.length - body.length;
    web.server(whole.slice(0, head)).server(whole.slice(head));
    await recorder.settle();
    expect(suspicions).toEqual([]);
  });

  it('says what is missing of its calls', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/7'));
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 }).client(get('/rates/EUR'));
    const reply = answer(200, `{"rate":"${'1'.repeat(500)}"}`);
    api.server(reply.slice(0, 100)).lose('server', 300).server(reply.slice(400));
    web.server(answer(500, 'broken'));
    await recorder.settle();
    const { completeness } = suspicions[0]!.recording!;
    expect(completeness.totalBytes - completeness.seenBytes).toBe(300);
    expect(completeness.reasons.join('\n')).toContain('300 answer bytes of outbound connection');
    expect(completeness.reasons.join('\n')).toContain('ring-full');
  });

  it('has candidates for its calls while another request is in flight', async () => {
    await serve();
    const other = new FakeConnection(clock, { role: 'inbound' }).client(get('/other'));
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/7'));
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
    api.client(get('/rates/EUR')).server(answer(200, '{}'));
    web.server(answer(500, 'broken'));
    other.server(answer(200, 'fine'));
    await recorder.settle();
    expect(suspicions[0]!.recording).toMatchObject({ causality: 'candidates' });
    expect(suspicions[0]!.recording!.callExchangeIds).toHaveLength(1);
  });

  it('is ambiguous when calls of that time ask the same and were answered differently', async () => {
    await serve();
    const causalities: unknown[] = [];
    for (const rates of [
      ['{"rate":1}', '{"rate":1}'],
      ['{"rate":1}', '{"rate":2}'],
    ]) {
      const other = new FakeConnection(clock, { role: 'inbound' }).client(get('/other'));
      const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/7'));
      for (const rate of rates) {
        const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
        api.client(get('/rates/EUR')).server(answer(200, rate)).close();
      }
      web.server(answer(500, 'broken'));
      other.server(answer(200, 'fine'));
      await recorder.settle();
      causalities.push(suspicions.at(-1)!.recording!.causality);
    }
    expect(causalities).toEqual(['candidates', 'ambiguous']);
  });

  it('has candidates, too, while a slow request has been silent for long', async () => {
    await serve();
    const slow = new FakeConnection(clock, { role: 'inbound' }).client(get('/slow'));
    const busy = new FakeConnection(clock, { role: 'inbound' });
    for (let n = 0; n < 50; n++) busy.client(get('/fine')).server(answer(200, 'fine'));
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/7'));
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
    api.client(get('/rates/EUR')).server(answer(200, '{}'));
    web.server(answer(500, 'broken'));
    await recorder.settle();
    expect(suspicions[0]!.recording).toMatchObject({ causality: 'candidates' });
    slow.server(answer(200, 'fine'));
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
  });

  it('is one of two that fail at once, each with its own trace', async () => {
    await serve();
    const a = new FakeConnection(clock, { role: 'inbound' }).client(get('/a'));
    const b = new FakeConnection(clock, { role: 'inbound' }).client(get('/b'));
    log('TypeError: of a');
    log('    at a (/app/a.js:1:1)');
    a.server(answer(500, 'a'));
    clock.ns += 5_000_000;
    log('RangeError: of b');
    log('    at b (/app/b.js:1:1)');
    b.server(answer(500, 'b'));
    await recorder.settle();
    const seen = suspicions.map(({ symptoms }) => [symptoms.route, symptoms.log[0]?.text]);
    expect(seen).toEqual([
      ['GET /a', 'TypeError: of a'],
      ['GET /b', 'RangeError: of b'],
    ]);
  });

  it('is counted in a flood, and looked into in part', async () => {
    await serve({ windowBytesMax: 256 * 1024 });
    const web = new FakeConnection(clock, { role: 'inbound' });
    for (let n = 0; n < 3000; n++) {
      web.client(get(`/broken/${n}`)).server(answer(500, 'x'.repeat(100)));
      if (n % 10 === 0) {
        log('TypeError: flood');
        log('    at f (/app/f.js:1:1)');
      }
    }
    expect(recorder.status().heldBytes).toBeLessThan(400 * 1024);
    await recorder.settle();
    const total = suspicions.reduce((sum, { repeats }) => sum + 1 + repeats, 0);
    expect(total).toBe(3000);
    const recordings = suspicions.filter(({ recording }) => recording !== null);
    expect(recordings.length).toBeGreaterThan(0);
    expect(recordings.length).toBeLessThan(20);
  });
});

describe('failures that are only counted', () => {
  it('wait from the first of them until they are handed on', () => {
    const repeats = new Repeats({ ...recordLimits, failuresBurst: 1, failuresPerSecond: 1 });
    const symptoms = { at: 10, status: 500, route: null, log: [], exit: null };
    expect(repeats.admit('500 GET /', 10)).toBe(true);
    expect(repeats.handled('500 GET /', symptoms)).toBe(0);
    expect(repeats.pendingSince).toBe(Number.POSITIVE_INFINITY);
    for (const at of [20, 30, 40]) {
      expect(repeats.admit('500 GET /', at)).toBe(false);
      repeats.count('500 GET /', at);
    }
    expect(repeats.pendingSince).toBe(20);
    expect(repeats.take(50, true)).toMatchObject([{ count: 3, symptoms: { at: 40 } }]);
    expect(repeats.pendingSince).toBe(Number.POSITIVE_INFINITY);
    repeats.count('500 GET /', 60);
    expect(repeats.pendingSince).toBe(60);
    expect(repeats.handled('500 GET /', symptoms)).toBe(1);
    expect(repeats.pendingSince).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a pooled PostgreSQL connection', () => {
  it('is understood long after its statements were prepared and given up', async () => {
    await serve({ windowBytesMax: 128 * 1024 });
    const pool = new FakeConnection(clock, { role: 'outbound' });
    pool.client(pg.client.start('app')).server(pg.join(pg.server.ok, pg.server.ready()));
    const sql = 'SELECT email FROM customers WHERE id = $1';
    const describe = pg.client.describe('S', 's1');
    pool.client(pg.join(pg.client.parse('s1', sql), describe, pg.client.sync));
    const columns = pg.server.columns([['email', 25]]);
    const described = pg.join(pg.server.parsed, pg.server.parameters([23]), columns);
    pool.server(pg.join(described, pg.server.ready()));
    const execute = (id: string) =>
      pg.join(pg.client.bind('s1', [id]), pg.client.execute(), pg.client.sync);
    const row = (text: string | null) => {
      const rows = pg.join(pg.server.bound, pg.server.row(text));
      return pg.join(rows, pg.server.complete('SELECT 1'), pg.server.ready());
    };
    const web = new FakeConnection(clock, { role: 'inbound' });
    for (let n = 0; n < 2000; n++) {
      web.client(get(`/customers/${n}`));
      pool.client(execute(`${n}`)).server(row(`${n}@example.com`));
      web.server(answer(200, 'fine'));
    }
    expect(recorder.status().heldBytes).toBeLessThan(200 * 1024);
    web.client(get('/customers/4711'));
    pool.client(execute('4711')).server(row(null));
    web.server(answer(500, 'broken'));
    await recorder.settle();
    const { recording } = suspicions[0]!;
    expect(recording!.completeness.reasons).toEqual([]);
    const calls = exchangesOf(recording!).filter(({ id }) =>
      recording!.callExchangeIds.includes(id),
    );
    expect(calls).toMatchObject([{ protocol: 'postgres', end: 'complete', effect: 'read' }]);
    expect(JSON.stringify(calls[0]!.request!.meaning)).toContain(sql);
    expect(JSON.stringify(calls[0]!.request!.meaning)).toContain('4711');
    const samples = kept.filter(({ kind }) => kind === 'sample');
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) {
      expect(sample.callExchangeIds).toHaveLength(1);
      expect(sample.completeness.reasons).toEqual([]);
    }
  });

  it('that only says Sync after an error takes nothing from what is whole', async () => {
    await serve();
    const pool = new FakeConnection(clock, { role: 'outbound', openedBeforeAttach: true });
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/customers/1'));
    pool.client(pg.client.sync).server(pg.server.ready());
    web.server(answer(500, 'broken'));
    await recorder.settle();
    expect(suspicions[0]!.recording!.completeness.reasons).toEqual([]);
  });

  it('whose opening was not seen makes no recording that claims to be whole', async () => {
    await serve();
    const pool = new FakeConnection(clock, { role: 'outbound', openedBeforeAttach: true });
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/customers/1'));
    pool.client(pg.join(pg.client.bind('s1', ['1']), pg.client.execute(), pg.client.sync));
    const rows = pg.join(pg.server.bound, pg.server.row('x'), pg.server.complete('SELECT 1'));
    pool.server(pg.join(rows, pg.server.ready()));
    web.server(answer(500, 'broken'));
    await recorder.settle();
    const { reasons } = suspicions[0]!.recording!.completeness;
    expect(reasons.join('\n')).toMatch(/\d+ bytes .* 10.1.0.9:5432 .* could not be read/);
  });
});

describe('names', () => {
  it('that were looked up long ago are in every recording', async () => {
    await serve({ windowBytesMax: 64 * 1024 });
    const question = Buffer.from(
      'abcd01000001000000000000056f7264657202646200'.concat('00010001'),
      'hex',
    );
    const reply = Buffer.concat([
      Buffer.from('abcd81800001000100000000056f7264657202646200'.concat('00010001'), 'hex'),
      Buffer.from('c00c000100010000003c00040a010009', 'hex'),
    ]);
    new FakeDatagrams(clock).client(question).server(reply).close();
    const web = new FakeConnection(clock, { role: 'inbound' });
    for (let n = 0; n < 1000; n++) web.client(get('/busy')).server(answer(200, 'x'.repeat(100)));
    web.client(get('/orders/7'));
    const api = new FakeConnection(clock, { role: 'outbound', host: '10.1.0.9', port: 80 });
    api.client('GET /x HTTP/1.1\r\n\r\n').server(answer(200, '{}'));
    web.server(answer(500, 'broken'));
    await recorder.settle();
    const { recording } = suspicions[0]!;
    const dns = exchangesOf(recording!).filter(({ protocol }) => protocol === 'dns');
    expect(dns).toMatchObject([{ end: 'complete' }]);
    const call = exchangesOf(recording!).find(({ id }) => id === recording!.callExchangeIds[0]);
    expect(call).toMatchObject({ serverName: 'order.db' });
  });
});

describe('a process that dies', () => {
  it('takes the unanswered request for its trigger', async () => {
    await serve();
    const fine = new FakeConnection(clock, { role: 'inbound' });
    fine.client(get('/messages')).server(answer(200, '[]'));
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/messages/9'));
    for (const text of [
      '/app/server.js:12',
      '  return message.from.name;',
      '                      ^',
      '',
      "TypeError: Cannot read properties of undefined (reading 'name')",
      '    at show (/app/server.js:12:23)',
      '',
      'Node.js v24.21.0',
    ]) {
      log(text);
    }
    web.close();
    fine.close();
    recorder.exited('i1', { at: clock.at, code: 1, signal: null, oomKilled: false });
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
    const { recording, symptoms } = suspicions[0]!;
    expect(symptoms).toMatchObject({ status: null, route: 'GET /messages/:id', exit: { code: 1 } });
    expect(titlesOf(recording!)(recording!.triggerExchangeId!)).toContain('GET /messages/9');
    expect(recording!.exit).toMatchObject({ code: 1 });
    const [failure] = await failuresOf({ ...symptoms, locate: async () => null });
    expect(failure).toMatchObject({ kind: 'crash', trace: { uncaught: true } });
  });

  it('while it starts has its start for a trigger', async () => {
    start();
    await recorder.watch(instance);
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
    api.client(get('/config')).server(answer(500, 'no'));
    log('Error: no config');
    log('    at boot (/app/boot.js:1:1)');
    recorder.exited('i1', { at: clock.at, code: 1, signal: null, oomKilled: false });
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
    const { recording } = suspicions[0]!;
    expect(recording).toMatchObject({ kind: 'boot', exit: { code: 1 }, triggerExchangeId: null });
    expect(recording!.callExchangeIds).toHaveLength(1);
  });
});

describe('what is no failure', () => {
  it('a process that ends in order', async () => {
    await serve();
    for (const [code, signal] of [
      [0, null],
      [null, 15],
      [143, null],
    ] as const) {
      recorder.exited('i1', { at: clock.at, code, signal, oomKilled: false });
    }
    await recorder.settle();
    expect(suspicions).toEqual([]);
  });

  it('an exception that the app calls a warning', async () => {
    await serve();
    const stack = 'Error: retried\n    at f (/app/f.js:1:1)';
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/a'));
    log(JSON.stringify({ level: 40, err: { type: 'Error', message: 'retried', stack } }));
    web.server(answer(200, 'fine'));
    await recorder.settle();
    expect(suspicions).toEqual([]);
  });
});

describe('memory', () => {
  it('is bounded over all instances together', async () => {
    start({ windowBytesMax: 1 << 20, totalBytesMax: 1 << 20 });
    for (let n = 1; n <= 4; n++) {
      await recorder.watch({ ...instance, id: `i${n}`, netns: n, booted: true });
      const web = new FakeConnection(clock, { role: 'inbound', watch: n });
      for (let i = 0; i < 2000; i++) web.client(get('/a')).server(answer(200, 'x'.repeat(200)));
      expect(recorder.status().heldBytes).toBeLessThan(1.2 * (1 << 20));
    }
    expect(recorder.status()).toMatchObject({ instances: 4, lostBytes: {} });
    expect(recorder.status().heldBytes).toBeGreaterThan(1 << 19);
  });
});

describe('an exception on the log', () => {
  it('belongs to the one request in flight', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/7'));
    log('Error: caught');
    log('    at f (/app/f.js:1:1)');
    web.server(answer(404, '{}'));
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
    expect(suspicions[0]!.symptoms).toMatchObject({ route: 'GET /orders/:id', status: 404 });
  });

  it('without a request has no recording', async () => {
    await serve();
    log('Error: in a timer');
    log('    at f (/app/f.js:1:1)');
    await recorder.settle();
    expect(suspicions).toMatchObject([{ recording: null, symptoms: { route: null } }]);
  });
});

describe('what is kept without a failure', () => {
  it('is the boot, whole', async () => {
    start();
    await recorder.watch(instance);
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
    api.client(get('/config')).server(answer(200, '{}'));
    const web = new FakeConnection(clock, { role: 'inbound' });
    web.client(get('/health')).server(answer(200, 'ok')).close();
    await recorder.healthy('i1');
    const boot = kept.find(({ kind }) => kind === 'boot')!;
    expect(boot.completeness.reasons).toEqual([]);
    expect(exchangesOf(boot).map(({ title, end }) => [title.split(' ->')[0], end])).toEqual([
      ['GET /config', 'complete'],
      ['GET /health', 'complete'],
    ]);
    expect(boot.callExchangeIds).toHaveLength(1);
  });

  it('is every success of a quiet route, up to the size of its reservoir', async () => {
    await serve({ samplesPerRoute: 3 });
    const web = new FakeConnection(clock, { role: 'inbound' });
    const api = new FakeConnection(clock, { role: 'outbound', port: 80 });
    for (let n = 1; n <= 3; n++) {
      web.client(get(`/orders/${n}`));
      api.client(get(`/rates/${n}`)).server(answer(200, '{}'));
      web.server(answer(200, `{"id":${n}}`));
    }
    web.client(get('/missing/1')).server(answer(404, '{}'));
    await recorder.settle();
    const samples = kept.filter(({ kind }) => kind === 'sample');
    expect(samples.map(({ route }) => route)).toEqual(Array(3).fill('GET /orders/:id'));
    for (const sample of samples) {
      expect(sample.completeness.reasons).toEqual([]);
      expect(sample.callExchangeIds).toHaveLength(1);
      expect(titlesOf(sample)(sample.triggerExchangeId!)).toContain('200');
    }
    for (let n = 10; n < 60; n++) web.client(get(`/orders/${n}`)).server(answer(200, '{}'));
    await recorder.settle();
    expect(kept.filter(({ kind }) => kind === 'sample')).toHaveLength(3);
  });

  it('is no success with a gap', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/1'));
    const reply = answer(200, 'y'.repeat(300));
    web.server(reply.slice(0, 200)).lose('server', 50).server(reply.slice(250));
    await recorder.settle();
    expect(kept.filter(({ kind }) => kind === 'sample')).toEqual([]);
  });
});

describe('an instance that a new server takes up', () => {
  it('has its failures noticed at once: its start is over', async () => {
    start();
    await recorder.watch({ ...instance, booted: true });
    clock.sync();
    new FakeConnection(clock, { role: 'inbound' })
      .client(get('/orders/7'))
      .server(answer(500, 'broken'));
    await recorder.settle();
    expect(suspicions).toHaveLength(1);
  });
});

describe('an interruption', () => {
  it('is marked, and no recording across it is whole', async () => {
    await serve();
    const web = new FakeConnection(clock, { role: 'inbound' }).client(get('/orders/7'));
    const fromMs = clock.at / 1000;
    sensor.lose({ kind: 'stopped', fromMs, reason: 'killed by signal 9' });
    clock.ns += 5_000_000;
    sensor.lose({ kind: 'interval', fromMs, toMs: clock.at / 1000, reason: 'killed by signal 9' });
    web.server(answer(500, 'broken'));
    await recorder.settle();
    const reason = 'killed by signal 9';
    expect(interruptions).toMatchObject([
      { reason, to: null },
      { reason, to: expect.any(Number), from: interruptions[0]?.from },
    ]);
    const { reasons } = suspicions[0]!.recording!.completeness;
    expect(reasons.join('\n')).toContain('nothing was recorded from');
  });
});

describe('what cannot be recorded', () => {
  it('is told for the app, by kind, with how often and since when', async () => {
    await serve();
    expect(recorder.degradations('shop')).toEqual([]);
    const since = clock.at;
    const hello = Buffer.from('16030100c8010000c40303', 'hex');
    for (const bytes of [hello.subarray(0, 1), hello.subarray(0, 3), hello]) {
      const secure = new FakeConnection(clock, { role: 'outbound', port: 443 }).client(bytes);
      secure
        .client(hello.subarray(bytes.length))
        .server(Buffer.from('160303007a0200', 'hex'))
        .close();
    }
    new FakeConnection(clock, { role: 'inbound' }).lose('client', 300).client(get('/orders/1'));
    new FakeConnection(clock, { role: 'inbound', openedBeforeAttach: true }).client(get('/'));
    await recorder.settle();
    expect(recorder.degradations('shop')).toMatchObject([
      { kind: 'tls', count: 3, bytes: 0 },
      { kind: 'ring-full', count: 1, bytes: 300 },
      { kind: 'opened-before-attach', count: 1 },
    ]);
    for (const each of recorder.degradations('shop')) {
      expect(each.last).toBeGreaterThanOrEqual(each.since);
      expect(each.since).toBeGreaterThanOrEqual(since - 1_000_000);
    }
    expect(recorder.degradations('another')).toEqual([]);
  });
});

function log(text: string): void {
  clock.ns += 1000;
  recorder.log('i1', { at: clock.at, stream: 'stderr', text });
}

function titlesOf(recording: Recording): (id: string) => string {
  const byId = new Map<string, Exchange>(exchangesOf(recording).map((each) => [each.id, each]));
  return (id) => byId.get(id)?.title ?? `${id} is not in the recording`;
}

function fakeRecordings(all: Recording[]) {
  const summary = ({ connections: _, log: __, ...rest }: Recording): RecordingSummary => ({
    ...rest,
    storedBytes: 0,
  });
  return {
    async keep(recording: Recording) {
      all.push(recording);
      return summary(recording);
    },
    load: async (id: string) => all.find((each) => each.id === id) ?? null,
    summary: async () => null,
    list: async () => [],
    async remove(id: string) {
      all.splice(
        all.findIndex((each) => each.id === id),
        1,
      );
    },
  };
}

function fakeInterruptions(all: RecordingInterruption[]) {
  return {
    async add(interruption: RecordingInterruption) {
      all.push(interruption);
    },
    list: async () => all,
  };
}

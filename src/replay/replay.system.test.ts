// Real apps, recorded against a real PostgreSQL, replayed without it: the same failure, or why not.
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Observed, Outcome } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import { now } from '../domain/time.ts';
import { connectionOf } from '../store/database.ts';
import { startCluster } from '../store/embedded/cluster.ts';
import { fakeApps, locateBelowApp, packageFiles } from './fake-app.ts';
import { FakeRecorder } from './fake-recorder.ts';
import * as fake from './fake-recording.ts';
import type { ManyReplayer, ReplayOptions } from './replay.ts';
import { createReplayer, ownerOf } from './replayer.ts';
import { sandboxLabel } from './sandbox.ts';

/** Notes the visit, shows an order with its customer's name and its price, counts the view. */
const shop = `
const http = require('node:http');
const { Pool } = require('pg');
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
const rateOf = (currency) => new Promise((resolve, reject) =>
  http.get(process.env.RATES_URL + '/rates/' + currency, (answer) => {
    let text = '';
    answer.on('data', (part) => { text += part; });
    answer.on('end', () => resolve(JSON.parse(text).rate));
  }).on('error', reject));
async function order(id) {
  const { rows: [row] } = await pool.query(
    'SELECT o.id, o.cents, o.currency, c.name FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE o.id = $1',
    [id],
  );
  await pool.query('INSERT INTO visits (id, order_id, at) VALUES ($1, $2, $3)',
    [crypto.randomUUID(), id, new Date()]);
  const customer = row.name.trim();
  const { rows: [view] } = await pool.query(
    'INSERT INTO views (order_id, shown_to) VALUES ($1, $2) RETURNING id', [id, customer]);
  return { id: row.id, customer, view: view.id, amount: row.cents * (await rateOf(row.currency)) };
}
http.createServer(async (request, response) => {
  try {
    if (request.url === '/health') return response.end('ok');
    const shown = await order(Number(request.url.split('/')[2]));
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(shown));
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end('{"error":"internal"}');
  }
}).listen(3000, () => console.log('listening', new Date().toISOString()));
pool.query('SELECT count(*) FROM orders').then(({ rows }) => console.log(rows[0].count, 'orders'));
`;

const apps = fakeApps();
const { engine } = apps;
const cleanUp: (() => unknown)[] = [];
let replayer: ManyReplayer;
let packages: Record<string, Uint8Array>;
let recorded: Awaited<ReturnType<typeof recordShop>>;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fixpoint-replay-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  packages = await packageFiles('pg');
  replayer = await createReplayer({ engine, directory });
  cleanUp.unshift(() => replayer.close());
  recorded = await recordShop();
});

afterAll(async () => {
  for (const step of cleanUp) await step();
  await apps.removeAll();
});

describe('a replay', () => {
  it('fails as production did, three times of three, with nothing made up', async () => {
    const fingerprints = new Set<string>();
    for (let run = 0; run < 3; run++) {
      const outcome = await replay({});
      expect(failureOf(outcome)).toBe("TypeError: Cannot read properties of null (reading 'trim')");
      if (outcome.kind !== 'failed') return;
      fingerprints.add(outcome.failures[0]!.fingerprint);
      const { observed } = outcome;
      expect(observed.divergences).toEqual([]);
      expect(observed.answer?.status).toBe(500);
      expect(gradesOf(observed)).toEqual(['exact', 'normalised', 'synthesised']);
      expect(observed.served.find((one) => one.title.includes('orders o'))).toMatchObject({
        ...{ source: 'trigger', duringBoot: false, effect: 'read' },
      });
      expect(observed.served.some((one) => one.duringBoot && one.source === 'boot')).toBe(true);
      expect(observed.caveats).toEqual([]);
    }
    expect(fingerprints.size).toBe(1);
  });

  it('runs at the recorded time', async () => {
    const trigger = past(recorded.trigger);
    const { observed } = (await replay({ trigger })) as { observed: Observed };
    const line = observed.log.find(({ text }) => text.startsWith('listening'))!;
    const startedMs = Date.parse(line.text.split(' ')[1]!);
    expect(Math.abs(startedMs - trigger.from / 1000)).toBeLessThan(60_000);
    expect(Math.abs(line.at - trigger.from) / 1000).toBeGreaterThan(60_000);
  });

  it('keeps the variables at the throw when exceptions are watched', async () => {
    const { observed } = (await replay({ watchExceptions: true })) as { observed: Observed };
    expect(observed.watched).toBe(true);
    const raised = observed.raised.find(({ type }) => type === 'TypeError')!;
    expect(raised).toMatchObject({ file: 'app.js', function: 'order', uncaught: false });
    expect(raised.variables.row).toContain('name: null');
    expect(observed.log.some(({ text }) => text.includes('ebugger'))).toBe(false);
  });

  it('says what a changed query asks for and which recorded one is nearest', async () => {
    const imageId = await build(shop.replace('WHERE o.id = $1', 'WHERE o.id = $1 AND true'));
    const outcome = await replay({ imageId });
    expect(outcome.kind).toBe('failed');
    const { observed } = outcome as { observed: Observed };
    expect(observed.divergences).toHaveLength(1);
    expect(observed.divergences[0]).toMatchObject({ protocol: 'postgres', effect: 'read' });
    expect(observed.divergences[0]!.nearest?.difference).toMatch(/^sql: recorded .*asked .*true/);
    const other = await build(shop.replace('[id],', '[id + 1],'));
    const strayed = (await replay({ imageId: other })) as { observed: Observed };
    expect(strayed.observed.divergences[0]!.nearest?.difference).toContain('$1: recorded "2"');
    expect(strayed.observed.answer?.status).toBe(500);
  });

  it('goes on where production stopped, by what successful siblings saw', async () => {
    const imageId = await build(fixed);
    const outcome = await replay({ imageId, siblings: recorded.siblings });
    expect(failureOf(outcome)).toBe(null);
    const { observed } = outcome as { observed: Observed };
    const shown = JSON.parse(Buffer.from(observed.answer!.body).toString()) as { amount: number };
    expect(shown).toMatchObject({ id: 2, customer: 'nobody', amount: 400 });
    const last = observed.served.filter((one) => !one.duringBoot && one.effect !== 'control');
    expect(last.map(({ effect, grade, source }) => `${effect} ${grade} ${source}`)).toEqual([
      'read exact trigger',
      'write normalised trigger',
      'write assumed sibling',
      'read exact trigger',
    ]);
    expect(last[2]!.assumed).toEqual(['id']);
    const alone = await replay({ imageId, siblings: [] });
    expect((alone as { observed: Observed }).observed.divergences[0]?.effect).toBe('write');
  });

  it('gives each of many at once its own answers', async () => {
    const both = [recorded.trigger, recorded.sibling];
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, (_, i) => replay({ trigger: both[i % 2]! })),
    );
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(
      Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? 'failed' : 'succeeded')),
    );
    for (const outcome of outcomes) {
      expect((outcome as { observed: Observed }).observed.divergences).toEqual([]);
    }
  });

  it('sends many requests to one process, each answered from its own recording', async () => {
    const both = [recorded.sibling, recorded.trigger, recorded.sibling, recorded.sibling];
    const outcomes = await replayer.replayMany(
      options({}),
      both.map((trigger) => ({ trigger, siblings: [] })),
    );
    expect(
      outcomes.map((o) => `${o.kind} ${'observed' in o && o.observed.answer?.status}`),
    ).toEqual(['succeeded 200', 'failed 500', 'succeeded 200', 'succeeded 200']);
    for (const outcome of outcomes) {
      const { observed } = outcome as { observed: Observed };
      expect(observed.divergences).toEqual([]);
      expect(observed.served.filter((one) => one.title.includes('orders o'))).toHaveLength(1);
    }
  });
});

describe('a replay that cannot tell', () => {
  it('says that the start asked for what is not recorded', async () => {
    const imageId = await build(
      shop.replace('.listen(3000', ';pool.query(`SELECT 2`).catch(() => process.exit(3)); void (0'),
    );
    const outcome = await replay({ imageId });
    expect(outcome.kind).toBe('not-ready');
    expect((outcome as { reason: string }).reason).toMatch(/ended with code 3.*SELECT/);
  });

  it('says that the app never listens', async () => {
    const imageId = await build('setInterval(() => {}, 1000)');
    const outcome = await replay({ imageId, limits: { bootTimeoutMs: 1500 } });
    expect(outcome).toMatchObject({ kind: 'not-ready' });
    expect((outcome as { reason: string }).reason).toContain('nothing listens on port 3000');
    expect((await replay({})).kind).toBe('failed'); // the sandbox is good for another one
  });

  it('says which call on the way is not held as a whole', async () => {
    const trigger = structuredClone(recorded.trigger);
    const call = trigger.connections.find((one) => one.direction === 'outbound')!;
    const lost = call.chunks.pop()!;
    call.gaps.push({
      ...{ from: lost.from, pos: lost.pos, reason: 'ring-full' },
      length: lost.bytes.length,
    });
    const outcome = await replay({ trigger });
    expect(outcome.kind).toBe('not-replayable');
    expect((outcome as { reason: string }).reason).toContain('not held as a whole');
  });

  it('stops at once when it is not wanted any more', async () => {
    const imageId = await build('setInterval(() => {}, 1000)');
    const [abort, started] = [new AbortController(), performance.now()];
    const stopped = replay({ imageId, signal: abort.signal, limits: { bootTimeoutMs: 120_000 } });
    await pause(1000);
    abort.abort(new Error('not wanted'));
    await expect(stopped).rejects.toThrow('not wanted');
    expect(performance.now() - started).toBeLessThan(60_000);
    await expect(replay({ signal: abort.signal })).rejects.toThrow('not wanted');
  });

  it('never blames the app for an engine that fails', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fixpoint-replay-'));
    const later = await createReplayer({
      ...{ engine: failingLater(), directory, warm: 0, openAttemptsMax: 2 },
    });
    expect(await later.replay(options({}))).toEqual({ kind: 'unavailable', reason: 'out of disk' });
    await later.close();
    await rm(directory, { recursive: true });
  });

  it('leaves nothing behind', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fixpoint-replay-'));
    const own = await createReplayer({ engine, directory });
    await own.replay(options({}));
    await own.close();
    const left = (await engine.list({})).filter((one) => one.labels[sandboxLabel] !== undefined);
    const others = await createReplayer({ engine, directory, warm: 0 });
    expect(left.filter(({ labels }) => labels[sandboxLabel] === ownerOf(directory))).toEqual([]);
    await others.close();
    await rm(directory, { recursive: true });
  });
});

describe('a process that dies', () => {
  const dying = `
    require('node:http').createServer((request, response) => {
      if (request.url === '/health') return response.end('ok');
      setTimeout(() => { const message = JSON.parse('{}'); message.to.toLowerCase(); }, 5);
    }).listen(3000);`;

  it('has failed, with its exit and the exception that killed it', async () => {
    const imageId = await apps.build(dying);
    for (const watchExceptions of [false, true]) {
      const outcome = await replayer.replay({
        ...{ ...options({ imageId }), boot: fake.recording([]), watchExceptions },
        trigger: fake.recording(
          [
            fake.connection({
              ...{ id: 't', direction: 'inbound', client: { address: '2001:db8::7', port: 5 } },
              ...{ server: { address: '172.30.0.5', port: 3000 }, closed: true },
              talk: [['>', fake.httpRequest('POST /messages')]],
            }),
          ],
          { trigger: 't', route: 'POST /messages' },
        ),
      });
      expect(failureOf(outcome)).toBe(
        "TypeError: Cannot read properties of undefined (reading 'toLowerCase')",
      );
      const { failures, observed } = outcome as Extract<Outcome, { kind: 'failed' }>;
      expect(failures[0]!.kind).toBe('crash');
      expect(observed).toMatchObject({ answer: null, noAnswer: 'process exited' });
      expect(observed.exit).toMatchObject({ code: 1, signal: null });
      expect(observed.raised.map(({ uncaught }) => uncaught)).toEqual(
        watchExceptions ? [true] : [],
      );
    }
  });
});

describe('what comes after an answer', () => {
  const answering = (afterwards: string) => `
    require('node:http').createServer((request, response) => {
      response.statusCode = 202;
      response.end('{}', () => setImmediate(() => { ${afterwards} }));
    }).listen(3000);`;
  const sent = async (afterwards: string) => {
    const imageId = await apps.build(answering(afterwards));
    const talk = [
      ['>', fake.httpRequest('POST /messages')],
      ['<', fake.httpAnswer('{}')],
    ] as const;
    const server = { address: '172.30.0.5', port: 3000 };
    const inbound = { id: 't', direction: 'inbound' as const, server, talk };
    const trigger = fake.recording([fake.connection(inbound)], { trigger: 't' });
    return replayer.replay({ ...options({ imageId }), boot: fake.recording([]), trigger });
  };

  it('counts: a death, an endless loop, a promise that nobody caught', async () => {
    const dead = await sent('let late; late.now()');
    expect(failureOf(dead)).toContain("reading 'now'");
    expect((dead as { observed: Observed }).observed.answer?.status).toBe(202);
    expect(failureOf(await sent('for (;;);'))).toContain('does not react to anything any more');
    expect(failureOf(await sent('Promise.reject(new Error("lost"))'))).toBe('Error: lost');
    expect(failureOf(await sent('console.log("done")'))).toBe(null);
  });
});

const fixed = shop.replace('row.name.trim()', "(row.name ?? 'nobody').trim()");

/** An engine that makes no container once the replayer stands. */
function failingLater(): typeof engine {
  return { ...engine, create: () => Promise.reject(new Error('out of disk')) };
}

function build(source: string): Promise<string> {
  return apps.build(source, packages);
}

function options(changes: Partial<ReplayOptions>): ReplayOptions {
  const imageId = changes.imageId ?? recorded.imageId;
  return {
    release: fake.release({ imageId }),
    ...{ imageId, env: recorded.env, boot: recorded.boot, trigger: recorded.trigger },
    ...{ siblings: [], locate: locateBelowApp },
    ...changes,
  };
}

function replay(changes: Partial<ReplayOptions>): Promise<Outcome> {
  return replayer.replay(options(changes));
}

function failureOf(outcome: Outcome): string | null {
  if (outcome.kind === 'failed') return outcome.failures[0]!.message;
  return outcome.kind === 'succeeded' ? null : `${outcome.kind}: ${outcome.reason}`;
}

function gradesOf(observed: Observed): string[] {
  return [...new Set(observed.served.map((one) => one.grade))].sort();
}

/** Runs the shop against a real database and a real service, and what passed in between. */
async function recordShop() {
  const dataDir = await mkdtemp(join(tmpdir(), 'fixpoint-replay-db-'));
  const cluster = await startCluster({
    ...{ dataDir, cacheDir: join(tmpdir(), 'fixpoint-test-postgres'), timeoutMs: 60_000 },
    ...{ fsync: false, onDuration: () => {} },
  });
  const stops: (() => unknown)[] = [() => rm(dataDir, { recursive: true, force: true })];
  stops.unshift(() => cluster.stop());
  try {
    return await recordWith(cluster.place('postgres') as Place, stops);
  } finally {
    for (const stop of stops) await stop();
  }
}

type Place = Extract<Parameters<typeof connectionOf>[0], { host: string }>;

async function recordWith(place: Place, stops: (() => unknown)[]) {
  await fill(place);
  const rates = http.createServer((_, response) => response.end('{"rate":2}'));
  await new Promise<void>((resolve) => rates.listen(0, resolve));
  stops.unshift(() => rates.close());
  const recorder = new FakeRecorder();
  const gateway = '172.17.0.1';
  const toDatabase = await recorder.tee({
    to: { path: `${place.host}/.s.PGSQL.${place.port}` },
    ...{ direction: 'outbound', server: { address: gateway, port: 0 } },
  });
  const ratesPort = (rates.address() as { port: number }).port;
  const toRates = await recorder.tee({
    to: { port: ratesPort, host: '127.0.0.1' },
    ...{ direction: 'outbound', server: { address: gateway, port: 0 } },
  });
  const login = `${place.user}:${encodeURIComponent(place.password)}`;
  const env = {
    DATABASE_URL: `postgres://${login}@${gateway}:${toDatabase.port}/${place.database}`,
    RATES_URL: `http://${gateway}:${toRates.port}`,
  };
  const imageId = await build(shop);
  const id = await engine.create({
    ...{ image: imageId, env, labels: { 'fixpoint.test': 'replay' } },
    network: { kind: 'network', name: 'bridge', aliases: [] },
  });
  stops.unshift(() => engine.remove(id), toDatabase.close, toRates.close);
  const bootFrom = now();
  await engine.start(id);
  const address = (await engine.inspect(id))!.addresses.bridge!;
  const inbound = await recorder.tee({
    to: { host: address, port: 3000 },
    ...{ direction: 'inbound', server: { address, port: 3000 } },
  });
  stops.unshift(inbound.close);
  const lines = async () => (await engine.tail(id, 100)).map((line) => line.text);
  while (!(await lines()).some((text) => text.endsWith('orders'))) await pause(50);
  expect(await get(inbound.port, '/health')).toEqual([200, 'ok']);
  const boot = recorder.take({ kind: 'boot', from: bootFrom });
  const route = 'GET /orders/:id';
  const ask = async (path: string, kind: Recording['kind'], wanted: number) => {
    await pause(5);
    const from = now();
    const [status, text] = await get(inbound.port, path);
    expect([status, text]).toEqual([wanted, expect.any(String)]);
    return recorder.take({ kind, from, route });
  };
  const siblings = [await ask('/orders/1', 'sample', 200), await ask('/orders/1', 'sample', 200)];
  const trigger = await ask('/orders/2', 'failure', 500);
  return { imageId, env, boot, sibling: siblings[0]!, siblings, trigger };
}

/** Moves a recording an hour back, so that the clock of a replay can be told from ours. */
function past(recording: Recording): Recording {
  const hour = 3600 * 1_000_000;
  const earlier = structuredClone(recording);
  earlier.from -= hour;
  earlier.to -= hour;
  for (const connection of earlier.connections) {
    connection.openedAt -= hour;
    if (connection.closedAt !== null) connection.closedAt -= hour;
    for (const chunk of connection.chunks) chunk.at -= hour;
  }
  return earlier;
}

async function fill(place: Place): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(connectionOf(place));
  await client.connect();
  await client.query(`
    CREATE TABLE customers (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, cents int, currency text, customer_id int);
    CREATE TABLE visits (id uuid PRIMARY KEY, order_id int, at timestamptz);
    CREATE TABLE views (id serial PRIMARY KEY, order_id int, shown_to text);
    INSERT INTO customers VALUES (1, 'Ann ');
    INSERT INTO orders VALUES (1, 100, 'EUR', 1), (2, 200, 'EUR', NULL), (3, 300, 'EUR', NULL);
  `);
  await client.end();
}

async function get(port: number, path: string): Promise<[number, string]> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { connection: 'close' },
  });
  return [answer.status, await answer.text()];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

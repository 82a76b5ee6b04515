/** The recorder with a real PostgreSQL and node-postgres: pooled connections, prepared statements. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silent } from '../domain/logger.ts';
import type { Recording } from '../domain/recording.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { makeTestDatabase } from '../store/fake.ts';
import type { Suspicion } from '../symptoms/symptoms.ts';
import { answer, FakeClock, FakeConnection, get } from './fake-traffic.ts';
import { record } from './record.ts';
import { FakeSensor } from './sensor/fake-sensor.ts';

const sensor = new FakeSensor();
const clock = new FakeClock(sensor);
const sockets = new Set<Socket>();
let database: { url: string; drop(): Promise<void> };
let proxy: Server;
let pool: pg.Pool;

beforeAll(async () => {
  database = await makeTestDatabase();
  const { user, password, database: name, host, port } = new pg.Client(database.url);
  proxy = createServer((socket) => tee(socket, `${host}/.s.PGSQL.${port}`));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const at = (proxy.address() as { port: number }).port;
  const login = { user: user!, password: password!, database: name! };
  pool = new pg.Pool({ ...login, host: '127.0.0.1', port: at, max: 3 });
});

afterAll(async () => {
  await pool?.end();
  for (const socket of sockets) socket.destroy();
  proxy?.close();
  await database?.drop();
});

it('is read whole: at the start, under load, and after what was prepared is gone', async () => {
  const kept: Recording[] = [];
  const suspicions: Suspicion[] = [];
  const recorder = record({
    sensor,
    logger: silent,
    limits: { graceMs: 30, traceWaitMs: 60, windowBytesMax: 256 * 1024 },
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
  await recorder.watch({ id: 'i', app: 'a', releaseNumber: 1, netns: 1, port: 3000 });
  clock.sync();
  await pool.query('CREATE TABLE c (id int PRIMARY KEY, email text); SELECT 1');
  await pool.query('INSERT INTO c SELECT n, n || $1 FROM generate_series(1, 500) n', ['@x.org']);
  await expect(pool.query('SELECT nothing FROM nowhere')).rejects.toThrow();
  clock.sync();
  await recorder.healthy('i');
  const boot = kept[0]!;
  expect(boot.completeness.reasons).toEqual([]);
  expect(boot.callExchangeIds.length).toBeGreaterThanOrEqual(4);

  const web = new FakeConnection(clock, { role: 'inbound' });
  const byId = { name: 'by-id', text: 'SELECT email FROM c WHERE id = $1' };
  for (let round = 0; round < 300; round++) {
    clock.sync();
    web.client(get(`/c/${round}`));
    await Promise.all([1, 2, 3, 4, 5].map((n) => pool.query({ ...byId, values: [n + round] })));
    if (round % 10 === 0) {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query('UPDATE c SET email = $1 WHERE id = $2', [`${round}`, 1]);
      await client.query(round % 20 === 0 ? 'COMMIT' : 'ROLLBACK');
      client.release();
    }
    clock.sync();
    web.server(answer(200, 'fine'));
  }
  expect(recorder.status().heldBytes).toBeLessThan(400 * 1024);

  await recorder.settle();
  clock.sync();
  web.client(get('/c/501'));
  const { rows } = await pool.query({ ...byId, values: [501] });
  expect(rows).toEqual([]);
  await pool.query('INSERT INTO c VALUES ($1, $2)', [501, 'new']);
  clock.sync();
  web.server(answer(500, 'broken'));
  await recorder.settle();

  const { recording } = suspicions[0]!;
  expect(recording).toMatchObject({ causality: 'exact', completeness: { reasons: [] } });
  const calls = exchangesOf(recording!).filter(({ id }) => recording!.callExchangeIds.includes(id));
  expect(calls.map(({ effect, end }) => [effect, end])).toEqual([
    ['read', 'complete'],
    ['write', 'complete'],
  ]);
  expect(JSON.stringify(calls[0]!.request!.meaning)).toContain(byId.text);
  const samples = kept.filter(({ kind }) => kind === 'sample');
  expect(samples.length).toBeGreaterThan(0);
  for (const { completeness } of samples) expect(completeness.reasons).toEqual([]);
  await recorder.close();
});

/** A plain TCP proxy whose bytes are told to the fake sensor. */
function tee(socket: Socket, path: string): void {
  const seen = new FakeConnection(clock, { role: 'outbound' });
  const upstream = connect(path);
  for (const each of [socket, upstream]) {
    sockets.add(each);
    each.on('error', () => each.destroy());
  }
  socket.on('data', (bytes) => {
    clock.sync();
    seen.client(bytes);
    upstream.write(bytes);
  });
  upstream.on('data', (bytes) => {
    clock.sync();
    seen.server(bytes);
    socket.write(bytes);
  });
  socket.on('end', () => upstream.end());
  upstream.on('end', () => socket.end());
}

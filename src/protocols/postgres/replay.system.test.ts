// Oracles: a real PostgreSQL, recorded through a plain TCP proxy, and node-postgres as client.
import { connect, createServer, type Server, type Socket } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import type { Chunk } from '../../domain/wire.ts';
import { makeTestDatabase } from '../../store/fake.ts';
import { head, read, timeless } from '../fake-wire.ts';
import type { Answerer, Question, Reply } from '../protocol.ts';
import { queryOf } from './meaning.ts';
import { postgres } from './postgres.ts';

interface Proxy {
  server: Server;
  port: number;
  /** One list for each connection, in order. */
  recorded: Chunk[][];
}

let database: { url: string; drop(): Promise<void> };
let login: pg.ClientConfig;
let proxy: Proxy;
const sockets = new Set<Socket>();
const servers: Server[] = [];

beforeAll(async () => {
  database = await makeTestDatabase();
  const { user, password, database: name, host, port } = new pg.Client(database.url);
  login = { user: user!, password: password!, database: name!, host: '127.0.0.1' };
  const path = `${host}/.s.PGSQL.${port}`;
  proxy = await startProxy(path);
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await database?.drop();
});

async function listen(
  onSocket: (socket: Socket) => void,
): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}

async function startProxy(path: string): Promise<Proxy> {
  const recorded: Chunk[][] = [];
  const listening = await listen((socket) => {
    const chunks: Chunk[] = [];
    recorded.push(chunks);
    const upstream = connect(path);
    sockets.add(upstream);
    upstream.on('error', () => socket.destroy());
    const next = { client: 0, server: 0 };
    const tee = (from: 'client' | 'server', bytes: Buffer) => {
      const at = 1000 + chunks.length;
      chunks.push({ from, pos: next[from], at, bytes: Uint8Array.from(bytes) });
      next[from] += bytes.length;
    };
    socket.on('data', (bytes) => {
      tee('client', bytes);
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      tee('server', bytes);
      socket.write(bytes);
    });
    socket.on('end', () => upstream.end());
    upstream.on('end', () => socket.end());
  });
  return { ...listening, recorded };
}

/** What the client saw, as text: values, types, errors and notices. */
type Seen = string[];

async function scenario(client: pg.Client): Promise<Seen> {
  const seen: Seen = [];
  client.on('notice', (notice) => seen.push(`notice ${notice.message}`));
  await client.connect();
  const run = async (query: string | pg.QueryConfig | object, values?: unknown[]) => {
    try {
      const result = await client.query(query as pg.QueryConfig, values);
      for (const one of [result].flat()) {
        const fields = one.fields?.map((field) => `${field.name}:${field.dataTypeID}`);
        seen.push(JSON.stringify([one.command, one.rowCount, fields, one.rows]));
      }
    } catch (error) {
      const { code, severity, detail, message } = error as pg.DatabaseError;
      seen.push(JSON.stringify([severity, code, detail, message]));
    }
  };
  await run(
    'CREATE TEMP TABLE t (id serial PRIMARY KEY, name text UNIQUE, price numeric, at date)',
  );
  await run('INSERT INTO t (name, price) VALUES ($1, $2) RETURNING id, name', ['grüße 🙂', '1.50']);
  await run('INSERT INTO t (name) VALUES ($1)', ['b']);
  await run('SELECT * FROM t WHERE id = $1 /* trace=1 */', [1]);
  await run('SELECT * FROM t WHERE id = $1 /* trace=2 */', [2]);
  await run('SELECT * FROM t WHERE id = $1', [3]);
  await run({ name: 'by-name', text: 'SELECT id FROM t WHERE name = $1', values: ['b'] });
  await run({ name: 'by-name', text: 'SELECT id FROM t WHERE name = $1', values: [null] });
  await run({
    text: 'SELECT id, name FROM t WHERE id < $1 ORDER BY id',
    values: [9],
    binary: true,
  });
  await run({ text: 'SELECT generate_series(1, 5) AS n', rows: 2 });
  await run('SELECT 1 AS a; SELECT 2 AS b, NULL AS c; UPDATE t SET price = 2 WHERE id = 2');
  await run('');
  await run('SELECT nonsense FROM t');
  await run('SELECT $1::int', ['x']);
  await run('BEGIN');
  await run('SAVEPOINT s');
  await run('INSERT INTO t (name) VALUES ($1)', ['b']);
  await run('SELECT 1');
  await run('SELECT $1::text', ['y']);
  await run('ROLLBACK TO SAVEPOINT s');
  await run('SELECT count(*) FROM t');
  await run('COMMIT');
  await run('BEGIN');
  await run('SELECT 1/0');
  await run('COMMIT');
  await run("SET TIME ZONE 'Asia/Tokyo'");
  await run("SET my.tenant = 'a'");
  await run("SELECT current_setting('my.tenant') AS tenant");
  await run("SET my.tenant = 'b'");
  await run("SELECT current_setting('my.tenant') AS tenant");
  await run("DO $$ BEGIN RAISE NOTICE 'hello %', 1; END $$");
  await run('COPY (SELECT 1, 2) TO STDOUT');
  await run('COPY t (name) FROM STDIN');
  await run('BEGIN');
  await run('DECLARE c CURSOR FOR SELECT generate_series(1, 3) AS n');
  await run('FETCH 2 FROM c');
  await run('FETCH 2 FROM c');
  await run('ROLLBACK');
  await run('LISTEN chan');
  await run('SELECT name FROM t ORDER BY id');
  await client.end();
  return seen;
}

/** Answers in recorded order, by the normalised key, like the world does in its simplest form. */
function worldOf(recorded: Exchange[]) {
  const questions = recorded.map((exchange) => postgres.question(exchange));
  const used = new Set<number>();
  const misses: Question[] = [];
  const ask = (question: Question): Reply => {
    const equal = (one: Question | null) => one?.normalisedKey === question.normalisedKey;
    let index = questions.findIndex((one, i) => equal(one) && !used.has(i));
    if (index < 0) index = questions.findLastIndex(equal);
    if (index >= 0) used.add(index);
    if (index >= 0) return { kind: 'recorded', exchange: recorded[index]! };
    misses.push(question);
    return { kind: 'none', explanation: 'nothing like it' };
  };
  return { ask, misses };
}

async function serve(recorded: Exchange[], cut: number) {
  const { ask, misses } = worldOf(recorded);
  const { port } = await listen((socket) => {
    const answerer: Answerer = postgres.answerer({
      head,
      recorded,
      ask,
      synthesised: () => {},
      assumed: () => {},
    });
    socket.on('data', (bytes) => {
      for (let at = 0; at < bytes.length; at += cut) {
        for (const answer of answerer.receive(bytes.subarray(at, at + cut))) socket.write(answer);
      }
      if (answerer.closing) socket.end();
    });
  });
  return { port, misses };
}

describe('a conversation with a real PostgreSQL', () => {
  let real: Seen;
  let chunks: Chunk[];
  let exchanges: Exchange[];

  beforeAll(async () => {
    real = await scenario(new pg.Client({ ...login, port: proxy.port }));
    chunks = proxy.recorded.at(-1)!;
    exchanges = read(postgres, chunks);
  });

  it('is read as one exchange for each query', () => {
    expect(exchanges.filter((one) => one.end !== 'complete')).toEqual([]);
    expect(exchanges[0]).toMatchObject({
      effect: 'control',
      request: { meaning: { kind: 'start' } },
      response: { meaning: { authentication: 'scram', error: null } },
    });
    const secret = JSON.stringify(login.password);
    expect(JSON.stringify(exchanges)).not.toContain(secret.slice(1, -1));
    const titles = exchanges.filter((one) => queryOf(one) !== null).map((one) => one.title);
    expect(titles).toContain(
      'INSERT INTO t (name, price) VALUES ($1, $2) RETURNING id, name -> INSERT 0 1',
    );
    expect(titles).toContain('INSERT INTO t (name) VALUES ($1) -> ERROR 23505');
    const duplicate = exchanges.find((one) => one.error?.includes('23505'))!;
    expect(duplicate.effect).toBe('write');
  });

  it('is read the same when it is cut at every byte', () => {
    const single = chunks.flatMap((chunk) =>
      [...chunk.bytes].map((_, i) => ({
        ...chunk,
        pos: chunk.pos + i,
        bytes: chunk.bytes.slice(i, i + 1),
      })),
    );
    expect(timeless(read(postgres, single))).toEqual(timeless(exchanges));
    for (const size of [2, 3, 7, 64]) {
      const pieces = chunks.flatMap((chunk) => {
        const cuts = [];
        for (let at = 0; at < chunk.bytes.length; at += size) {
          cuts.push({ ...chunk, pos: chunk.pos + at, bytes: chunk.bytes.slice(at, at + size) });
        }
        return cuts;
      });
      expect(timeless(read(postgres, pieces))).toEqual(timeless(exchanges));
    }
  });

  it('is understood by a reader that joins in its middle', () => {
    let boundaries = 0;
    for (let cut = 1; cut < chunks.length; cut += 1) {
      const first = postgres.reader(head, { bodyBytesMax: 1 << 20 });
      for (const chunk of chunks.slice(0, cut)) first.feed(chunk);
      const carried = first.carried();
      const second = postgres.reader(head, { bodyBytesMax: 1 << 20 });
      for (const chunk of carried) second.carry!(chunk);
      for (const chunk of chunks.slice(cut)) second.feed(chunk);
      second.close(0);
      const joined = second.take().filter((one) => one.end === 'complete' && one.request !== null);
      const byStart = new Map(exchanges.map((one) => [one.request?.range.start, one]));
      for (const exchange of joined) {
        const whole = byStart.get(exchange.request!.range.start)!;
        const plain = (one: Exchange) => timeless([{ ...one, id: '', ordinal: 0 }])[0];
        expect(plain(exchange), `cut ${cut}`).toEqual(plain(whole));
      }
      const after = exchanges.filter((one) => (one.request?.range.start ?? 0) >= chunks[cut]!.pos);
      const before = Buffer.from(chunks[cut - 1]!.bytes.slice(-6)).toString('latin1');
      const boundary = chunks[cut - 1]!.from === 'server' && /^Z\0\0\0\x05[ITE]$/.test(before);
      if (chunks[cut]!.from === 'client' && boundary) {
        boundaries += 1;
        expect(joined.length, `cut ${cut}`).toBe(after.length);
      }
    }
    expect(boundaries).toBeGreaterThan(30);
  });

  it.each([1, 1 << 20])('is answered again to the same client, %i bytes at a time', async (cut) => {
    const { port, misses } = await serve(exchanges, cut);
    const replayed = await scenario(new pg.Client({ ...login, port }));
    expect(misses.map((question) => question.title)).toEqual([]);
    expect(replayed).toEqual(real);
  });

  it('is not answered to another question', async () => {
    const { port, misses } = await serve(exchanges, 1 << 20);
    const client = new pg.Client({ ...login, port });
    await client.connect();
    for (const [text, values] of [
      ['SELECT * FROM t WHERE id = $1', [7]],
      ['SELECT * FROM t WHERE id = $1', ['01']],
      ["SELECT current_setting('my.tenant') AS tenant", undefined],
      ['SELECT id FROM t WHERE name = $1', ['c']],
    ] as const) {
      const asked = client.query(text, values as unknown[] | undefined);
      await expect(asked).rejects.toMatchObject({
        code: 'XX000',
        message: 'fixpoint: not in the recording',
        hint: 'nothing like it',
      });
    }
    expect(misses).toHaveLength(4);
    const after = await client.query('SELECT * FROM t WHERE id = $1', [1]);
    expect(after.rows[0].name).toBe('grüße 🙂');
    await client.end();
  });
});

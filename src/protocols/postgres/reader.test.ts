// The reader understands every cut, and never says more of a damaged stream than it knows.
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import { chunksOf, cutAfter, head, random, read, type Said, timeless } from '../fake-wire.ts';
import { client, join, server } from './fake-messages.ts';
import { answerOf, prepareOf, queryOf } from './meaning.ts';
import { postgres } from './postgres.ts';

const start: Said[] = [
  ['client', client.ssl],
  ['server', 'N'],
  ['client', client.start('app')],
  ['server', server.md5],
  ['client', client.password('md5secret')],
  ['server', join(server.ok, server.setting('server_version', '16.1'), server.key, server.ready())],
];
const select = 'SELECT name FROM t WHERE id = $1';

const fixtures: Record<string, Said[]> = {
  'simple queries': [
    ['client', client.query('SELECT 1; SELECT 2')],
    [
      'server',
      join(
        server.columns([['a', 23]]),
        server.row('1'),
        server.complete('SELECT 1'),
        server.columns([['b', 23]]),
        server.row(null),
        server.complete('SELECT 1'),
        server.ready(),
      ),
    ],
    ['client', client.query('')],
    ['server', join(server.empty, server.ready())],
    ['client', client.query('oops')],
    ['server', join(server.notice('hm'), server.error('42601', 'syntax error'), server.ready())],
  ],
  'a statement prepared, then used twice': [
    ['client', join(client.parse('s1', select), client.describe('S', 's1'), client.flush)],
    ['server', join(server.parsed, server.parameters([23]), server.columns([['name', 25]]))],
    ['client', join(client.bind('s1', ['7']), client.execute(), client.sync)],
    ['server', join(server.bound, server.row('x'), server.complete('SELECT 1'), server.ready())],
    ['client', join(client.bind('s1', ['8']), client.execute(), client.sync)],
    ['server', join(server.bound, server.complete('SELECT 0'), server.ready())],
    ['client', join(client.close('S', 's1'), client.sync)],
    ['server', join(server.closed, server.ready())],
  ],
  'binary values and a portal in parts': [
    [
      'client',
      join(
        client.parse('', 'SELECT id FROM t WHERE id < $1', [23]),
        client.bind('', [Buffer.from('00000009', 'hex')], {
          portal: 'p',
          formats: [1],
          results: [1],
        }),
        client.describe('P', 'p'),
        client.execute('p', 1),
        client.execute('p', 0),
        client.sync,
      ),
    ],
    [
      'server',
      join(
        server.parsed,
        server.bound,
        server.columns([['id', 23, 1]]),
        server.row(Buffer.from('00000001', 'hex')),
        server.suspended,
        server.row(Buffer.from('000000ff', 'hex')),
        server.complete('SELECT 1'),
        server.ready(),
      ),
    ],
  ],
  'an error in a batch that was sent ahead': [
    [
      'client',
      join(
        client.parse('', 'INSERT INTO t VALUES ($1)'),
        client.bind('', ['1']),
        client.execute(),
        client.parse('', 'INSERT INTO u VALUES ($1)'),
        client.bind('', ['2']),
        client.execute(),
        client.sync,
        client.query('SELECT 3'),
      ),
    ],
    [
      'server',
      join(
        server.parsed,
        server.bound,
        server.error('23505', 'duplicate'),
        server.ready(),
        server.columns([['c', 23]]),
        server.row('3'),
        server.complete('SELECT 1'),
        server.ready(),
      ),
    ],
  ],
  'COPY both ways, and what comes unasked': [
    ['client', client.query('COPY t FROM STDIN')],
    ['server', server.copyIn],
    ['client', join(client.copyData('1\n'), client.copyData('2\n'), client.copyDone)],
    ['server', join(server.complete('COPY 2'), server.ready())],
    ['server', server.notification('jobs', '17')],
    ['client', client.query('COPY t TO STDOUT')],
    [
      'server',
      join(
        server.copyOut,
        server.copyData('1\n'),
        server.setting('TimeZone', 'UTC'),
        server.copyDone,
        server.complete('COPY 1'),
        server.ready(),
      ),
    ],
  ],
  'a preparation that fails': [
    ['client', join(client.parse('bad', 'SELEKT'), client.describe('S', 'bad'), client.sync)],
    ['server', join(server.error('42601', 'syntax error'), server.ready())],
  ],
};

const expected: Record<string, [title: string, end: string, error: string | null][]> = {
  'simple queries': [
    ['SELECT ?; SELECT ? -> SELECT 1, SELECT 1', 'complete', null],
    ['(empty query) -> empty', 'complete', null],
    ['oops -> ERROR 42601', 'complete', 'ERROR 42601: syntax error'],
  ],
  'a statement prepared, then used twice': [
    [`prepare ${select}`, 'complete', null],
    [`${select} -> SELECT 1`, 'complete', null],
    [`${select} -> SELECT 0`, 'complete', null],
  ],
  'binary values and a portal in parts': [
    ['SELECT id FROM t WHERE id < $1 -> 1 rows and more', 'complete', null],
    ['SELECT id FROM t WHERE id < $1 -> SELECT 1', 'complete', null],
  ],
  'an error in a batch that was sent ahead': [
    ['INSERT INTO t VALUES ($1) -> ERROR 23505', 'complete', 'ERROR 23505: duplicate'],
    ['INSERT INTO u VALUES ($1) -> no answer', 'unanswered', null],
    ['SELECT ? -> SELECT 1', 'complete', null],
  ],
  'COPY both ways, and what comes unasked': [
    ['COPY t FROM STDIN -> COPY 2', 'complete', null],
    ['NOTIFY jobs', 'complete', null],
    ['COPY t TO STDOUT -> COPY 1', 'complete', null],
  ],
  'a preparation that fails': [
    ['prepare SELEKT -> 42601', 'complete', 'ERROR 42601: syntax error'],
  ],
};

const short = (one: Exchange) => [one.title, one.end, one.error];

describe('reading PostgreSQL', () => {
  for (const [name, said] of Object.entries(fixtures)) {
    it(`reads ${name}, whole and cut at every byte`, () => {
      const chunks = chunksOf([...start, ...said]);
      const whole = read(postgres, chunks);
      expect(whole.slice(1).map(short)).toEqual(expected[name]);
      expect(timeless(read(postgres, chunksOf([...start, ...said], 1)))).toEqual(timeless(whole));
      const longest = Math.max(...chunks.map((chunk) => chunk.bytes.length));
      for (let cut = 1; cut < longest; cut += 1) {
        expect(timeless(read(postgres, cutAfter(chunks, cut)))).toEqual(timeless(whole));
      }
    });
  }

  it('keeps the start without the password', () => {
    const [exchange] = read(postgres, chunksOf(start));
    expect(exchange).toMatchObject({
      title: 'connect to the default database',
      effect: 'control',
      request: { meaning: { kind: 'start', parameters: [['user', 'app']] } },
      response: { meaning: { authentication: 'md5', settings: [['server_version', '16.1']] } },
    });
    expect(JSON.stringify(exchange)).not.toContain('md5secret');
  });

  it('gives values, formats and types', () => {
    const said = fixtures['binary values and a portal in parts']!;
    const [, first, second] = read(postgres, chunksOf([...start, ...said]));
    expect(queryOf(first!)).toMatchObject({
      mode: 'extended',
      params: [{ type: 23, format: 'binary', value: { base64: 'AAAACQ==' } }],
      resultFormats: ['binary'],
      maxRows: 1,
    });
    expect(queryOf(second!)!.skippedRows).toBe(1);
    expect(answerOf(second!)!.results[0]!.rows).toEqual([[{ base64: 'AAAA/w==' }]]);
    expect(answerOf(second!)!.results[0]!.columns).toMatchObject([
      { name: 'id', format: 'binary' },
    ]);
    const prepared = fixtures['a statement prepared, then used twice']!;
    const exchanges = read(postgres, chunksOf([...start, ...prepared]));
    expect(prepareOf(exchanges[1]!)).toEqual({ kind: 'prepare', sql: select, types: [] });
    expect(answerOf(exchanges[2]!)!.results[0]!.columns).toMatchObject([{ name: 'name' }]);
  });

  it('knows a cancel request, TLS, and a refusal', () => {
    expect(read(postgres, chunksOf([['client', client.cancel]])).map(short)).toEqual([
      ['cancel request', 'complete', null],
    ]);
    const tls: Said[] = [
      ['client', client.ssl],
      ['server', 'S'],
      ['client', '\x16\x03\x01'],
    ];
    expect(read(postgres, chunksOf(tls)).map(short)).toEqual([['TLS', 'handed-over', null]]);
    const refused: Said[] = [
      ['client', client.start('app')],
      ['server', server.error('28P01', 'no')],
    ];
    expect(read(postgres, chunksOf(refused)).map((one) => one.error)).toEqual(['ERROR 28P01: no']);
  });
});

describe('what is not whole', () => {
  const query = (n: number): Said[] => [
    ['client', client.query(`SELECT ${n}`)],
    ['server', join(server.columns([['n', 23]]), server.row(String(n)))],
    ['server', join(server.complete('SELECT 1'), server.ready())],
  ];
  const sqlAndValue = (one: Exchange) => [
    one.end,
    queryOf(one)?.sql,
    answerOf(one)?.results[0]?.rows[0]?.[0],
  ];

  it('reports rows above the limit as a gap, and reads on', () => {
    const big: Said[] = [
      ['client', client.query('SELECT 1')],
      ['server', join(server.columns([['n', 25]]), server.row('x'.repeat(5000)))],
      ['server', join(server.row('y'), server.complete('SELECT 2'), server.ready())],
    ];
    const chunks = chunksOf([...start, ...big, ...query(2)], 100);
    expect(read(postgres, chunks, { bodyBytesMax: 1000 }).slice(1).map(sqlAndValue)).toEqual([
      ['gap', 'SELECT 1', undefined],
      ['complete', 'SELECT 2', '2'],
    ]);
  });

  it('stays in step over a gap inside a row', () => {
    const row = server.row('x'.repeat(500));
    const said: Said[] = [
      ...start,
      ['client', client.query('SELECT 1')],
      ['server', join(server.columns([['n', 25]]), row.subarray(0, 20))],
      ['server', row.subarray(20, 400)],
      ['server', join(row.subarray(400), server.complete('SELECT 1'), server.ready())],
      ...query(2),
    ];
    const chunks = chunksOf(said).filter((chunk) => chunk.bytes.length !== 380);
    expect(read(postgres, chunks).slice(1).map(sqlAndValue)).toEqual([
      ['gap', 'SELECT 1', undefined],
      ['complete', 'SELECT 2', '2'],
    ]);
  });

  it('forgets what names mean when the client said something unseen', () => {
    const said: Said[] = [
      ...start,
      ['client', join(client.parse('s', 'SELECT 1'), client.sync)],
      ['server', join(server.parsed, server.ready())],
      ['client', join(client.close('S', 's'), client.parse('s', 'SELECT 2'), client.sync)],
      ['server', join(server.closed, server.parsed, server.ready())],
      ...Array(2)
        .fill([
          ['client', join(client.bind('s', []), client.execute(), client.sync)],
          [
            'server',
            join(server.bound, server.row('2'), server.complete('SELECT 1'), server.ready()),
          ],
        ])
        .flat(),
      ...query(3),
    ];
    const chunks = chunksOf(said);
    const lost = chunks.filter((_, i) => i !== start.length + 2);
    const exchanges = read(postgres, lost).slice(1);
    expect(exchanges.map((one) => [one.end, queryOf(one)?.sql ?? null])).toEqual([
      ['gap', null],
      ['complete', 'SELECT 3'],
    ]);
    expect(postgres.question(exchanges[0]!)).toBeNull();
  });

  it('never pairs wrongly over lost chunks, nor throws over changed bytes', () => {
    let complete = 0;
    for (let seed = 1; seed <= 600; seed += 1) {
      const next = random(seed);
      const said = [...start];
      for (let n = 0; n < 6; n += 1) {
        if (next() < 0.5) said.push(...query(n));
        else {
          const sql = `SELECT ${n}`;
          said.push(
            [
              'client',
              join(client.parse('', sql), client.bind('', []), client.execute(), client.sync),
            ],
            ['server', join(server.parsed, server.bound, server.row(String(n)))],
            ['server', join(server.complete('SELECT 1'), server.ready())],
          );
        }
      }
      const chunks = chunksOf(said, 5 + Math.floor(next() * 60));
      const kept = chunks.filter(() => next() > 0.06);
      for (const exchange of read(postgres, kept)) {
        const sql = queryOf(exchange)?.sql;
        if (exchange.end !== 'complete' || sql == null) continue;
        complete += 1;
        const value = answerOf(exchange)!.results[0]!.rows[0]![0];
        expect(`SELECT ${value}`, `seed ${seed}`).toBe(sql);
      }
      for (const chunk of chunks) {
        if (next() < 0.1) chunk.bytes[Math.floor(next() * chunk.bytes.length)] = next() * 256;
        if (next() < 0.03) chunk.pos += Math.floor(next() * 20) - 5;
      }
      const ids = read(postgres, chunks).map((exchange) => exchange.id);
      expect(new Set(ids).size).toBe(ids.length);
    }
    expect(complete).toBeGreaterThan(600);
  });
});

describe('carrying state on', () => {
  it('lets a reader that joins later know statements and settings', () => {
    const before: Said[] = [
      ...start,
      ['client', client.query("SET app.tenant = '7'")],
      ['server', join(server.complete('SET'), server.ready())],
      ...fixtures['a statement prepared, then used twice']!.slice(0, 4),
    ];
    const after = fixtures['a statement prepared, then used twice']!.slice(4, 6);
    const chunks = chunksOf([...before, ...after]);
    const whole = read(postgres, chunks).at(-1)!;
    const first = postgres.reader(head, { bodyBytesMax: 1000 });
    for (const chunk of chunks.slice(0, before.length)) first.feed(chunk);
    const second = postgres.reader(head, { bodyBytesMax: 1000 });
    for (const chunk of first.carried()) second.carry!(chunk);
    expect(second.carried()).toEqual(first.carried());
    for (const chunk of chunks.slice(before.length)) second.feed(chunk);
    second.close(0);
    const joined = second.take();
    expect(joined).toHaveLength(1);
    expect(postgres.question(joined[0]!)).toEqual(postgres.question(whole));
    expect(queryOf(joined[0]!)!.session).toEqual(['database app as app', "set app . tenant = '7'"]);
  });

  it('reads a connection from its beginning whatever was carried to it', () => {
    const chunks = chunksOf([...start, ...fixtures['simple queries']!]);
    const whole = read(postgres, chunks);
    const first = postgres.reader(head, { bodyBytesMax: 1000 });
    for (const chunk of chunks) first.feed(chunk);
    const second = postgres.reader(head, { bodyBytesMax: 1 << 20 });
    for (const chunk of first.carried()) second.carry!(chunk);
    for (const chunk of chunks) second.feed(chunk);
    second.close(0);
    expect(timeless(second.take())).toEqual(timeless(whole));
  });
});

// The server half says, byte for byte, what a real server would, and never more than is recorded.
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import { chunksOf, head, random, read, type Said } from '../fake-wire.ts';
import type { Question, Reply } from '../protocol.ts';
import { client, join, server } from './fake-messages.ts';
import { postgres } from './postgres.ts';

const start: Said[] = [
  ['client', client.start('app')],
  ['server', join(server.ok, server.setting('server_version', '16.1'), server.key, server.ready())],
];
const select = 'SELECT name FROM t WHERE id = $1';
const insert = 'INSERT INTO t (name, kind) VALUES ($1, $2) RETURNING id, name, made, kind';
const update = 'UPDATE t SET name = $1 WHERE id = $2';

const execution = (sql: string, values: (string | null)[], ...answer: Buffer[]): Said[] => [
  [
    'client',
    join(
      client.parse('', sql),
      client.bind('', values),
      client.describe('P', ''),
      client.execute(),
      client.sync,
    ),
  ],
  ['server', join(server.parsed, server.bound, ...answer, server.ready())],
];
const returned = server.columns([
  ['id', 23],
  ['name', 25],
  ['made', 1114],
  ['kind', 25],
]);
const recorded = read(
  postgres,
  chunksOf([
    ...start,
    ['client', join(client.parse('s', select), client.describe('S', 's'), client.sync)],
    [
      'server',
      join(server.parsed, server.parameters([23]), server.columns([['name', 25]]), server.ready()),
    ],
    ['client', join(client.bind('s', ['7']), client.execute(), client.sync)],
    ['server', join(server.bound, server.row('x'), server.complete('SELECT 1'), server.ready())],
    ...execution(
      insert,
      ['ada', 'a'],
      returned,
      server.row('4', 'ada', '2026-01-01 00:00:00', 'a'),
      server.complete('INSERT 0 1'),
    ),
    ...execution(
      insert,
      ['bob', 'a'],
      returned,
      server.row('9', 'bob', '2026-01-03 00:00:00', 'a'),
      server.complete('INSERT 0 1'),
    ),
    ...execution(update, ['x', '1'], server.noData, server.complete('UPDATE 1')),
    ...execution(update, ['y', '2'], server.noData, server.complete('UPDATE 1')),
    ['client', join(client.parse('bad', 'SELEKT'), client.sync)],
    ['server', join(server.error('42601', 'syntax error'), server.ready())],
    ['client', client.query('COPY t FROM STDIN')],
    ['server', server.copyIn],
    ['client', join(client.copyData('1\n'), client.copyData('2\n'), client.copyDone)],
    ['server', join(server.complete('COPY 2'), server.ready())],
  ]),
);

function worldOf(exchanges: Exchange[] = recorded) {
  const asked: Question[] = [];
  const assumed: string[] = [];
  const synthesised: string[] = [];
  const known = exchanges.map((one) => ({ one, question: postgres.question(one) }));
  const ask = (question: Question): Reply => {
    asked.push(question);
    const equal = known.find((k) => k.question?.normalisedKey === question.normalisedKey);
    if (equal !== undefined) return { kind: 'recorded', exchange: equal.one };
    const alike = known.filter((k) => k.question?.formKey === question.formKey);
    if (question.effect === 'write' && alike.length > 0) {
      return { kind: 'assumed', examples: alike.map((k) => k.one) };
    }
    return { kind: 'none', explanation: 'nothing like it' };
  };
  const answerer = postgres.answerer({
    head,
    recorded: exchanges,
    ask,
    synthesised: (title) => synthesised.push(title),
    assumed: (names) => assumed.push(...names),
  });
  const receive = (...bytes: Buffer[]) => Buffer.concat(answerer.receive(join(...bytes)));
  return { asked, assumed, synthesised, answerer, receive };
}

/** A world in which the connection has started. */
function started(exchanges: Exchange[] = recorded) {
  const world = worldOf(exchanges);
  world.receive(client.start('app'));
  return world;
}

const run = (sql: string, values: string[]) => execution(sql, values)[0]![1] as Buffer;
const refusal = (message: string, hint?: string) =>
  new RegExp(`XX000.*${message}${hint ? `.*${hint}` : ''}`, 's');

describe('answering PostgreSQL', () => {
  it('starts as recorded, without asking for a password', () => {
    const world = worldOf();
    expect(world.receive(client.ssl).toString()).toBe('N');
    expect(world.receive(client.gss).toString()).toBe('N');
    expect(world.receive(client.start('app'))).toEqual(start[1]![1]);
    expect(world.receive(client.terminate)).toHaveLength(0);
    expect(world.answerer.closing).toBe(true);
    const fresh = worldOf([]);
    expect(fresh.receive(client.start('other')).toString()).toContain('server_encoding');
  });

  it('answers a statement whatever its name and however it was prepared', () => {
    const world = started();
    const prepared = world.receive(
      join(client.parse('other', `${select} /* id=1 */`), client.describe('S', 'other')),
      client.flush,
    );
    expect(prepared).toEqual(
      join(server.parsed, server.parameters([23]), server.columns([['name', 25]])),
    );
    const answer = world.receive(client.bind('other', ['7']), client.execute(), client.sync);
    expect(answer).toEqual(
      join(server.bound, server.row('x'), server.complete('SELECT 1'), server.ready()),
    );
    expect(world.asked).toHaveLength(1);
  });

  it('does not answer for other values, types or formats, and recovers', () => {
    const world = started();
    const wrong: Buffer[] = [
      join(client.parse('', select), client.bind('', ['8'])),
      join(client.parse('', select, [20]), client.bind('', ['7'])),
      join(client.parse('', select), client.bind('', ['7'], { results: [1] })),
      join(client.parse('', select), client.bind('', [Buffer.from('7')], { formats: [1] })),
      join(client.parse('', select), client.bind('', [null])),
    ];
    for (const asked of wrong) {
      const answer = world.receive(asked, client.execute(), client.sync).toString('latin1');
      expect(answer).toMatch(refusal('fixpoint: not in the recording', 'nothing like it'));
      expect(answer.endsWith('Z\0\0\0\x05I')).toBe(true);
    }
    const right = world.receive(client.parse('', select), client.bind('', ['7']), client.execute());
    expect(right.toString()).toContain('SELECT 1');
  });

  it('keeps the transaction as the server would', () => {
    const world = started();
    const say = (sql: string) => world.receive(client.query(sql));
    expect(say('BEGIN')).toEqual(join(server.complete('BEGIN'), server.ready('T')));
    expect(say('SELECT 99').toString('latin1')).toMatch(/XX000[\s\S]*Z\0\0\0\x05E$/);
    expect(say('SELECT 99').toString('latin1')).toMatch(/25P02[\s\S]*Z\0\0\0\x05E$/);
    expect(world.receive(run(select, ['7'])).toString('latin1')).toMatch(
      /25P02[\s\S]*Z\0\0\0\x05E$/,
    );
    expect(say('ROLLBACK TO SAVEPOINT s')).toEqual(
      join(server.complete('ROLLBACK'), server.ready('T')),
    );
    expect(say('SELECT 99').toString('latin1')).toMatch(/Z\0\0\0\x05E$/);
    expect(say('COMMIT')).toEqual(join(server.complete('ROLLBACK'), server.ready('I')));
    const extended = world.receive(
      client.parse('', 'begin'),
      client.bind('', []),
      client.describe('P', ''),
      client.execute(),
      client.sync,
    );
    expect(extended).toEqual(
      join(server.parsed, server.bound, server.noData, server.complete('BEGIN'), server.ready('T')),
    );
    expect(world.asked.map((question) => question.title)).toEqual(['SELECT ?', 'SELECT ?']);
  });

  it('says that all of it is made up where there is one sibling only', () => {
    let kept = 0;
    const isFirst = ({ title }: Exchange) => !title.startsWith('INSERT') || kept++ === 0;
    const world = started(recorded.filter(isFirst));
    world.receive(run(insert, ['cleo', 'a']));
    expect(world.assumed.length).toBeGreaterThan(2);
    expect(world.assumed).toEqual(expect.arrayContaining(['id', 'name', 'made']));
  });

  it('acknowledges an unrecorded write in the shape of its siblings', () => {
    const world = started();
    const inserted = world.receive(run(insert, ['cleo', 'a']));
    expect(inserted).toEqual(
      join(
        server.parsed,
        server.bound,
        returned,
        server.row('10', 'cleo', '2026-01-03 00:00:00', 'a'),
        server.complete('INSERT 0 1'),
        server.ready(),
      ),
    );
    expect(world.assumed).toEqual(['id', 'made']);
    const updated = world.receive(run(update, ['z', '3']));
    expect(updated.toString()).toContain('UPDATE 1');
  });

  it('describes a portal before it is executed, when it is asked to', () => {
    const world = started();
    const asked = join(client.parse('', select), client.bind('', ['7']), client.describe('P', ''));
    expect(world.receive(asked)).toEqual(join(server.parsed, server.bound));
    expect(world.receive(client.flush)).toEqual(server.columns([['name', 25]]));
    const rest = world.receive(client.execute(), client.close('P', ''), client.sync);
    expect(rest).toEqual(
      join(server.row('x'), server.complete('SELECT 1'), server.closed, server.ready()),
    );
  });

  it('gives recorded errors of preparing, and its own for what does not exist', () => {
    const world = started();
    const bad = world.receive(client.parse('b', 'SELEKT'), client.sync).toString();
    expect(bad).toContain('42601');
    for (const [asked, code] of [
      [client.bind('nope', []), '26000'],
      [client.execute('nope'), '34000'],
      [client.describe('P', 'nope'), '34000'],
      [join(client.parse('', 'SELECT unknown'), client.describe('S', '')), 'XX000'],
    ] as const) {
      const answer = world.receive(asked, client.execute(), client.sync).toString('latin1');
      expect(answer).toContain(code);
      expect(answer.endsWith('Z\0\0\0\x05I')).toBe(true);
    }
  });

  it('takes COPY data as part of the question', () => {
    const world = started();
    const copy = client.query('COPY t FROM STDIN');
    expect(world.receive(copy)).toEqual(server.copyIn);
    const done = world.receive(client.copyData('1\n'), client.copyData('2\n'), client.copyDone);
    expect(done).toEqual(join(server.complete('COPY 2'), server.ready()));
    world.receive(copy);
    const other = world.receive(client.copyData('3\n'), client.copyDone).toString();
    expect(other).not.toContain('COPY 2\0Z');
    expect(world.asked[0]!.normalisedKey).not.toBe(world.asked[1]!.normalisedKey);
  });

  it('is the same however the bytes are cut', () => {
    const all = join(
      client.ssl,
      client.start('app'),
      client.query('BEGIN'),
      run(insert, ['ada', 'a']),
      client.query('COMMIT'),
      run(select, ['7']),
    );
    const whole = worldOf().receive(all);
    const single = worldOf();
    const pieces = [...all].map((byte) => single.receive(Buffer.from([byte])));
    expect(Buffer.concat(pieces)).toEqual(whole);
  });

  it('never throws, whatever the client sends', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const next = random(seed);
      const world = next() < 0.5 ? started() : worldOf();
      for (const part of [run(insert, ['a', 'b']), client.query('BEGIN; x'), run(select, ['7'])]) {
        const bytes = Buffer.from(part);
        for (let i = 0; i < 3; i += 1) bytes[Math.floor(next() * bytes.length)] = next() * 256;
        world.receive(bytes.subarray(0, Math.floor(next() * bytes.length)));
        world.receive(bytes.subarray(Math.floor(next() * bytes.length)));
      }
    }
  });
});

describe('questions of PostgreSQL', () => {
  it('are the same in simple and extended protocol, and for other comments', () => {
    const answer = [server.columns([['a', 23]]), server.row('1'), server.complete('SELECT 1')];
    const simple = read(
      postgres,
      chunksOf([
        ...start,
        ['client', client.query('SELECT a\n FROM t -- 1')],
        ['server', join(...answer, server.ready())],
        ...execution('SELECT a FROM t', [], ...answer),
      ]),
    );
    const [, one, two] = simple.map((exchange) => postgres.question(exchange));
    expect(one!.normalisedKey).toBe(two!.normalisedKey);
    expect(one!.exactKey).not.toBe(two!.exactKey);
    expect(postgres.question(simple[0]!)).toBeNull();
  });

  it('differ in a field wherever they differ at all', () => {
    const asked: [Buffer, Buffer][] = [
      [client.parse('', select), client.bind('', ['7'])],
      [client.parse('', select), client.bind('', ['8'])],
      [client.parse('', select), client.bind('', [null])],
      [client.parse('', select), client.bind('', ['NULL'])],
      [client.parse('', select, [23]), client.bind('', ['7'])],
      [client.parse('', select), client.bind('', ['7'], { formats: [1] })],
      [client.parse('', select), client.bind('', ['7'], { results: [1] })],
    ];
    const fields = asked.map((messages) => {
      const world = started();
      world.receive(...messages, client.execute(), client.sync);
      return JSON.stringify(world.asked[0]!.fields);
    });
    expect(new Set(fields).size).toBe(asked.length);
  });

  it('differ by database and user', () => {
    const asked = ['a', 'b'].map((user) => {
      const said: Said[] = [
        ['client', client.start(user)],
        start[1]!,
        ...execution('SELECT a FROM t', [], server.noData, server.complete('SELECT 0')),
      ];
      return postgres.question(read(postgres, chunksOf(said)).at(-1)!)!;
    });
    expect(asked[0]!.normalisedKey).not.toBe(asked[1]!.normalisedKey);
    expect(asked[0]!.formKey).toBe(asked[1]!.formKey);
  });

  it('differ by settings that shape the answer', () => {
    const tenant = (value: string): Said[] => [
      ['client', client.query(`SET LOCAL app.tenant = '${value}'`)],
      ['server', join(server.complete('SET'), server.ready())],
      ...execution('SELECT a FROM t', [], server.noData, server.complete('SELECT 0')),
    ];
    const said = [...start, ...tenant('a'), ...tenant('b'), ...tenant('a')];
    const keys = read(postgres, chunksOf(said))
      .map((exchange) => postgres.question(exchange)?.normalisedKey)
      .filter((key) => key !== undefined);
    expect(keys[0]).toBe(keys[2]);
    expect(keys[0]).not.toBe(keys[1]);
  });
});

describe('detecting PostgreSQL', () => {
  const peek = (asked: Uint8Array | string, answered: Uint8Array | string = '', port = 5432) =>
    postgres.detect({
      transport: 'tcp',
      serverPort: port,
      client: Buffer.from(asked as string),
      server: Buffer.from(answered as string),
    });

  it('knows its start on any port', () => {
    for (const first of [client.ssl, client.gss, client.start('a'), client.cancel]) {
      expect(peek(first, '', 1)).toBe('yes');
      expect(peek(first.subarray(0, 3), '', 1)).toBe('more');
    }
  });

  it('knows its middle by both sides, or by its port', () => {
    expect(peek(client.query('SELECT 1'), server.columns([]), 1)).toBe('yes');
    expect(peek(client.query('SELECT 1'), 'HTTP/1.1', 1)).toBe('no');
    expect(peek('GET / HTTP/1.1\r\n', '', 1)).toBe('no');
    expect(peek('', 'SSH-2.0-OpenSSH', 1)).toBe('no');
    expect(peek('\x16\x03\x01\x02\x00\x01\x00\x01', '', 1)).toBe('no');
  });
});

// Test bytes are written out by hand after https://www.rfc-editor.org/rfc/rfc9112
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import type { Chunk } from '../../domain/wire.ts';
import { chunksOf, cutAfter, random, read, type Said, timeless } from '../fake-wire.ts';
import { http1 } from './http1.ts';
import { bodyBytes, requestOf, responseOf } from './message.ts';

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${more}\r\n`;
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const fixtures: Record<string, Said[]> = {
  'keep-alive': [
    ['client', get('/a')],
    ['server', ok('one')],
    ['client', post('/b', '{"x":1}')],
    ['server', 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'],
  ],
  pipelining: [
    ['client', get('/1') + post('/2', 'two') + get('/3')],
    ['server', ok('1') + ok('22')],
    ['server', ok('333')],
  ],
  'chunked with trailers': [
    [
      'client',
      'PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n',
    ],
    ['server', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
    ['client', get('/d')],
    ['server', ok('d')],
  ],
  '100-continue': [
    ['client', 'POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'],
    ['server', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['client', 'hello'],
    ['server', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok('done')}`],
  ],
  'answers without a body': [
    ['client', `HEAD /f HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['server', 'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n'],
    ['client', 'DELETE /g HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['server', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['client', get('/h', 'If-None-Match: "1"\r\n')],
    ['server', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 17\r\n\r\n'],
    ['client', get('/i')],
    ['server', ok('after')],
  ],
  'until the close': [
    ['client', get('/j')],
    ['server', 'HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of '],
    ['server', 'this'],
  ],
  'refused upgrade': [
    ['client', get('/k', 'Connection: upgrade\r\nUpgrade: h2c\r\n')],
    ['server', ok('no')],
    ['client', get('/l')],
    ['server', ok('yes')],
  ],
  'absolute form and blank lines': [
    ['client', '\r\nGET http://b.example:81/m?q=s HTTP/1.1\r\nHost: b.example:81\r\n\r\n\r\n'],
    ['server', ok('m')],
    ['client', get('/n')],
    ['server', ok('n')],
  ],
};

const short = (exchange: Exchange) => {
  const request = requestOf(exchange);
  const response = responseOf(exchange);
  const text = (body: Parameters<typeof bodyBytes>[0]) =>
    body === null ? null : new TextDecoder().decode(bodyBytes(body));
  return [
    exchange.end,
    request && `${request.method} ${request.target}`,
    request && text(request.body),
    response?.status ?? null,
    response && text(response.body),
  ];
};

const expected: Record<string, unknown[]> = {
  'keep-alive': [
    ['complete', 'GET /a', '', 200, 'one'],
    ['complete', 'POST /b', '{"x":1}', 503, ''],
  ],
  pipelining: [
    ['complete', 'GET /1', '', 200, '1'],
    ['complete', 'POST /2', 'two', 200, '22'],
    ['complete', 'GET /3', '', 200, '333'],
  ],
  'chunked with trailers': [
    ['complete', 'PUT /c', 'Wikipedia', 200, 'abc'],
    ['complete', 'GET /d', '', 200, 'd'],
  ],
  '100-continue': [['complete', 'POST /e', 'hello', 200, 'done']],
  'answers without a body': [
    ['complete', 'HEAD /f', '', 200, ''],
    ['complete', 'DELETE /g', '', 204, ''],
    ['complete', 'GET /h', '', 304, ''],
    ['complete', 'GET /i', '', 200, 'after'],
  ],
  'until the close': [['complete', 'GET /j', '', 200, 'all of this']],
  'refused upgrade': [
    ['complete', 'GET /k', '', 200, 'no'],
    ['complete', 'GET /l', '', 200, 'yes'],
  ],
  'absolute form and blank lines': [
    ['complete', 'GET http://b.example:81/m?q=s', '', 200, 'm'],
    ['complete', 'GET /n', '', 200, 'n'],
  ],
};

describe('reading HTTP/1.1', () => {
  for (const [name, said] of Object.entries(fixtures)) {
    it(`reads ${name}, whole and cut at every byte`, () => {
      const whole = read(http1, chunksOf(said));
      expect(whole.map(short)).toEqual(expected[name]);
      expect(timeless(read(http1, chunksOf(said, 1)))).toEqual(timeless(whole));
      const longest = Math.max(...chunksOf(said).map((chunk) => chunk.bytes.length));
      for (let cut = 1; cut < longest; cut += 1) {
        const chunks = cutAfter(chunksOf(said), cut);
        expect(timeless(read(http1, chunks))).toEqual(timeless(whole));
      }
    });
  }

  it('says where each half stands in its stream', () => {
    const said = fixtures.pipelining!;
    const [first, second] = read(http1, chunksOf(said));
    expect(first!.request!.range).toEqual({ start: 0, end: get('/1').length });
    expect(second!.request!.range.start).toBe(get('/1').length);
    expect(second!.response!.range).toEqual({
      start: ok('1').length,
      end: ok('1').length + ok('22').length,
    });
    expect(first!.id).toBe('c1/1');
    expect(first!.serverName).toBe('a.example');
  });

  it('names errors and keeps query values out of titles', () => {
    const said: Said[] = [
      ['client', get('/p?token=s3cret&n=1')],
      ['server', 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'],
    ];
    const [exchange] = read(http1, chunksOf(said));
    expect(exchange!.error).toBe('500 Internal Server Error');
    expect(exchange!.title).toBe('GET /p?token=…&n=… -> 500 (0 B)');
    expect(exchange!.effect).toBe('read');
  });

  it('hands an accepted upgrade over', () => {
    const said: Said[] = [
      ['client', get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')],
      [
        'server',
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      ],
      ['client', 'GET /not HTTP/1.1\r\n\r\n'],
      ['server', ok('not')],
    ];
    for (const cut of [1, 7, 10_000]) {
      const exchanges = read(http1, chunksOf(said, cut));
      expect(exchanges.map(short)).toEqual([['handed-over', 'GET /ws', '', 101, '']]);
    }
  });

  it('keeps binary bodies as they are', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const said: Said[] = [
      ['client', get('/bin')],
      ['server', 'HTTP/1.1 200 OK\r\nContent-Length: 256\r\n\r\n'],
      ['server', bytes],
    ];
    const [exchange] = read(http1, chunksOf(said, 100));
    expect([...bodyBytes(responseOf(exchange!)!.body)]).toEqual([...bytes]);
  });
});

describe('what is not whole', () => {
  it('ends what is open when the connection or the recording ends', () => {
    const cut: Said[] = [
      ['client', get('/a')],
      ['server', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour'],
    ];
    expect(read(http1, chunksOf(cut)).map(short)).toEqual([
      ['unanswered', 'GET /a', '', 200, null],
    ]);
    const untilClose = chunksOf(fixtures['until the close']!);
    expect(read(http1, untilClose, { open: true })[0]!.end).toBe('unanswered');
  });

  it('reports a body above the limit as a gap, and reads on', () => {
    const said: Said[] = [
      ['client', get('/big')],
      ['server', ok('x'.repeat(5000))],
      ['client', get('/small')],
      ['server', ok('y')],
    ];
    expect(read(http1, chunksOf(said, 512), { bodyBytesMax: 1000 }).map(short)).toEqual([
      ['gap', 'GET /big', '', 200, null],
      ['complete', 'GET /small', '', 200, 'y'],
    ]);
  });

  it('stays in step over a gap inside a sized body (sendfile)', () => {
    const said: Said[] = [
      ['client', get('/file')],
      ['server', 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n'],
      ['server', 'z'.repeat(5000)],
      ['client', get('/next')],
      ['server', ok('next')],
    ];
    const chunks = chunksOf(said);
    const reader = http1.reader(
      { ...headOf(chunks), direction: 'inbound' },
      { bodyBytesMax: 10_000 },
    );
    for (const chunk of chunks) {
      if (chunk.bytes.length !== 5000) reader.feed(chunk);
      else reader.skip({ from: 'server', pos: chunk.pos, length: 5000, reason: 'sendfile' });
    }
    reader.close(1);
    expect(reader.take().map(short)).toEqual([
      ['gap', 'GET /file', '', 200, null],
      ['complete', 'GET /next', '', 200, 'next'],
    ]);
  });

  it('calls other bytes malformed', () => {
    for (const bad of [
      'GET /a HTTP/1.1\r\nContent-Length: x\r\n\r\n',
      'hello world\r\n\r\n',
      'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ]) {
      const exchanges = read(http1, chunksOf([['client', bad]]));
      expect(exchanges.map((one) => one.end)).toEqual(['malformed']);
    }
    const answer = read(
      http1,
      chunksOf([
        ['client', get('/a')],
        ['server', 'nonsense\r\n'],
      ]),
    );
    expect(answer.map((one) => one.end)).toEqual(['malformed']);
  });

  it('joins in the middle of a connection', () => {
    const chunks = chunksOf([
      ['client', post('/old', 'abc')],
      ['server', ok('old')],
      ['client', get('/new')],
      ['server', ok('new')],
      ['client', get('/newer')],
      ['server', ok('newer')],
    ]);
    const whole = [
      ['complete', 'GET /new', '', 200, 'new'],
      ['complete', 'GET /newer', '', 200, 'newer'],
    ];
    for (const from of [1, 2]) {
      expect(read(http1, chunks.slice(from)).map(short)).toEqual(whole);
    }
  });

  it('does not take a body for a request after a gap', () => {
    const smuggled = post('/upload', get('/admin') + get('/admin'));
    const chunks = chunksOf([
      ['client', get('/a')],
      ['server', ok('a')],
      ['client', smuggled.slice(0, 40)],
      ['client', smuggled.slice(40)],
      ['server', ok('uploaded')],
      ['client', get('/b')],
      ['server', ok('b')],
    ]);
    const bodyAt = smuggled.indexOf('\r\n\r\n') + 4;
    const lost = chunks.flatMap((chunk, i) => {
      if (i === 2) return [];
      if (i !== 3) return [chunk];
      const drop = bodyAt - 40;
      return [{ ...chunk, pos: chunk.pos + drop, bytes: chunk.bytes.slice(drop) }];
    });
    expect(read(http1, lost).map(short)).toEqual([
      ['complete', 'GET /a', '', 200, 'a'],
      ['complete', 'GET /b', '', 200, 'b'],
    ]);
  });
});

describe('fuzzing', () => {
  /** Every answer names its request, so that a wrong pair is seen. */
  function conversation(next: () => number): Said[] {
    const said: Said[] = [];
    const count = 2 + Math.floor(next() * 5);
    for (let i = 0; i < count; i += 1) {
      const size = Math.floor(next() * 60);
      const body = 'b'.repeat(size);
      said.push(['client', next() < 0.5 ? get(`/r${i}`) : post(`/r${i}`, body)]);
      const answer = `r${i};${'a'.repeat(Math.floor(next() * 60))}`;
      const chunked =
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `${answer.length.toString(16)}\r\n${answer}\r\n0\r\n\r\n`;
      said.push(['server', next() < 0.3 ? chunked : ok(answer)]);
    }
    return said;
  }

  it('never pairs wrongly over lost chunks', () => {
    let complete = 0;
    for (let seed = 1; seed <= 1500; seed += 1) {
      const next = random(seed);
      const chunks = chunksOf(conversation(next), 5 + Math.floor(next() * 100));
      const kept = chunks.filter(() => next() > 0.08);
      for (const exchange of read(http1, kept)) {
        if (exchange.end !== 'complete' || exchange.request === null) continue;
        complete += 1;
        const asked = requestOf(exchange)!.target.slice(1);
        const answer = new TextDecoder().decode(bodyBytes(responseOf(exchange)!.body));
        expect(answer.split(';')[0], `seed ${seed}`).toBe(asked);
      }
    }
    expect(complete).toBeGreaterThan(1500);
  });

  it('never throws, whatever the bytes, and ends every exchange once', () => {
    for (let seed = 1; seed <= 1500; seed += 1) {
      const next = random(seed);
      const chunks: Chunk[] = chunksOf(conversation(next), 1 + Math.floor(next() * 80));
      for (const chunk of chunks) {
        if (next() < 0.05) chunk.bytes[Math.floor(next() * chunk.bytes.length)] = next() * 256;
        if (next() < 0.03) chunk.pos += Math.floor(next() * 20) - 5;
      }
      if (next() < 0.2) chunks.reverse();
      const ids = read(http1, chunks).map((exchange) => exchange.id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });
});

function headOf(_chunks: Chunk[]) {
  return {
    id: 'c1',
    direction: 'outbound' as const,
    transport: 'tcp' as const,
    client: { address: '10.0.0.2', port: 1 },
    server: { address: '10.0.0.3', port: 80 },
    serverName: null,
  };
}

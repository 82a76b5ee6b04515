// The oracle is Node's own HTTP client over a real socket.
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import { chunksOf, head, random, read, type Said } from '../fake-wire.ts';
import type { Question, Reply } from '../protocol.ts';
import { requestBytes } from './encode.ts';
import { http1 } from './http1.ts';
import { bodyBytes, requestOf, responseOf } from './message.ts';
import { readResponse } from './response.ts';

const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;
const json = (status: string, body: string) =>
  `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const said: Said[] = [
  [
    'client',
    'GET /a?x=1 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: tool/1.0\r\nAccept: */*\r\n\r\n',
  ],
  ['server', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n'],
  ['server', '5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'],
  ['client', 'HEAD /h HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ['server', 'HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n'],
  ['client', post('/orders', '{"item":"x","qty":1}')],
  ['server', json('201 Created', '{"id":7,"item":"x","qty":1,"at":"2026-01-01T00:00:00Z"}')],
  ['client', post('/orders', '{"item":"y","qty":2}')],
  ['server', json('201 Created', '{"id":9,"item":"y","qty":2,"at":"2026-01-02T00:00:00Z"}')],
  ['client', 'GET /close HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ['server', 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nuntil the end'],
];
const recorded = read(http1, chunksOf(said));

interface World {
  asked: Question[];
  assumed: string[];
  receive(bytes: string): string;
  closing(): boolean;
}

/** Answers from the recording by the normalised key; writes of a known form are assumed. */
function worldOf(exchanges: Exchange[] = recorded): World {
  const asked: Question[] = [];
  const assumed: string[] = [];
  const ask = (question: Question): Reply => {
    asked.push(question);
    const known = exchanges.map((one) => ({ one, q: http1.question(one) }));
    const found = known.find(({ q }) => q?.normalisedKey === question.normalisedKey);
    if (found !== undefined) return { kind: 'recorded', exchange: found.one };
    const alike = known.filter(({ q }) => q?.formKey === question.formKey);
    if (question.effect === 'write' && alike.length > 0) {
      return { kind: 'assumed', examples: alike.map(({ one }) => one) };
    }
    return { kind: 'none', explanation: 'nearest: GET /a, query differs' };
  };
  const answerer = http1.answerer({
    head,
    recorded: exchanges,
    ask,
    synthesised: () => {},
    assumed: (names) => assumed.push(...names),
  });
  return {
    asked,
    assumed,
    receive: (bytes) =>
      Buffer.concat(answerer.receive(Buffer.from(bytes, 'latin1'))).toString('latin1'),
    closing: () => answerer.closing,
  };
}

describe('answering HTTP/1.1', () => {
  it('sends what was recorded, framed as recorded', () => {
    const world = worldOf();
    const asked = requestBytes(recorded[0]!)!;
    const answer = world.receive(Buffer.from(asked).toString('latin1'));
    const again = read(
      http1,
      chunksOf([
        ['client', asked],
        ['server', answer],
      ]),
    );
    expect(again[0]!.response!.meaning).toEqual(recorded[0]!.response!.meaning);
    expect(world.closing()).toBe(false);
  });

  it('answers in order what comes in any pieces', () => {
    const world = worldOf();
    const both = said[3]![1] + post('/orders', '{"qty":1,"item":"x"}');
    const answers = [...(both as string)].map((byte) => world.receive(byte)).join('');
    expect(answers).toBe(`${said[4]![1]}${said[6]![1]}`);
    expect(world.asked.map((question) => question.title)).toEqual(['HEAD /h', 'POST /orders']);
  });

  it('answers 502 with the reason to what was not recorded, and stays open', () => {
    const world = worldOf();
    const answer = world.receive('GET /a?x=2 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(answer).toContain('fixpoint: not in the recording');
    expect(answer).toContain('query differs');
    expect(world.closing()).toBe(false);
    expect(world.receive(said[3]![1] as string)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('acknowledges an unrecorded write in the shape of its siblings', () => {
    const world = worldOf();
    const answer = world.receive(post('/orders', '{"item":"z","qty":5}'));
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
    expect(body).toEqual({ id: 10, item: 'z', qty: 5, at: '2026-01-02T00:00:00Z' });
    expect(world.assumed).toEqual(['body.id', 'body.at']);
    expect(answer).toContain(`Content-Length: ${JSON.stringify(body).length}`);
  });

  it('says 100 Continue, closes after a body without an end, refuses other bytes', () => {
    const world = worldOf();
    const body = '{"item":"x","qty":1}';
    const first = post('/orders', body).replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n');
    const at = first.length - body.length;
    expect(world.receive(first.slice(0, at))).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(world.receive(first.slice(at))).toMatch(/^HTTP\/1\.1 201 /);
    expect(world.receive(said[9]![1] as string)).toContain('until the end');
    expect(world.closing()).toBe(true);
    const other = worldOf();
    expect(other.receive('\x16\x03\x01\x02\x00 hello\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(other.closing()).toBe(true);
  });
});

describe('hostile bytes', () => {
  it('never make the answerer or the client throw', () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const next = random(seed);
      const spoil = (text: string) => {
        const bytes = Buffer.from(text);
        for (let i = 0; i < 3; i += 1) bytes[Math.floor(next() * bytes.length)] = next() * 256;
        return bytes.subarray(Math.floor(next() * 4));
      };
      const world = worldOf();
      for (const [from, what] of said) {
        if (from === 'client') world.receive(spoil(what as string).toString('latin1'));
        else {
          const reader = readResponse(next() < 0.1 ? 'HEAD' : 'GET', { bodyBytesMax: 20 });
          reader.feed(spoil(what as string));
          expect(reader.close().kind).not.toBe('reading');
        }
      }
    }
  });

  it('are bounded: a head, trailers and chunk sizes without an end are refused', () => {
    const long = 'x'.repeat(300_000);
    for (const head of [
      `GET / HTTP/1.1\r\nA: ${long}`,
      `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ${long}`,
      `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;${long}`,
    ]) {
      expect(worldOf().receive(head)).toMatch(/^HTTP\/1\.1 400 /);
    }
  });
});

describe('questions', () => {
  const ask = (text: string) => {
    const exchange = read(
      http1,
      chunksOf([
        ['client', text],
        ['server', json('200 OK', '{}')],
      ]),
    )[0]!;
    return http1.question(exchange)!;
  };
  const get = (target: string, headers = '') =>
    `GET ${target} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

  it('normalise what is declared and nothing else', () => {
    const base = ask(get('/x?id=1', 'User-Agent: tool/1.0\r\nX: 1\r\n'));
    const moved = ask(get('/x?id=1', 'x: 1\r\nTraceparent: 00-1\r\nuser-agent: tool/2.0\r\n'));
    expect(moved.normalisedKey).toBe(base.normalisedKey);
    expect(moved.exactKey).not.toBe(base.exactKey);
    for (const other of [
      get('/x?id=2', 'User-Agent: tool/1.0\r\nX: 1\r\n'),
      get('/y?id=1', 'User-Agent: tool/1.0\r\nX: 1\r\n'),
      get('/x?id=1', 'User-Agent: tool/1.0\r\nX: 2\r\n'),
      get('/x?id=1', 'User-Agent: tool/1.0\r\n'),
      get('/x?id=1', 'User-Agent: tool/1.0\r\nX: 1\r\nAuthorization: Bearer 1\r\n'),
    ]) {
      expect(ask(other).normalisedKey).not.toBe(base.normalisedKey);
    }
  });

  it('take JSON for equal whatever the order of its keys, numbers as written', () => {
    const key = (body: string) => ask(post('/j', body)).normalisedKey;
    expect(key('{"a":1,"b":[1,{"c":2,"d":3}]}')).toBe(key('{ "b":[1,{"d":3,"c":2}], "a":1 }'));
    expect(key('{"a":9007199254740993}')).not.toBe(key('{"a":9007199254740992}'));
    expect(key('[["a",1]]')).not.toBe(key('{"a":1}'));
    expect(key('[1,2]')).not.toBe(key('[2,1]'));
  });

  it('differ in a field wherever they differ at all', () => {
    const bodies = ['{"a":9007199254740993}', '{"a":9007199254740992}', '[]', '{}', '"x"', 'x'];
    const fields = bodies.map((body) => JSON.stringify(ask(post('/j', body)).fields));
    expect(new Set(fields).size).toBe(bodies.length);
  });

  it('have a form by method and route', () => {
    expect(ask(get('/orders/7?x=1')).formKey).toBe(ask(get('/orders/8')).formKey);
    expect(ask(get('/orders/7')).formKey).not.toBe(ask(get('/users/7')).formKey);
  });
});

describe('as a client', () => {
  it('reads a response cut anywhere', () => {
    const bytes = Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${json('200 OK', '{"a":1}')}rest`);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const reader = readResponse('GET');
      const first = reader.feed(bytes.subarray(0, cut));
      const state = first.kind === 'reading' ? reader.feed(bytes.subarray(cut)) : first;
      if (state.kind !== 'done') throw new Error(`${state.kind} at ${cut}`);
      expect(state.response.status).toBe(200);
      expect(state.response.interim.map((one) => one.status)).toEqual([100]);
      expect(Buffer.from(bodyBytes(state.response.body)).toString()).toBe('{"a":1}');
    }
  });

  it('knows bodies that end with the connection, and answers that are cut', () => {
    const open = readResponse('GET');
    expect(open.feed(Buffer.from('HTTP/1.1 200 OK\r\n\r\nabc')).kind).toBe('reading');
    expect(open.close()).toMatchObject({ kind: 'done', response: { body: { data: 'abc' } } });
    const cut = readResponse('GET');
    cut.feed(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'));
    expect(cut.close()).toEqual({
      kind: 'broken',
      reason: 'connection closed inside the response',
    });
    expect(readResponse('GET').close().kind).toBe('broken');
    expect(readResponse('GET').feed(Buffer.from('SSH-2.0-x\r\n')).kind).toBe('broken');
    const head = readResponse('HEAD');
    const state = head.feed(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'));
    expect(state.kind).toBe('done');
  });
});

describe('with a real client', () => {
  let server: Server | null = null;
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
  });

  it("answers Node's keep-alive client", async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      const answerer = http1.answerer({
        head,
        recorded,
        ask: (question) => {
          const exchange = recorded.find(
            (one) =>
              http1.question(one)?.formKey === question.formKey && question.effect === 'read',
          );
          return exchange ? { kind: 'recorded', exchange } : { kind: 'none', explanation: 'no' };
        },
        synthesised: () => {},
        assumed: () => {},
      });
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        for (const answer of answerer.receive(bytes)) socket.write(answer);
        if (answerer.closing) socket.end();
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const port = (server.address() as { port: number }).port;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const call = (method: string, path: string) =>
      new Promise<{ message: IncomingMessage; body: string }>((resolve, reject) => {
        const asked = httpRequest({ port, host: '127.0.0.1', method, path, agent }, (message) => {
          let body = '';
          message.on('data', (piece) => {
            body += piece;
          });
          message.on('end', () => resolve({ message, body }));
        });
        asked.on('error', reject).end();
      });
    const first = await call('GET', '/a?x=1');
    expect([first.body, first.message.trailers]).toEqual(['hello', { 'x-t': '1' }]);
    const second = await call('HEAD', '/h');
    expect(second.message.headers['content-length']).toBe('123');
    expect((await call('DELETE', '/none')).message.statusCode).toBe(502);
    expect((await call('GET', '/close')).body).toBe('until the end');
    expect(sockets.size).toBe(1);
    agent.destroy();
  });
});

it('gives requests back as they were sent', () => {
  const bytes = chunksOf(said).filter((chunk) => chunk.from === 'client');
  const raw = bytes.map((chunk) => Buffer.from(chunk.bytes).toString()).join('');
  const encoded = recorded.map((exchange) => Buffer.from(requestBytes(exchange)!).toString());
  expect(encoded.join('')).toBe(raw);
  expect(recorded.every((one) => requestOf(one) !== null && responseOf(one) !== null)).toBe(true);
});

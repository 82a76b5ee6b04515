// What connections of all sorts become, and what names their servers get.
import { describe, expect, it } from 'vitest';
import type { Connection } from '../domain/wire.ts';
import { exchangesOf, protocolOf, rawBytes } from './exchanges.ts';
import { chunksOf, connectionOf, type Said } from './fake-wire.ts';
import { requestOf } from './http1/message.ts';
import { client, join, server } from './postgres/fake-messages.ts';
import { protocols } from './protocols.ts';

const get = (path: string) => `GET ${path} HTTP/1.1\r\n\r\n`;
const ok = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const http: Said[] = [
  ['client', get('/a')],
  ['server', ok('one')],
  ['client', get('/b')],
  ['server', ok('two')],
];
const start: Said[] = [
  ['client', client.start('app')],
  ['server', join(server.ok, server.ready())],
];
const query: Said[] = [
  ['client', client.query('SELECT 1')],
  ['server', join(server.columns([['n', 23]]), server.row('1'), server.complete('SELECT 1'))],
  ['server', server.ready()],
];

/** A look-up of `db.internal` that is answered 10.0.0.3. */
function lookUp(at: number): Connection {
  const name = '02 6462 08 696e7465726e616c 00 0001 0001'.replaceAll(' ', '');
  const asked = Buffer.from(`0007 0100 0001 0000 0000 0000 ${name}`.replaceAll(' ', ''), 'hex');
  const record = 'c00c 0001 0001 0000003c 0004 0a000003'.replaceAll(' ', '');
  const answered = `0007 8180 0001 0001 0000 0000 ${name}${record}`.replaceAll(' ', '');
  const said: Said[] = [
    ['client', asked],
    ['server', Buffer.from(answered, 'hex')],
  ];
  return connectionOf(
    chunksOf(said).map((chunk, i) => ({ ...chunk, at: at + i })),
    { id: 'u1', transport: 'udp', server: { address: '127.0.0.11', port: 53 } },
  );
}

describe('exchanges of a recording', () => {
  it('find out what each connection speaks', () => {
    const connections = [
      connectionOf(chunksOf(http), { id: 'a' }),
      connectionOf(chunksOf([...start, ...query]), { id: 'b' }),
      connectionOf(
        chunksOf([
          ['client', 'EHLO x\r\n'],
          ['server', '250 hi'],
        ]),
        { id: 'c' },
      ),
      lookUp(5),
      connectionOf([], { id: 'd' }),
    ];
    expect(connections.map((one) => protocolOf(one).name)).toEqual([
      'http1',
      'postgres',
      'opaque',
      'dns',
      'opaque',
    ]);
    const ids = exchangesOf(connections).map((one) => `${one.id} ${one.protocol}`);
    expect(ids).toEqual([
      'a/1 http1',
      'a/2 http1',
      'b/1 postgres',
      'b/2 postgres',
      'c/1 opaque',
      'u1/1 dns',
    ]);
  });

  it('name the server by what the app looked up, in either recording', () => {
    const database = connectionOf(chunksOf([...start, ...query]), { id: 'b' });
    const named = (more: Connection[]) =>
      exchangesOf({ connections: [database, ...more] }).map((one) => one.serverName);
    expect(named([lookUp(5)]).slice(0, 2)).toEqual(['db.internal', 'db.internal']);
    expect(named([])).toEqual([null, null]);
    const later = exchangesOf([database], { namesFrom: [lookUp(1)] });
    expect(later.map((one) => one.serverName)).toEqual(['db.internal', 'db.internal']);
    const inbound = { ...database, direction: 'inbound' as const };
    expect(exchangesOf([inbound, lookUp(5)])[0]!.serverName).toBeNull();
  });

  it('know a connection that is joined in its middle', () => {
    const middle = chunksOf(http).slice(1);
    expect(protocolOf(connectionOf(middle)).name).toBe('http1');
    expect(exchangesOf([connectionOf(middle)]).map((one) => requestOf(one)?.target)).toEqual([
      '/b',
    ]);
    const joined = chunksOf([...start, ...query, ...query]).slice(2);
    expect(protocolOf(connectionOf(joined)).name).toBe('postgres');
    expect(exchangesOf([connectionOf(joined)])).toHaveLength(2);
    const stated = connectionOf(chunksOf([['client', 'x']]), { protocol: 'http1' });
    expect(protocolOf(stated).name).toBe('http1');
  });

  it('say which exchange bytes are missing in', () => {
    const chunks = chunksOf(http);
    const lost = chunks[1]!;
    const gap = {
      from: 'server' as const,
      pos: lost.pos,
      length: lost.bytes.length,
      reason: 'ring-full' as const,
    };
    const connection = connectionOf(
      chunks.filter((chunk) => chunk !== lost),
      { gaps: [gap] },
    );
    expect(exchangesOf([connection]).map((one) => [one.end, requestOf(one)?.target])).toEqual([
      ['gap', '/a'],
    ]);
    const inBody = { ...gap, pos: ok('one').length - 2, length: 2, reason: 'sendfile' as const };
    const cut = chunks.map((chunk) =>
      chunk === lost ? { ...lost, bytes: lost.bytes.slice(0, -2) } : chunk,
    );
    const partly = exchangesOf([connectionOf(cut, { gaps: [inBody] })]);
    expect(partly.map((one) => one.end)).toEqual(['gap', 'complete']);
  });

  it('end what a recording cuts off', () => {
    const open = connectionOf(
      chunksOf([
        ['client', get('/a')],
        ['server', 'HTTP/1.1 200 OK\r\n\r\nuntil'],
      ]),
      { closedAt: null },
    );
    expect(exchangesOf([open]).map((one) => one.end)).toEqual(['unanswered']);
    expect(exchangesOf([{ ...open, closedAt: 5 }]).map((one) => one.end)).toEqual(['complete']);
  });

  it('give the raw bytes back', () => {
    const connection = connectionOf(chunksOf(http, 7));
    const [, second] = exchangesOf([connection]);
    const place = { from: 'client' as const, ...second!.request!.range };
    expect(Buffer.from(rawBytes(connection, place)!).toString()).toBe(get('/b'));
    expect(rawBytes(connection, { ...place, end: 10_000 })).toBeNull();
  });
});

describe('the table of protocols', () => {
  it('has a name once, and opaque last', () => {
    const names = protocols.map((protocol) => protocol.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.at(-1)).toBe('opaque');
  });

  it('never detects two protocols in one beginning, nor throws', () => {
    const beginnings = [get('/a'), client.start('x'), client.ssl, '\x16\x03\x01\x00', 'SSH-2.0-x'];
    for (const first of beginnings) {
      const peek = {
        transport: 'tcp' as const,
        serverPort: 1,
        client: Buffer.from(first as string),
        server: Buffer.alloc(0),
      };
      const yes = protocols.filter((one) => one.name !== 'opaque' && one.detect(peek) === 'yes');
      expect(yes.length).toBeLessThan(2);
    }
  });
});

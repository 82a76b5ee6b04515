// Datagrams are built by hand after https://www.rfc-editor.org/rfc/rfc1035; the oracle is Node's
// resolver (c-ares) over a real socket.
import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import type { Chunk } from '../../domain/wire.ts';
import { head, random, read } from '../fake-wire.ts';
import type { Question, Reply } from '../protocol.ts';
import { dns } from './dns.ts';
import { dnsResponseOf } from './message.ts';
import { namesIn } from './names.ts';

const types = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, OPT: 41 };
const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const nameBytes = (name: string) =>
  Buffer.concat([
    ...name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.from([0]),
  ]);

function query(id: number, name: string, type: keyof typeof types): Buffer {
  const counts = Buffer.from('0100 0001 0000 0000 0000'.replaceAll(' ', ''), 'hex');
  return Buffer.concat([u16(id), counts, nameBytes(name), u16(types[type]), u16(1)]);
}

interface Rr {
  type: keyof typeof types;
  ttl: number;
  data: Buffer;
}

/** Answers point at the question's name by compression. */
function response(asked: Buffer, rcode: number, records: Rr[]): Buffer {
  const flags = Buffer.from([0x81, 0x80 | rcode]);
  const counts = Buffer.concat([u16(1), u16(records.length), u16(0), u16(0)]);
  const answers = records.map(({ type, ttl, data }) =>
    Buffer.concat([
      Buffer.from([0xc0, 12]),
      u16(types[type]),
      u16(1),
      u16(0),
      u16(ttl),
      u16(data.length),
      data,
    ]),
  );
  return Buffer.concat([asked.subarray(0, 2), flags, counts, asked.subarray(12), ...answers]);
}

const a = (address: string, ttl = 30): Rr => ({
  type: 'A',
  ttl,
  data: Buffer.from(address.split('.').map(Number)),
});

/** Positions count on per side, as the recorder writes them down. */
function datagrams(...said: ['client' | 'server', Buffer][]): Chunk[] {
  const next = { client: 0, server: 0 };
  return said.map(([from, bytes], i) => {
    const chunk = { from, pos: next[from], at: 1000 + i, bytes: new Uint8Array(bytes) };
    next[from] += bytes.length;
    return chunk;
  });
}

const udp = { ...head, transport: 'udp' as const, server: { address: '127.0.0.11', port: 53 } };
const readUdp = (chunks: Chunk[]) => read(dns, chunks, { as: udp });
const short = (one: Exchange) => [one.title, one.end];

describe('reading DNS', () => {
  it('pairs by id and question, whatever the order', () => {
    const one = query(1, 'db.internal', 'A');
    const two = query(2, 'db.internal', 'AAAA');
    const three = query(3, 'gone.internal', 'A');
    const exchanges = readUdp(
      datagrams(
        ['client', one],
        ['client', two],
        ['client', three],
        ['server', response(three, 3, [])],
        ['server', response(two, 0, [])],
        ['server', response(one, 0, [a('10.0.0.9'), a('10.0.0.8')])],
      ),
    );
    expect(exchanges.map(short)).toEqual([
      ['DNS A gone.internal -> NXDOMAIN', 'complete'],
      ['DNS AAAA db.internal -> empty', 'complete'],
      ['DNS A db.internal -> 10.0.0.9, 10.0.0.8', 'complete'],
    ]);
    expect(exchanges[0]!.error).toBe('NXDOMAIN');
    expect(exchanges[2]!.effect).toBe('read');
  });

  it('does not pair an answer to another question, nor one that nobody asked', () => {
    const asked = query(7, 'a.example', 'A');
    const exchanges = readUdp(
      datagrams(
        ['server', response(query(9, 'x.example', 'A'), 0, [a('1.1.1.1')])],
        ['client', asked],
        ['server', response(query(7, 'b.example', 'A'), 0, [a('2.2.2.2')])],
        ['server', response(query(8, 'a.example', 'A'), 0, [a('3.3.3.3')])],
      ),
    );
    expect(exchanges.map(short)).toEqual([['DNS A a.example -> no answer', 'unanswered']]);
  });

  it('takes a second try for the same question', () => {
    const asked = query(7, 'a.example', 'A');
    const answer = response(asked, 0, [a('1.2.3.4')]);
    const said = datagrams(['client', asked], ['client', asked], ['server', answer]);
    expect(readUdp(said).map(short)).toEqual([['DNS A a.example -> 1.2.3.4', 'complete']]);
  });

  it('takes answers for equal that differ in id and time to live only', () => {
    const answers = [11, 12].map((id) => {
      const asked = query(id, 'a.example', 'A');
      return ['client', asked] as const;
    });
    const [one, two] = readUdp(
      datagrams(
        ['client', answers[0]![1]],
        ['server', response(answers[0]![1], 0, [a('1.2.3.4', 60)])],
        ['client', answers[1]![1]],
        ['server', response(answers[1]![1], 0, [a('1.2.3.4', 7)])],
      ),
    );
    expect(dnsResponseOf(one!)).toEqual(dnsResponseOf(two!));
  });

  it('never throws, whatever the bytes', () => {
    for (let seed = 1; seed <= 2000; seed += 1) {
      const next = random(seed);
      const asked = query(7, 'some.name.example', 'SRV');
      const answer = response(asked, 0, [a('1.2.3.4'), a('4.3.2.1')]);
      for (const bytes of [asked, answer]) {
        for (let i = 0; i < 3; i += 1) bytes[Math.floor(next() * bytes.length)] = next() * 256;
      }
      const cut = Math.floor(next() * answer.length);
      readUdp(
        datagrams(['client', asked], ['server', answer.subarray(0, cut)], ['server', answer]),
      );
    }
  });

  it('is detected on its port by its first datagram', () => {
    const peek = (bytes: Buffer, serverPort: number, transport: 'udp' | 'tcp' = 'udp') =>
      dns.detect({ transport, serverPort, client: bytes, server: Buffer.alloc(0) });
    expect(peek(query(1, 'a', 'A'), 53)).toBe('yes');
    expect(peek(query(1, 'a', 'A'), 5353)).toBe('no');
    expect(peek(query(1, 'a', 'A'), 53, 'tcp')).toBe('no');
    expect(peek(Buffer.from('hello there, this is no DNS'), 53)).toBe('no');
    expect(peek(Buffer.alloc(0), 53)).toBe('more');
  });
});

describe('names of servers', () => {
  const looked = (name: string, address: string, at: number) => {
    const asked = query(1, name, 'A');
    const chunks = datagrams(['client', asked], ['server', response(asked, 0, [a(address)])]);
    return readUdp(chunks.map((chunk, i) => ({ ...chunk, at: at + i })));
  };

  it('are those last looked up for the address', () => {
    const names = namesIn([
      ...looked('old.example', '10.0.0.1', 100),
      ...looked('New.example', '10.0.0.1', 200),
    ]);
    expect(names.nameOf('10.0.0.1', 150)).toBe('old.example');
    expect(names.nameOf('10.0.0.1', 300)).toBe('new.example');
    expect(names.nameOf('10.0.0.1', 1)).toBe('old.example');
    expect(names.nameOf('::ffff:10.0.0.1', 300)).toBe('new.example');
    expect(names.nameOf('10.0.0.2', 300)).toBeNull();
  });
});

describe('answering DNS', () => {
  let socket: Socket | null = null;
  afterEach(() => {
    socket?.close();
    socket = null;
  });

  it("answers Node's resolver from the recording, and NXDOMAIN to the rest", async () => {
    const asked = query(77, 'db.internal', 'A');
    const recorded = readUdp(
      datagrams(['client', asked], ['server', response(asked, 0, [a('10.0.0.9'), a('10.0.0.8')])]),
    );
    const questions: Question[] = [];
    const ask = (question: Question): Reply => {
      questions.push(question);
      const exchange = recorded.find(
        (one) => dns.question(one)?.normalisedKey === question.normalisedKey,
      );
      return exchange ? { kind: 'recorded', exchange } : { kind: 'none', explanation: 'no' };
    };
    const answerer = dns.answerer({
      head: udp,
      recorded,
      ask,
      synthesised: () => {},
      assumed: () => {},
    });
    socket = createSocket('udp4');
    socket.on('message', (bytes, from) => {
      for (const answer of answerer.receive(bytes)) socket!.send(answer, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket!.bind(0, '127.0.0.1', resolve));
    const resolver = new Resolver({ timeout: 20_000 });
    resolver.setServers([`127.0.0.1:${socket.address().port}`]);
    expect(await resolver.resolve4('DB.internal')).toEqual(['10.0.0.9', '10.0.0.8']);
    await expect(resolver.resolve4('other.internal')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(questions.map((question) => question.title.toLowerCase())).toEqual([
      'dns a db.internal',
      'dns a other.internal',
    ]);
  });

  it('keeps the id and the spelling of the question, and ignores what is none', () => {
    const asked = query(1, 'db.internal', 'A');
    const recorded = readUdp(
      datagrams(['client', asked], ['server', response(asked, 0, [a('10.0.0.9')])]),
    );
    const answerer = dns.answerer({
      head: udp,
      recorded,
      ask: () => ({ kind: 'recorded', exchange: recorded[0]! }),
      synthesised: () => {},
      assumed: () => {},
    });
    const again = query(0xabcd, 'dB.InTerNal', 'A');
    const [answer] = answerer.receive(again);
    expect(answer).toEqual(response(again, 0, [a('10.0.0.9', 60)]));
    expect(answerer.receive(Buffer.from('nonsense'))).toEqual([]);
    expect(answerer.receive(response(again, 0, []))).toEqual([]);
  });
});

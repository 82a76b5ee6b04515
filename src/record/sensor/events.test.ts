/** Exists to prove that the decoder reads what a sensor sends, however it is cut, and nothing else. */
import { describe, expect, it } from 'vitest';
import { Decoder, SensorFormatError } from './events.ts';
import { encodeEvent } from './fake-sensor.ts';
import type { EventBatch, SensorEvent } from './types.ts';

const kernel = { watch: 3, timeNs: 123_456_789_012, tgid: 40, tid: 41 };
const connection = 7_355_009_573_523_456;
const none = { events: 0, bytes: 0 };

const samples: SensorEvent[] = [
  {
    kind: 'hello',
    version: 1,
    wallOffsetMs: 1_795_655_429_825.25,
    ringBytes: 1 << 26,
    features: ['tcp', 'udp'],
  },
  { kind: 'answer', sequence: 9, netns: 4_026_532_251, watch: 3, errno: 7 },
  {
    kind: 'open',
    ...kernel,
    connection,
    transport: 'tcp',
    role: 'inbound',
    local: { host: '10.0.0.1', port: 8080 },
    peer: { host: '2001:db8::1:0:0:7', port: 65535 },
    openedBeforeAttach: true,
    errno: 0,
  },
  data({ payload: Buffer.from('GET / HTTP/1.1\r\n'), position: 2 ** 40 + 5 }),
  data({ payload: Buffer.alloc(16384, 'x'), first: true }),
  data({ payload: Buffer.alloc(0), lengthBytes: 0x7ffff000, missing: 'file', direction: 'sent' }),
  data({ payload: Buffer.from('dns'), peer: { host: '::1', port: 53 }, last: true }),
  data({ payload: Buffer.from('abc'), lengthBytes: 700, missing: 'truncated' }),
  { kind: 'shutdown', ...kernel, connection, how: 'both' },
  { kind: 'upgrade', ...kernel, connection, name: 'tls' },
  {
    kind: 'close',
    ...kernel,
    connection,
    sentBytes: 2 ** 45,
    receivedBytes: 5,
    sentUnseenBytes: 0,
    receivedUnseenBytes: 9,
    errno: 111,
  },
  { kind: 'fork', ...kernel, childTgid: 77, command: 'node' },
  { kind: 'exec', ...kernel, command: 'fifteen-letters' },
  { kind: 'exit', ...kernel, exitCode: 3, signal: 0, coreDumped: false, command: 'node' },
  { kind: 'exit', ...kernel, exitCode: 0, signal: 11, coreDumped: true, command: '' },
  { kind: 'opaque', ...kernel, reason: 'io_uring' },
  {
    kind: 'stats',
    events: 5,
    bytes: 2 ** 50,
    drops: {
      'ring-full': { events: 1, bytes: 2 },
      'table-full': none,
      unreadable: { events: 3, bytes: 4 },
      urgent: none,
    },
  },
];

function data(fields: object): SensorEvent & { kind: 'data' } {
  const event = {
    ...{ kind: 'data' as const, ...kernel, connection, direction: 'received' as const },
    ...{ position: 0, payload: Buffer.alloc(0), missing: 'none' as const, peer: undefined },
    ...{ first: false, last: false, lengthBytes: -1, ...fields },
  };
  return event.lengthBytes < 0 ? { ...event, lengthBytes: event.payload.length } : event;
}

/** Plain numbers and bytes, so that two events compare by what they say. */
function plain(event: SensorEvent): object {
  return event.kind === 'data' ? { ...event, payload: Buffer.from(event.payload) } : event;
}

function decode(pieces: Iterable<Uint8Array>): SensorEvent[] {
  const events: SensorEvent[] = [];
  const decoder = new Decoder((batch: EventBatch) => {
    while (batch.next()) events.push(batch.event());
  });
  for (const piece of pieces) decoder.push(Buffer.from(piece));
  decoder.end();
  return events;
}

const stream = Buffer.concat(samples.map(encodeEvent));

describe('the decoder', () => {
  it('reads every kind of event', () => {
    expect(decode([stream]).map(plain)).toEqual(samples.map(plain));
  });

  it('reads the same wherever the stream is split', () => {
    // The long payload in the middle is the same byte again and again: step over most of it.
    const long = stream.indexOf('xxxxxxxx');
    for (let at = 0; at <= stream.length; at += at > long + 64 && at < long + 16000 ? 97 : 1) {
      const events = decode([stream.subarray(0, at), stream.subarray(at)]);
      expect(events.length, `split at ${at}`).toBe(samples.length);
      if (at % 50 === 0) expect(events.map(plain)).toEqual(samples.map(plain));
    }
  });

  it('reads the same byte by byte and in pieces of any size', () => {
    for (const size of [1, 7, 8, 63, 64, 1000]) {
      const pieces = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
        stream.subarray(i * size, (i + 1) * size),
      );
      expect(decode(pieces).map(plain)).toEqual(samples.map(plain));
    }
  });

  it('shows the current event without making an object, and can be read again', () => {
    const bytes = encodeEvent(data({ payload: Buffer.from('hello'), position: 12 }));
    const decoder = new Decoder((batch) => {
      for (const turn of [batch, batch.again()]) {
        expect(turn.next()).toBe(true);
        expect(turn).toMatchObject({ kind: 'data', watch: 3, connection, position: 12 });
        expect(turn).toMatchObject({ direction: 'received', lengthBytes: 5, copiedBytes: 5 });
        expect(turn.timeNs).toBe(kernel.timeNs);
        expect(Buffer.from(turn.payload()).toString()).toBe('hello');
        expect(decode([turn.raw()])).toHaveLength(1);
        expect(turn.next()).toBe(false);
      }
    });
    decoder.push(bytes);
    expect.assertions(14);
  });

  it('gives events that survive the memory they were read from', () => {
    const bytes = encodeEvent(data({ payload: Buffer.from('keep me') }));
    const [event] = decode([bytes]);
    bytes.fill(0);
    expect(event).toMatchObject({ payload: Uint8Array.from(Buffer.from('keep me')) });
  });

  it('passes over what the ring buffer discarded', () => {
    const discarded = encodeEvent(data({ payload: Buffer.from('gone') }));
    discarded.writeUInt32LE(discarded.readUInt32LE(0) | 0x40000000, 0);
    const kept = encodeEvent(data({ payload: Buffer.from('kept') }));
    expect(decode([Buffer.concat([discarded, kept])])).toHaveLength(1);
  });

  it('writes IPv6 as RFC 5952 does, and mapped IPv4 as IPv4', () => {
    for (const host of ['::', '::1', 'fe80::1', '1:2:3:4:5:6:7:8', '1::8', '1:0:3::7:8']) {
      const [event] = decode([encodeEvent(data({ peer: { host, port: 1 } }))]);
      expect(event).toMatchObject({ peer: { host } });
    }
    const mapped = { host: '::ffff:a01:203', port: 1 };
    expect(decode([encodeEvent(data({ peer: mapped }))])).toMatchObject([
      { peer: { host: '10.1.2.3' } },
    ]);
  });
});

describe('a broken stream', () => {
  const good = encodeEvent(data({ payload: Buffer.from('hello') }));

  function broken(change: (bytes: Buffer) => void): () => void {
    const bytes = Buffer.from(good);
    change(bytes);
    return () => decode([bytes]);
  }

  it('is named for what it is', () => {
    expect(broken((b) => b.writeUInt8(0, 8))).toThrow('magic');
    expect(broken((b) => b.writeUInt8(2, 9))).toThrow('sensor speaks version 2, this server 1');
    expect(broken((b) => b.writeUInt8(99, 10))).toThrow('unknown kind of event: 99');
    expect(broken((b) => b.writeUInt32LE(3, 0))).toThrow(SensorFormatError);
    expect(broken((b) => b.writeUInt32LE(0x3fffffff, 0))).toThrow('more than a sensor ever sends');
    expect(broken((b) => b.writeUInt32LE(1, 52))).toThrow('size and payload disagree');
    expect(broken((b) => b.writeUInt8(1, 10))).toThrow('open event of 61 bytes is too short');
    expect(() => decode([good.subarray(0, 20)])).toThrow('ends after 20 bytes');
  });

  it('never yields more than an error, whatever the bytes', () => {
    let seed = 42;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const start = Buffer.concat(samples.filter(({ kind }) => kind !== 'data').map(encodeEvent));
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.concat([start, good]);
      for (let i = 0; i <= random(4); i++) bytes[random(bytes.length)] = random(256);
      const cut = random(bytes.length);
      try {
        decode([bytes.subarray(0, cut), bytes.subarray(cut)]);
      } catch (error) {
        expect(error).toBeInstanceOf(SensorFormatError);
      }
    }
  });
});

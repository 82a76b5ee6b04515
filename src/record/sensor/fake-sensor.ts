/**
 * Exists to stand in for the kernel in tests: events in, the sensor's own bytes or batches out.
 *
 * A second, independent writer of the format in sensor/event.h; the decoder shares nothing with it.
 */
import { Decoder } from './events.ts';
import type { Address, EventBatch, Loss, Sensor, SensorEvent } from './types.ts';

const KINDS = 'open data close shutdown upgrade fork exec exit opaque hello answer stats'.split(
  ' ',
);
const MISSING = 'none file unreadable truncated discarded'.split(' ');
const ROLES = 'unknown inbound outbound'.split(' ');
const DROPS = ['ring-full', 'table-full', 'unreadable', 'urgent'] as const;

/** One frame, as the sensor would send it. */
export function encodeEvent(event: SensorEvent): Buffer {
  const head = Buffer.alloc(56);
  head.set([0xf1, 1, KINDS.indexOf(event.kind) + 1, directionOf(event)]);
  if ('watch' in event) head.writeUInt32LE(event.watch, 4);
  if ('timeNs' in event) {
    head.writeBigUInt64LE(BigInt(event.timeNs), 8);
    head.writeUInt32LE(event.tgid, 32);
    head.writeUInt32LE(event.tid, 36);
  }
  if ('connection' in event) head.writeBigUInt64LE(BigInt(event.connection), 16);
  const body = fill(head, event);
  const size = Buffer.alloc(8);
  size.writeUInt32LE(56 + body.length, 0);
  return Buffer.concat([size, head, body, Buffer.alloc((8 - (body.length % 8)) % 8)]);
}

function directionOf(event: SensorEvent): number {
  if (event.kind === 'data') return event.direction === 'sent' ? 0 : 1;
  if (event.kind === 'shutdown') return ['sent', 'received', 'both'].indexOf(event.how);
  return 0;
}

/** Writes the rest of the head and returns the body. */
function fill(head: Buffer, event: SensorEvent): Buffer {
  if ('errno' in event) head.writeUInt16LE(event.errno, 50);
  if ('command' in event) {
    if (event.kind === 'fork') head.writeBigUInt64LE(BigInt(event.childTgid), 24);
    if (event.kind === 'exit') {
      head.writeUInt16LE((event.exitCode << 8) | event.signal, 50);
      head.writeUInt8(event.coreDumped ? 16 : 0, 48);
    }
    return text(event.command, 16);
  }
  switch (event.kind) {
    case 'open':
      head.writeUInt8(event.openedBeforeAttach ? 8 : 0, 48);
      return Buffer.concat([
        Buffer.from([
          event.transport === 'udp' ? 1 : 0,
          ROLES.indexOf(event.role),
          0,
          0,
          0,
          0,
          0,
          0,
        ]),
        address(event.local),
        address(event.peer),
      ]);
    case 'data':
      head.writeBigUInt64LE(BigInt(event.position), 24);
      head.writeUInt32LE(event.lengthBytes, 40);
      head.writeUInt32LE(event.payload.length, 44);
      head.writeUInt8((event.first ? 1 : 0) | (event.last ? 2 : 0) | (event.peer ? 4 : 0), 48);
      head.writeUInt8(MISSING.indexOf(event.missing), 49);
      return Buffer.concat([event.peer ? address(event.peer) : Buffer.alloc(0), event.payload]);
    case 'close':
      return numbers([
        ...[event.sentBytes, event.receivedBytes],
        ...[event.sentUnseenBytes, event.receivedUnseenBytes],
      ]);
    case 'opaque':
      head.writeUInt16LE(event.reason === 'io_uring' ? 0 : 1, 50);
      return Buffer.alloc(0);
    case 'upgrade':
      return text(event.name, 16);
    case 'hello':
      return Buffer.concat([
        numbers([Math.round(event.wallOffsetMs * 1e6), event.ringBytes]),
        text(event.features.join(' '), 112),
      ]);
    case 'answer':
      head.writeUInt32LE(event.watch, 4);
      head.writeBigUInt64LE(BigInt(event.netns), 24);
      head.writeUInt32LE(event.sequence, 52);
      return Buffer.alloc(0);
    case 'stats':
      return numbers([
        ...[event.events, event.bytes],
        ...DROPS.flatMap((reason) => [event.drops[reason].events, event.drops[reason].bytes]),
      ]);
    default:
      return Buffer.alloc(0);
  }
}

function numbers(values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => {
    bytes.writeBigInt64LE(BigInt(value), index * 8);
  });
  return bytes;
}

function text(value: string, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.write(value, 0, size - 1);
  return bytes;
}

function address({ host, port }: Address): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt16LE(port, 2);
  if (host.includes('.')) {
    bytes.writeUInt16LE(4, 0);
    bytes.set(host.split('.').map(Number), 8);
  } else if (host) {
    bytes.writeUInt16LE(6, 0);
    const [head = '', tail] = host.split('::');
    const groups = (part: string) =>
      part ? part.split(':').map((g) => Number.parseInt(g, 16)) : [];
    groups(head).forEach((group, i) => {
      bytes.writeUInt16BE(group, 8 + 2 * i);
    });
    const last = groups(tail ?? '');
    last.forEach((group, i) => {
      bytes.writeUInt16BE(group, 24 - 2 * (last.length - i));
    });
  }
  return bytes;
}

/** A Sensor without a kernel: `push` gives events to the listeners as real batches. */
export class FakeSensor implements Sensor {
  wallOffsetMs = 0;
  readonly watches = new Map<number, number>();
  readonly #listeners: ((batch: EventBatch) => void)[] = [];
  readonly #lossListeners: ((loss: Loss) => void)[] = [];
  readonly #decoder = new Decoder((batch) => {
    for (const listener of this.#listeners) listener(batch.again());
  });

  push(...events: SensorEvent[]): void {
    this.#decoder.push(Buffer.concat(events.map(encodeEvent)));
  }

  lose(loss: Loss): void {
    for (const listener of this.#lossListeners) listener(loss);
  }

  async watch(netns: number, id: number): Promise<void> {
    this.watches.set(netns, id);
  }

  async unwatch(netns: number): Promise<void> {
    this.watches.delete(netns);
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  onEvents(listener: (batch: EventBatch) => void): void {
    this.#listeners.push(listener);
  }

  onLoss(listener: (loss: Loss) => void): void {
    this.#lossListeners.push(listener);
  }
}

/** Exists to give one event of the sensor as a typed object, for everything that is not hot. */
import {
  ADDRESS,
  ADDRESS_BYTES,
  CLOSE,
  COMMAND_BYTES,
  COUNT_BYTES,
  DIRECTIONS,
  DROPS,
  EVENT,
  EVENT_BYTES,
  FLAG,
  HELLO,
  HELLO_BYTES,
  MISSING,
  OPAQUE,
  OPEN,
  ROLES,
  SHUTDOWNS,
  TRANSPORTS,
} from './layout.ts';
import type { Address, DropReason, EventKind, SensorEvent } from './types.ts';

const NOWHERE: Address = { host: '', port: 0 };

interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly kernel: { watch: number; timeNs: number; tgid: number; tid: number };
  readonly connection: number;
  readonly flags: number;
  readonly number: number;
}

type Makers = { [K in EventKind]: (source: Source) => SensorEvent & { kind: K } };

/** `bytes` is one whole event (without prefix and padding) that the result may keep. */
export function makeEvent(kind: EventKind, bytes: Uint8Array): SensorEvent {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return MAKERS[kind]({
    bytes,
    view,
    kernel: {
      watch: view.getUint32(EVENT.watch, true),
      timeNs: u64(view, EVENT.time_ns),
      tgid: view.getUint32(EVENT.tgid, true),
      tid: view.getUint32(EVENT.tid, true),
    },
    connection: u64(view, EVENT.connection),
    flags: view.getUint8(EVENT.flags),
    number: view.getUint16(EVENT.number, true),
  });
}

const MAKERS: Makers = {
  open: ({ kernel, connection, view, bytes, flags, number }) => ({
    kind: 'open',
    ...kernel,
    connection,
    transport: TRANSPORTS[view.getUint8(EVENT_BYTES + OPEN.transport)] ?? 'tcp',
    role: ROLES[view.getUint8(EVENT_BYTES + OPEN.role)] ?? 'unknown',
    local: addressAt(bytes, EVENT_BYTES + OPEN.local),
    peer: addressAt(bytes, EVENT_BYTES + OPEN.peer),
    openedBeforeAttach: (flags & FLAG.before_attach) !== 0,
    errno: number,
  }),
  data: ({ kernel, connection, view, bytes, flags }) => {
    const hasPeer = (flags & FLAG.peer) !== 0;
    return {
      kind: 'data',
      ...kernel,
      connection,
      direction: DIRECTIONS[view.getUint8(EVENT.direction)] ?? 'sent',
      position: u64(view, EVENT.position),
      lengthBytes: view.getUint32(EVENT.length_bytes, true),
      payload: bytes.subarray(EVENT_BYTES + (hasPeer ? ADDRESS_BYTES : 0)),
      missing: MISSING[view.getUint8(EVENT.missing)] ?? 'none',
      first: (flags & FLAG.first) !== 0,
      last: (flags & FLAG.last) !== 0,
      peer: hasPeer ? knownAddressAt(bytes, EVENT_BYTES) : undefined,
    };
  },
  close: ({ kernel, connection, view, number }) => ({
    kind: 'close',
    ...kernel,
    connection,
    sentBytes: u64(view, EVENT_BYTES + CLOSE.sent_bytes),
    receivedBytes: u64(view, EVENT_BYTES + CLOSE.received_bytes),
    sentUnseenBytes: u64(view, EVENT_BYTES + CLOSE.sent_unseen_bytes),
    receivedUnseenBytes: u64(view, EVENT_BYTES + CLOSE.received_unseen_bytes),
    errno: number,
  }),
  shutdown: ({ kernel, connection, view }) => ({
    kind: 'shutdown',
    ...kernel,
    connection,
    how: SHUTDOWNS[view.getUint8(EVENT.direction)] ?? 'both',
  }),
  upgrade: ({ kernel, connection, bytes }) => ({
    kind: 'upgrade',
    ...kernel,
    connection,
    name: textAt(bytes, EVENT_BYTES, COMMAND_BYTES),
  }),
  fork: ({ kernel, view, bytes }) => ({
    kind: 'fork',
    ...kernel,
    childTgid: u64(view, EVENT.position),
    command: textAt(bytes, EVENT_BYTES, COMMAND_BYTES),
  }),
  exec: ({ kernel, bytes }) => ({
    kind: 'exec',
    ...kernel,
    command: textAt(bytes, EVENT_BYTES, COMMAND_BYTES),
  }),
  exit: ({ kernel, bytes, flags, number }) => ({
    kind: 'exit',
    ...kernel,
    exitCode: number >> 8,
    signal: number & 0x7f,
    coreDumped: (flags & FLAG.core_dumped) !== 0,
    command: textAt(bytes, EVENT_BYTES, COMMAND_BYTES),
  }),
  opaque: ({ kernel, number }) => ({
    kind: 'opaque',
    ...kernel,
    reason: OPAQUE[number] ?? 'io_uring',
  }),
  hello: ({ view, bytes }) => ({
    kind: 'hello',
    version: view.getUint8(EVENT.version),
    wallOffsetMs: Number(view.getBigInt64(EVENT_BYTES + HELLO.wall_offset_ns, true)) / 1e6,
    ringBytes: u64(view, EVENT_BYTES + HELLO.ring_bytes),
    features: textAt(bytes, EVENT_BYTES + HELLO.features, HELLO_BYTES - HELLO.features).split(' '),
  }),
  answer: ({ kernel, view, number }) => ({
    kind: 'answer',
    sequence: view.getUint32(EVENT.sequence, true),
    netns: u64(view, EVENT.position),
    watch: kernel.watch,
    errno: number,
  }),
  stats: ({ view }) => ({ kind: 'stats', ...countAt(view, 0), drops: dropsOf(view) }),
};

/** u64 as a number: exact below 2^53, which every field is that is compared. */
export function u64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 4294967296;
}

function countAt(view: DataView, index: number): { events: number; bytes: number } {
  const at = EVENT_BYTES + index * COUNT_BYTES;
  return { events: u64(view, at), bytes: u64(view, at + 8) };
}

function dropsOf(view: DataView): Record<DropReason, { events: number; bytes: number }> {
  const drops = DROPS.map((reason, index) => [reason, countAt(view, index + 1)]);
  return Object.fromEntries(drops);
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    'utf8',
    at,
    end < 0 || end > at + length ? at + length : end,
  );
}

function knownAddressAt(bytes: Uint8Array, at: number): Address | undefined {
  const address = addressAt(bytes, at);
  return address.port === 0 ? undefined : address;
}

/** IPv4 dotted (also if it came mapped into IPv6), IPv6 as RFC 5952 section 4 writes it. */
function addressAt(bytes: Uint8Array, at: number): Address {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, ADDRESS_BYTES);
  const family = view.getUint16(ADDRESS.family, true);
  const port = view.getUint16(ADDRESS.port, true);
  const raw = bytes.subarray(at + ADDRESS.bytes, at + ADDRESS_BYTES);
  if (family === 4) return { host: raw.subarray(0, 4).join('.'), port };
  if (family !== 6) return NOWHERE;
  const isMapped = raw.subarray(0, 10).every((byte) => byte === 0) && raw[10] === 255;
  if (isMapped && raw[11] === 255) return { host: raw.subarray(12).join('.'), port };
  return { host: shortIpv6(raw), port };
}

function shortIpv6(raw: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((raw[2 * i] ?? 0) << 8) | (raw[2 * i + 1] ?? 0)).toString(16),
  );
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length === 1) return groups.join(':');
  const head = groups.slice(0, best.start).join(':');
  return `${head}::${groups.slice(best.start + best.length).join(':')}`;
}

/**
 * Exists as the one TypeScript mirror of sensor/event.h; layout.test.ts holds the two together.
 *
 * Frame: u32 size, u32 ignored, event, body, padding to 8 bytes. All little endian.
 */
import type { Direction, DropReason, EventKind, Missing, Role, Transport } from './types.ts';

export const MAGIC = 0xf1;
export const VERSION = 1;
export const PREFIX_BYTES = 8;
export const DISCARDED = 0x40000000;
export const SIZE_MASK = 0x3fffffff;
export const CHUNK_BYTES = 16384;
export const COMMAND_BYTES = 16;

/** Offsets from the beginning of the event. */
export const EVENT = {
  magic: 0,
  version: 1,
  kind: 2,
  direction: 3,
  watch: 4,
  time_ns: 8,
  connection: 16,
  position: 24,
  tgid: 32,
  tid: 36,
  length_bytes: 40,
  copied_bytes: 44,
  flags: 48,
  missing: 49,
  number: 50,
  sequence: 52,
} as const;
export const EVENT_BYTES = 56;

export const ADDRESS = { family: 0, port: 2, scope: 4, bytes: 8 } as const;
export const ADDRESS_BYTES = 24;

/** Offsets in the bodies, which begin at EVENT_BYTES. */
export const OPEN = { transport: 0, role: 1, local: 8, peer: 32 } as const;
export const OPEN_BYTES = 56;
export const CLOSE = {
  sent_bytes: 0,
  received_bytes: 8,
  sent_unseen_bytes: 16,
  received_unseen_bytes: 24,
} as const;
export const CLOSE_BYTES = 32;
export const HELLO = { wall_offset_ns: 0, ring_bytes: 8, features: 16 } as const;
export const HELLO_BYTES = 128;
/** `sent`, then one count per drop reason; a count is u64 events, u64 bytes. */
export const COUNT_BYTES = 16;
export const CONTROL = { kind: 0, sequence: 4, netns: 8, watch: 12 } as const;
export const CONTROL_BYTES = 16;
export const CONTROL_KIND = { watch: 1, unwatch: 2, ping: 3 } as const;

export const FLAG = { first: 1, last: 2, peer: 4, before_attach: 8, core_dumped: 16 } as const;

/** Numbers of event.h as indexes. */
export const KINDS: readonly (EventKind | undefined)[] = [
  undefined,
  'open',
  'data',
  'close',
  'shutdown',
  'upgrade',
  'fork',
  'exec',
  'exit',
  'opaque',
  'hello',
  'answer',
  'stats',
];
export const DIRECTIONS: readonly Direction[] = ['sent', 'received'];
export const SHUTDOWNS = ['sent', 'received', 'both'] as const;
export const ROLES: readonly Role[] = ['unknown', 'inbound', 'outbound'];
export const TRANSPORTS: readonly Transport[] = ['tcp', 'udp'];
export const MISSING: readonly Missing[] = ['none', 'file', 'unreadable', 'truncated', 'discarded'];
export const OPAQUE = ['io_uring', 'compat32'] as const;
export const DROPS: readonly DropReason[] = ['ring-full', 'table-full', 'unreadable', 'urgent'];

export const STATS_BYTES = COUNT_BYTES * (1 + DROPS.length);
export const FRAME_BYTES_MAX = PREFIX_BYTES + EVENT_BYTES + ADDRESS_BYTES + CHUNK_BYTES;

/** The least size of a whole event, by kind: less is a broken stream. */
export const LEAST_BYTES: readonly number[] = KINDS.map((kind) => {
  if (kind === 'open') return EVENT_BYTES + OPEN_BYTES;
  if (kind === 'close') return EVENT_BYTES + CLOSE_BYTES;
  if (kind === 'hello') return EVENT_BYTES + HELLO_BYTES;
  if (kind === 'stats') return EVENT_BYTES + STATS_BYTES;
  if (kind === 'fork' || kind === 'exec' || kind === 'exit' || kind === 'upgrade')
    return EVENT_BYTES + COMMAND_BYTES;
  return EVENT_BYTES;
});

// What the recorder remembers of one socket beside its bytes: ends, positions, what is missing,
// and just enough of its course to notice a failing answer without reading messages.
import type { Instant } from '../domain/time.ts';
import type {
  Chunk,
  Direction,
  Endpoint,
  Gap,
  GapReason,
  Side,
  Transport,
} from '../domain/wire.ts';
import type { ConnectionHead, Protocol } from '../protocols/protocol.ts';
import type { Slab } from './slab.ts';
import type { State, Turns } from './turns.ts';

/** A gap with the time at which it was noticed. */
export interface TimedGap extends Gap {
  at: Instant;
}

export interface TrackedOptions {
  index: number;
  id: string;
  direction: Direction;
  transport: Transport;
  client: Endpoint;
  server: Endpoint;
  openedAt: Instant;
}

/** Gaps remembered one by one for a connection; older ones are joined to the next. */
const gapsMax = 2048;

/** One socket. Fields are public and flat because the hot path lives on them. */
export class Tracked implements TrackedOptions {
  readonly index: number;
  readonly id: string;
  readonly direction: Direction;
  readonly transport: Transport;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly openedAt: Instant;
  readonly inbound: boolean;
  /** Inbound, from the instance itself, and not to the app's own port. */
  internal = false;
  closedAt: Instant | null = null;
  /** The error number with which connecting failed; 0 when it did not. */
  connectErrno = 0;
  /** Its client began with a TLS handshake. */
  speaksTls = false;
  /** Null until it is known; `opaque` protocols are a protocol, too. */
  protocol: Protocol | null = null;
  /** How often its first bytes were looked at in vain. */
  looks = 0;

  /** Where the next byte of each side has its place. */
  clientNext = 0;
  serverNext = 0;
  /** 0 nothing yet, 1 the client spoke last, 2 the server did. */
  spoke: 0 | 1 | 2 = 0;
  /** Start of the client's present turn: when, and where its first chunk lies. */
  turnAt: Instant = 0;
  turnPos = 0;
  turnSlab: Slab | null = null;
  turnSequence = 0;
  turnIndex = 0;
  lastAt: Instant = 0;
  /** The client sends requests without waiting: cheap boundaries mean nothing here. */
  pipelined = false;
  /** First bytes of an answer that began with fewer than a status line has. */
  head = '';

  gaps: TimedGap[] = [];
  /** Bytes that passed unseen at unknown places, as the kernel counted them at the close. */
  unseenBytes = 0;
  /** Reason for which the rest of it is not understood or not held. */
  broken: GapReason | null = null;
  /** Follows a protocol with state, up to the last full slab. */
  turns: Turns | null = null;
  /** Its state after slabs, oldest first. */
  states: { sequence: number; state: State }[] = [];
  /** What a name look-up asked first, without its id. */
  asked = '';
  /** Chunks of name look-ups that have left the window: names outlive it. */
  kept: Chunk[] = [];
  keptBytes = 0;
  /** Sequence of the last slab that holds a chunk of it. */
  lastSequence = 0;

  constructor(options: TrackedOptions) {
    this.index = options.index;
    this.id = options.id;
    this.direction = options.direction;
    this.transport = options.transport;
    this.client = options.client;
    this.server = options.server;
    this.openedAt = options.openedAt;
    this.inbound = options.direction === 'inbound';
    this.lastAt = options.openedAt;
  }

  next(side: Side): number {
    return side === 'client' ? this.clientNext : this.serverNext;
  }

  /** Writes down bytes that are not held, joined to the gap before where they touch. */
  miss(gap: TimedGap): void {
    const last = this.gaps.at(-1);
    const touches =
      last !== undefined &&
      last.from === gap.from &&
      last.reason === gap.reason &&
      last.pos + last.length === gap.pos;
    if (touches) {
      last.length += gap.length;
      last.at = gap.at;
      return;
    }
    this.gaps.push(gap);
    if (this.gaps.length > gapsMax) this.#joinOldest();
  }

  /** A reader's view of who talks to whom. */
  get asHead(): ConnectionHead {
    const { id, direction, transport, client, server } = this;
    return { id, direction, transport, client, server, serverName: null };
  }

  /** What comes before the chunks of the slab with this sequence. */
  stateBefore(sequence: number): { carried: Chunk[]; opening: readonly Chunk[] } {
    const before = this.states.findLast((each) => each.sequence < sequence)?.state;
    if (before !== undefined) return { carried: before.carried(), opening: before.opening };
    return { carried: this.states[0]?.state.carried() ?? [], opening: [] };
  }

  #joinOldest(): void {
    const side = this.gaps[0]!.from;
    const next = this.gaps.findIndex((gap, index) => index > 0 && gap.from === side);
    const first = this.gaps.shift()!;
    if (next < 0) return;
    const into = this.gaps[next - 1]!;
    into.length = into.pos + into.length - first.pos;
    into.pos = first.pos;
  }
}

export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.') || host.startsWith('::ffff:127.');
}

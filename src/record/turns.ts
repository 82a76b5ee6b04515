// Follows one connection for its state alone: turns that change nothing are left out, so that a
// busy connection costs a look at each message's type instead of a reader's work.
import type { Chunk, Side } from '../domain/wire.ts';
import type { Reader, TurnFilter } from '../protocols/protocol.ts';
import type { Tracked } from './connection.ts';

/** State of a connection between two slabs. */
export interface State {
  sequence: number;
  /** What a reader has to be given before it reads on. */
  carried: Chunk[];
  /** Chunks of the turn that was under way: it goes on in the next slab. */
  opening: Chunk[];
}

/** Longest turn that is put together to be looked at. */
const turnBytesMax = 256 * 1024;

export class Turns {
  readonly #tracked: Tracked;
  readonly #reader: Reader;
  #filter: TurnFilter | null;
  #turn: Chunk[] = [];
  #turnBytes = 0;
  /** The last turn that matters until the next of its kind. */
  #latest: Chunk[] = [];
  /** Where the next byte of each side stands in the recording, and in what the reader was fed. */
  readonly #next: Record<Side, number> = { client: 0, server: 0 };
  readonly #fed: Record<Side, number> = { client: 0, server: 0 };

  constructor(tracked: Tracked, bodyBytesMax: number) {
    this.#tracked = tracked;
    this.#reader = tracked.protocol!.reader(tracked.asHead, { bodyBytesMax });
    const whole = tracked.broken !== 'opened-before-attach';
    this.#filter = (whole && tracked.protocol!.turns?.()) || null;
  }

  /** `chunk.bytes` may be used again once `state` was called. */
  take(chunk: Chunk): void {
    if (chunk.from === 'client' && this.#turn.at(-1)?.from === 'server') this.#end();
    const missing = chunk.pos - this.#next[chunk.from];
    if (missing > 0) this.#miss(chunk.from, missing);
    this.#next[chunk.from] = chunk.pos + chunk.bytes.length;
    if (this.#filter === null) {
      this.#feed([chunk]);
      return;
    }
    this.#turn.push(chunk);
    this.#turnBytes += chunk.bytes.length;
    if (this.#turnBytes > turnBytesMax) this.#giveUp();
  }

  state(): Omit<State, 'sequence'> {
    this.#feed(this.#latest);
    this.#latest = [];
    this.#turn = this.#turn.map(copied);
    return { carried: this.#reader.carried(), opening: this.#turn };
  }

  #end(): void {
    const turn = this.#turn;
    this.#turn = [];
    this.#turnBytes = 0;
    const kind = this.#filter!.turn(joined(turn, 'client'), joined(turn, 'server'));
    if (kind === 'inert') return;
    if (kind === 'needed') this.#feed([...this.#latest, ...turn]);
    this.#latest = kind === 'latest' ? turn : [];
  }

  /** Bytes are not held: from here on the filter could be wrong. */
  #miss(from: Side, length: number): void {
    this.#giveUp();
    const reason = this.#tracked.gaps.find((gap) => gap.from === from)?.reason ?? 'ring-full';
    this.#reader.skip({ from, pos: this.#fed[from], length, reason });
    this.#fed[from] += length;
  }

  #giveUp(): void {
    this.#feed([...this.#latest, ...this.#turn]);
    this.#filter = null;
    this.#turn = [];
    this.#latest = [];
  }

  /** Feeds chunks as if they followed each other: what was left out leaves no gap. */
  #feed(chunks: readonly Chunk[]): void {
    for (const { from, at, bytes } of chunks) {
      // Readers may hold on to what they are fed, and the slab's memory is used again.
      this.#reader.feed({ from, at, pos: this.#fed[from], bytes: new Uint8Array(bytes) });
      this.#fed[from] += bytes.length;
    }
    // The exchanges are of no interest; taking them frees them.
    if (chunks.length > 0) this.#reader.take();
  }
}

function joined(turn: readonly Chunk[], side: Side): Uint8Array {
  const pieces = turn.filter((chunk) => chunk.from === side);
  return pieces.length === 1 ? pieces[0]!.bytes : Buffer.concat(pieces.map(({ bytes }) => bytes));
}

function copied(chunk: Chunk): Chunk {
  return { ...chunk, bytes: new Uint8Array(chunk.bytes) };
}

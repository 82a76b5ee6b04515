// Follows one connection for its state alone: turns that change nothing are left out, so that a
// busy connection costs a look at each message's type instead of a reader's work.
import type { Chunk, Side } from '../domain/wire.ts';
import type { Reader, TurnFilter } from '../protocols/protocol.ts';
import type { Tracked } from './connection.ts';

/**
 * State of a connection between two slabs. Mostly nobody asks for it, so it is put together when
 * somebody does: on a busy app there are hundreds of them a second.
 */
export interface State {
  /** What a reader has to be given before it reads on. */
  carried(): Chunk[];
  /** Chunks of the turn that was under way: it goes on in the next slab. */
  opening: readonly Chunk[];
  /** Whether another state says the same, as far as can be told without putting it together. */
  equals(other: State): boolean;
}

/** Longest turn that is put together to be looked at. */
const turnBytesMax = 256 * 1024;

export class Turns {
  readonly #tracked: Tracked;
  readonly #bodyBytesMax: number;
  readonly #reader: Reader;
  /** What the reader carries on; null since it was fed. */
  #carried: Chunk[] | null = null;
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
    this.#bodyBytesMax = bodyBytesMax;
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

  state(): State {
    this.#latest = this.#latest.map(copied);
    this.#turn = this.#turn.map(copied);
    this.#carried ??= this.#reader.carried();
    return new StateHere({
      ...{ carried: this.#carried, latest: this.#latest, opening: this.#turn },
      follow: (carried, latest) => this.#after(carried, latest),
    });
  }

  /** What is carried on once a turn has followed what was carried so far. */
  #after(carried: readonly Chunk[], latest: readonly Chunk[]): Chunk[] {
    const reader = this.#tracked.protocol!.reader(this.#tracked.asHead, {
      bodyBytesMax: this.#bodyBytesMax,
    });
    for (const chunk of carried) reader.carry?.(chunk);
    for (const chunk of latest) reader.feed(chunk);
    return reader.carried();
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
    this.#carried = null;
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
    if (chunks.length > 0) this.#carried = null;
    for (const { from, at, bytes } of chunks) {
      // Readers may hold on to what they are fed, and the slab's memory is used again.
      this.#reader.feed({ from, at, pos: this.#fed[from], bytes: new Uint8Array(bytes) });
      this.#fed[from] += bytes.length;
    }
    // The exchanges are of no interest; taking them frees them.
    if (chunks.length > 0) this.#reader.take();
  }
}

class StateHere implements State {
  readonly opening: readonly Chunk[];
  readonly #before: Chunk[];
  readonly #latest: readonly Chunk[];
  readonly #follow: (carried: readonly Chunk[], latest: readonly Chunk[]) => Chunk[];

  constructor(options: {
    carried: Chunk[];
    latest: readonly Chunk[];
    opening: readonly Chunk[];
    follow: (carried: readonly Chunk[], latest: readonly Chunk[]) => Chunk[];
  }) {
    this.opening = options.opening;
    this.#before = options.carried;
    this.#latest = options.latest;
    this.#follow = options.follow;
  }

  carried(): Chunk[] {
    return this.#latest.length === 0 ? this.#before : this.#follow(this.#before, this.#latest);
  }

  equals(other: State): boolean {
    if (!(other instanceof StateHere) || other.#before !== this.#before) return false;
    const parts = [this.opening, other.opening, this.#latest, other.#latest];
    return parts.every((part) => part.length === 0);
  }
}

function joined(turn: readonly Chunk[], side: Side): Uint8Array {
  const pieces = turn.filter((chunk) => chunk.from === side);
  return pieces.length === 1 ? pieces[0]!.bytes : Buffer.concat(pieces.map(({ bytes }) => bytes));
}

function copied(chunk: Chunk): Chunk {
  return { ...chunk, bytes: new Uint8Array(chunk.bytes) };
}

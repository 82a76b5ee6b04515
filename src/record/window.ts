// The flight recorder's window of one instance: recent chunks of all its connections in order of
// arrival, bounded in bytes and time. What falls out is gone; what is cut out is copied.
import type { Instant } from '../domain/time.ts';
import type { Side } from '../domain/wire.ts';
import { flag, type Slab, type SlabPool } from './slab.ts';

/** A chunk copied out of the window. */
export interface HeldChunk {
  from: Side;
  pos: number;
  at: Instant;
  bytes: Uint8Array;
  turn: boolean;
  /** Goes on with the datagram of the chunk before. */
  continued: boolean;
  /** The slab in which it lay: tells which carried state comes before it. */
  sequence: number;
}

export interface WindowHooks {
  /** A slab is full: the last time that all of its chunks are seen in order. */
  filled(slab: Slab): void;
}

export class Window {
  readonly #pool: SlabPool;
  readonly #hooks: WindowHooks;
  #slabs: Slab[] = [];
  #current: Slab | null = null;
  /** Memory held, bookkeeping included. */
  heldBytes = 0;
  /** Chunks that arrived before this instant may be gone. */
  lostBefore: Instant = 0;

  constructor(pool: SlabPool, hooks: WindowHooks) {
    this.#pool = pool;
    this.#hooks = hooks;
  }

  /** Copies a chunk in. Returns the slab it begins in; its index there is `count - 1`. */
  append(connection: number, pos: number, at: Instant, flags: number, payload: Uint8Array): Slab {
    const slab = this.claim(connection, pos, at, flags, payload.length);
    if (slab === null) return this.#appendInParts(connection, pos, at, flags, payload);
    slab.bytes.set(payload, slab.used - payload.length);
    return slab;
  }

  /**
   * Makes room for a chunk, which the caller copies to the last `length` bytes in use of the slab:
   * the hot path, without an object per chunk. Null when it is longer than a slab.
   */
  claim(connection: number, pos: number, at: Instant, flags: number, length: number): Slab | null {
    let slab = this.#current;
    if (slab === null || slab.count === slab.chunksMax || slab.used + length > slab.bytes.length) {
      if (length > this.#pool.slabBytes) return null;
      slab = this.#roll();
    }
    const index = slab.count++;
    slab.connection[index] = connection;
    slab.pos[index] = pos;
    slab.at[index] = at;
    slab.offset[index] = slab.used;
    slab.length[index] = length;
    slab.flags[index] = flags;
    slab.used += length;
    if (at < slab.minAt) slab.minAt = at;
    if (at > slab.maxAt) slab.maxAt = at;
    return slab;
  }

  /** Gives up the oldest slabs until the bounds hold. */
  evict(options: { bytesMax: number; notBefore: Instant; slabMs: number }): void {
    const current = this.#current;
    if (current !== null && current.maxAt - current.minAt > options.slabMs * 1000) this.#close();
    // The open slab of a quiet instance must age out too.
    else if (current !== null && current.maxAt < options.notBefore) this.#close();
    let drop = 0;
    let bytes = this.heldBytes;
    while (drop < this.#slabs.length) {
      const oldest = this.#slabs[drop]!;
      const old = oldest.maxAt < options.notBefore;
      if (!old && (bytes <= options.bytesMax || oldest === this.#current)) break;
      bytes -= oldest.memoryBytes;
      drop++;
    }
    this.#drop(drop);
  }

  /** Sequence of the oldest slab held; infinite when there is none. */
  get oldestSequence(): number {
    return this.#slabs[0]?.sequence ?? Number.POSITIVE_INFINITY;
  }

  /** Sequence of the slab at a fraction of the window, counted from its oldest. */
  sequenceAt(fraction: number): number {
    return this.#slabs[Math.floor((this.#slabs.length - 1) * fraction)]?.sequence ?? 0;
  }

  clear(): void {
    this.#drop(this.#slabs.length);
  }

  /** Slabs that may hold chunks of `from`..`to`, oldest first; read only. */
  slabs(from: Instant, to: Instant): Slab[] {
    return this.#slabs.filter((slab) => slab.maxAt >= from && slab.minAt <= to);
  }

  /** Copies one chunk out. */
  copy(slab: Slab, index: number): HeldChunk {
    const offset = slab.offset[index]!;
    const flags = slab.flags[index]!;
    return {
      from: (flags & flag.client) !== 0 ? 'client' : 'server',
      pos: slab.pos[index]!,
      at: slab.at[index]!,
      bytes: new Uint8Array(slab.bytes.subarray(offset, offset + slab.length[index]!)),
      turn: (flags & flag.turn) !== 0,
      continued: (flags & flag.continued) !== 0,
      sequence: slab.sequence,
    };
  }

  #roll(): Slab {
    this.#close();
    const slab = this.#pool.take();
    this.heldBytes += slab.memoryBytes;
    this.#slabs.push(slab);
    this.#current = slab;
    return slab;
  }

  #close(): void {
    const slab = this.#current;
    this.#current = null;
    if (slab !== null) this.#hooks.filled(slab);
  }

  #drop(count: number): void {
    if (count === 0) return;
    for (const slab of this.#slabs.splice(0, count)) {
      if (slab === this.#current) this.#close();
      if (slab.maxAt > this.lostBefore) this.lostBefore = slab.maxAt;
      this.heldBytes -= slab.memoryBytes;
      this.#pool.give(slab);
    }
  }

  #appendInParts(
    connection: number,
    pos: number,
    at: Instant,
    flags: number,
    payload: Uint8Array,
  ): Slab {
    const size = this.#pool.slabBytes;
    let first: Slab | null = null;
    for (let done = 0; done < payload.length; done += size) {
      const part = payload.subarray(done, done + size);
      const partFlags = done === 0 ? flags : (flags & flag.client) | flag.continued;
      const slab = this.append(connection, pos + done, at, partFlags, part);
      first ??= slab;
    }
    return first!;
  }
}

// Memory of the flight recorder: chunks lie in large blocks that are filled, given up whole and
// used again, so that recording a message costs a copy and a few array stores, and no garbage.
import type { Instant } from '../domain/time.ts';

/** What a chunk's flag byte says. */
export const flag = {
  /** The client sent it, else the server did. */
  client: 1,
  /** The client speaks after the server spoke (or first): an exchange may begin here. */
  turn: 2,
  /** Goes on with the datagram of the chunk before. */
  continued: 4,
} as const;

/** Bytes of bookkeeping per chunk in a slab: the arrays below. */
const chunkOverheadBytes = 4 + 8 + 8 + 4 + 4 + 1;

/** A block of chunks in order of arrival. The arrays run in parallel, `count` entries each. */
export class Slab {
  readonly bytes: Buffer;
  readonly connection: Uint32Array;
  readonly pos: Float64Array;
  readonly at: Float64Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  readonly flags: Uint8Array;
  readonly chunksMax: number;
  readonly memoryBytes: number;
  sequence = 0;
  used = 0;
  count = 0;
  minAt: Instant = 0;
  maxAt: Instant = 0;

  constructor(bytesMax: number) {
    this.chunksMax = Math.max(16, bytesMax >> 6);
    this.memoryBytes = bytesMax + this.chunksMax * chunkOverheadBytes;
    this.bytes = Buffer.allocUnsafeSlow(bytesMax);
    this.connection = new Uint32Array(this.chunksMax);
    this.pos = new Float64Array(this.chunksMax);
    this.at = new Float64Array(this.chunksMax);
    this.offset = new Uint32Array(this.chunksMax);
    this.length = new Uint32Array(this.chunksMax);
    this.flags = new Uint8Array(this.chunksMax);
  }

  /** Empties it for its next use. */
  reset(sequence: number): void {
    this.sequence = sequence;
    this.used = 0;
    this.count = 0;
    this.minAt = Number.POSITIVE_INFINITY;
    this.maxAt = 0;
  }
}

/** Slabs of one size for all windows, with their memory counted. */
export class SlabPool {
  readonly slabBytes: number;
  readonly #spare: Slab[] = [];
  readonly #spareMax: number;
  /** Memory of the slabs that are in use. */
  heldBytes = 0;
  #sequence = 0;

  constructor(options: { slabBytes: number; spareMax: number }) {
    this.slabBytes = options.slabBytes;
    this.#spareMax = options.spareMax;
  }

  take(): Slab {
    const slab = this.#spare.pop() ?? new Slab(this.slabBytes);
    slab.reset(++this.#sequence);
    this.heldBytes += slab.memoryBytes;
    return slab;
  }

  give(slab: Slab): void {
    this.heldBytes -= slab.memoryBytes;
    // A sequence of 0 tells whoever still refers to the slab that its chunk is gone.
    slab.sequence = 0;
    if (this.#spare.length < this.#spareMax) this.#spare.push(slab);
  }
}

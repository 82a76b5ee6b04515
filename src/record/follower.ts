// Keeps what outlives the window: the state of protocols that refer back (named prepared statements
// of a pooled connection), and the answers of name look-ups. Works a full slab at a time.
import type { Chunk } from '../domain/wire.ts';
import type { Tracked } from './connection.ts';
import { Names } from './names.ts';
import { flag, type Slab } from './slab.ts';

/** Bytes of one look-up's connection that are kept. */
const nameBytesMax = 16 * 1024;
/** States remembered per connection; each stands for the time from one slab on. */
const statesMax = 128;

export class Follower {
  readonly #connections: Map<number, Tracked>;
  readonly #bodyBytesMax: number;
  readonly #names = new Names();

  constructor(options: { connections: Map<number, Tracked>; bodyBytesMax: number }) {
    this.#connections = options.connections;
    this.#bodyBytesMax = options.bodyBytesMax;
  }

  /** Reads the chunks of a full slab that somebody may need after it is gone. */
  follow(slab: Slab): void {
    const touched = new Set<Tracked>();
    let lastIndex = -1;
    let tracked: Tracked | undefined;
    for (let index = 0; index < slab.count; index++) {
      const connection = slab.connection[index]!;
      if (connection !== lastIndex) {
        lastIndex = connection;
        tracked = this.#connections.get(connection);
      }
      if (tracked === undefined || tracked.protocol === null) continue;
      if (tracked.protocol.lasting === 'names') keep(tracked, slab, index);
      else if (tracked.protocol.lasting === 'state') {
        this.#feed(tracked, chunkOf(slab, index));
        touched.add(tracked);
      }
    }
    for (const each of touched) remember(each, slab.sequence);
  }

  /** A closed connection has left the window. */
  forget(tracked: Tracked): void {
    if (tracked.kept.length > 0) this.#names.add(tracked);
  }

  names(): Tracked[] {
    return this.#names.all();
  }

  #feed(tracked: Tracked, chunk: Chunk): void {
    tracked.follower ??= tracked.protocol!.reader(tracked.asHead, {
      bodyBytesMax: this.#bodyBytesMax,
    });
    for (const gap of tracked.gaps) {
      if (gap.at <= chunk.at && gap.pos >= tracked.followed[gap.from]) {
        tracked.follower.skip(gap);
        tracked.followed[gap.from] = gap.pos + Math.max(1, gap.length);
      }
    }
    tracked.follower.feed(chunk);
    tracked.followed[chunk.from] = chunk.pos + chunk.bytes.length;
  }
}

function remember(tracked: Tracked, sequence: number): void {
  // The exchanges are of no interest here; taking them frees them.
  tracked.follower!.take();
  const chunks = tracked.follower!.carried();
  const last = tracked.carried.at(-1)?.chunks;
  const same =
    last !== undefined &&
    last.length === chunks.length &&
    last.every(({ pos, bytes }, index) => {
      const chunk = chunks[index]!;
      return pos === chunk.pos && bytes.length === chunk.bytes.length;
    });
  if (same) return;
  tracked.carried.push({ sequence, chunks });
  if (tracked.carried.length > statesMax) tracked.carried.shift();
}

function keep(tracked: Tracked, slab: Slab, index: number): void {
  if (tracked.keptBytes > nameBytesMax) return;
  const chunk = chunkOf(slab, index);
  tracked.keptBytes += chunk.bytes.length;
  tracked.kept.push(chunk);
}

function chunkOf(slab: Slab, index: number): Chunk {
  const offset = slab.offset[index]!;
  return {
    from: (slab.flags[index]! & flag.client) !== 0 ? 'client' : 'server',
    pos: slab.pos[index]!,
    at: slab.at[index]!,
    // Readers may hold on to what they are fed, and the slab's memory is used again.
    bytes: new Uint8Array(slab.bytes.subarray(offset, offset + slab.length[index]!)),
  };
}

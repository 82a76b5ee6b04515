// Keeps what outlives the window: the state of protocols that refer back (named prepared statements
// of a pooled connection), and the answers of name look-ups. Works a full slab at a time.
import type { Chunk } from '../domain/wire.ts';
import type { Tracked } from './connection.ts';
import { Names } from './names.ts';
import { flag, type Slab } from './slab.ts';
import { Turns } from './turns.ts';

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
        tracked.turns ??= new Turns(tracked, this.#bodyBytesMax);
        tracked.turns.take(chunkOf(slab, index));
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
}

/** Writes down the state after a slab, unless it is the one before. */
function remember(tracked: Tracked, sequence: number): void {
  const state = tracked.turns!.state();
  if (tracked.states.at(-1)?.state.equals(state)) return;
  tracked.states.push({ sequence, state });
  if (tracked.states.length > statesMax) tracked.states.shift();
}

function keep(tracked: Tracked, slab: Slab, index: number): void {
  if (tracked.keptBytes > nameBytesMax) return;
  const chunk = chunkOf(slab, index);
  tracked.keptBytes += chunk.bytes.length;
  tracked.kept.push({ ...chunk, bytes: new Uint8Array(chunk.bytes) });
}

/** The chunk where it lies: its bytes are valid until the slab is given up. */
function chunkOf(slab: Slab, index: number): Chunk {
  const offset = slab.offset[index]!;
  return {
    from: (slab.flags[index]! & flag.client) !== 0 ? 'client' : 'server',
    pos: slab.pos[index]!,
    at: slab.at[index]!,
    bytes: slab.bytes.subarray(offset, offset + slab.length[index]!),
  };
}

/** A wire for tests: says what each side sends, cuts it anywhere, loses parts of it. */
import type { Exchange } from '../domain/exchange.ts';
import type { Chunk, Connection, Side } from '../domain/wire.ts';
import type { ConnectionHead, Protocol } from './protocol.ts';

/** What one side says in one go. */
export type Said = [from: Side, bytes: Uint8Array | string];

export const head: ConnectionHead = {
  id: 'c1',
  direction: 'outbound',
  transport: 'tcp',
  client: { address: '10.0.0.2', port: 40000 },
  server: { address: '10.0.0.3', port: 80 },
  serverName: null,
};

/** Chunks with positions and ascending times, each at most `cut` bytes long. */
export function chunksOf(said: readonly Said[], cut = Number.POSITIVE_INFINITY): Chunk[] {
  const next = { client: 0, server: 0 };
  const chunks: Chunk[] = [];
  for (const [from, what] of said) {
    const bytes = typeof what === 'string' ? new TextEncoder().encode(what) : what;
    for (let at = 0; at < bytes.length; at += cut) {
      const piece = Uint8Array.from(bytes.subarray(at, at + cut));
      chunks.push({ from, pos: next[from], at: 1000 + chunks.length, bytes: piece });
      next[from] += piece.length;
    }
  }
  return chunks;
}

/** Each chunk cut in two after `first` bytes of it. */
export function cutAfter(chunks: readonly Chunk[], first: number): Chunk[] {
  return chunks.flatMap((chunk) => {
    if (chunk.bytes.length <= first) return [chunk];
    const rest = { ...chunk, pos: chunk.pos + first, bytes: chunk.bytes.slice(first) };
    return [{ ...chunk, bytes: chunk.bytes.slice(0, first) }, rest];
  });
}

/** Feeds chunks; a jump of positions is for the reader to see. */
export function read(protocol: Protocol, chunks: readonly Chunk[], options: ReadOptions = {}) {
  const { bodyBytesMax = 1 << 20, open = false, as = head } = options;
  const reader = protocol.reader(as, { bodyBytesMax });
  const exchanges: Exchange[] = [];
  for (const chunk of chunks) {
    reader.feed(chunk);
    exchanges.push(...reader.take());
  }
  reader.close(9999, open);
  exchanges.push(...reader.take());
  return exchanges;
}

export interface ReadOptions {
  bodyBytesMax?: number;
  open?: boolean;
  as?: ConnectionHead;
}

export function connectionOf(chunks: Chunk[], more: Partial<Connection> = {}): Connection {
  return {
    ...head,
    openedAt: 1000,
    closedAt: 9999,
    protocol: null,
    gaps: [],
    carried: [],
    chunks,
    ...more,
  };
}

/** Without times, which depend on where chunks were cut. */
export function timeless(exchanges: readonly Exchange[]) {
  const plain = (part: Exchange['request']) =>
    part === null ? null : { range: part.range, meaning: part.meaning };
  return exchanges.map((one) => ({
    ...one,
    request: plain(one.request),
    response: plain(one.response),
  }));
}

/** Mulberry32: the same numbers from the same seed, in [0, 1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

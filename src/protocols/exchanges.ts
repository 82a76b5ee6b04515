/** From connections to exchanges: finds out what each speaks, reads it, and names its server. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../domain/exchange.ts';
import type { Recording } from '../domain/recording.ts';
import type { Chunk, Connection, Gap, Side } from '../domain/wire.ts';
import { namesIn } from './dns/names.ts';
import type { Peek, Protocol } from './protocol.ts';
import { protocols } from './protocols.ts';

export interface ExchangesOptions {
  /** Bodies of one exchange above it are not put together: it ends as a gap. */
  bodyBytesMax: number;
  /** More connections to learn names of servers from (the boot recording's). */
  namesFrom: readonly Connection[];
}

export const exchangesDefaults: ExchangesOptions = { bodyBytesMax: 64 << 20, namesFrom: [] };

/** Bytes of either side that are looked at in order to tell the protocol. */
const peekBytesMax = 8192;

/**
 * Every exchange of the connections, connection by connection, in order of their requests. Ids are
 * `CONNECTION/ORDINAL` with ordinals from 1, stable for the same bytes. Outbound ones get
 * the name that the app looked up for the server's address, where a DNS answer says it.
 */
export function exchangesOf(
  source: Pick<Recording, 'connections'> | readonly Connection[],
  options: Partial<ExchangesOptions> = {},
): Exchange[] {
  const { bodyBytesMax, namesFrom } = { ...exchangesDefaults, ...options };
  const connections = 'connections' in source ? source.connections : source;
  const read = connections.map((connection) => readConnection(connection, bodyBytesMax));
  const known = new Set(connections.map((connection) => connection.id));
  const more = namesFrom.filter(
    (connection) => connection.transport === 'udp' && !known.has(connection.id),
  );
  const looked = [...more.map((one) => readConnection(one, bodyBytesMax)), ...read].flat();
  const names = namesIn(looked.filter((exchange) => exchange.protocol === 'dns'));
  for (const exchange of read.flat()) {
    if (exchange.direction !== 'outbound' || exchange.serverName !== null) continue;
    const at = exchange.request?.startedAt ?? exchange.response?.startedAt ?? 0;
    exchange.serverName = names.nameOf(exchange.server.address, at);
  }
  return read.flat();
}

/** What a connection speaks, by its own statement or by its first bytes; `opaque` at the last. */
export function protocolOf(connection: Connection): Protocol {
  const stated = protocols.find((protocol) => protocol.name === connection.protocol);
  if (stated !== undefined) return stated;
  const starts = [0, joinsAt(connection.chunks)];
  for (const start of starts) {
    const peek = peekOf(connection, start);
    const found = protocols.find((one) => one.name !== 'opaque' && one.detect(peek) === 'yes');
    if (found !== undefined) return found;
  }
  return protocols.at(-1)!;
}

/**
 * The bytes that one side sent at a range of its stream, whole or null: with the `range` of an
 * exchange's part, the raw bytes beside the meaning.
 */
export function rawBytes(
  connection: Connection,
  place: { from: Side; start: number; end: number },
): Uint8Array | null {
  const pieces: Uint8Array[] = [];
  let at = place.start;
  for (const chunk of connection.chunks) {
    if (chunk.from !== place.from || at >= place.end) continue;
    const end = chunk.pos + chunk.bytes.length;
    if (end <= at || chunk.pos > at) continue;
    const piece = chunk.bytes.subarray(at - chunk.pos, Math.min(end, place.end) - chunk.pos);
    pieces.push(piece);
    at += piece.length;
  }
  return at >= place.end ? Buffer.concat(pieces) : null;
}

function readConnection(connection: Connection, bodyBytesMax: number): Exchange[] {
  const head = { ...connection, serverName: null };
  const reader = protocolOf(connection).reader(head, { bodyBytesMax });
  for (const chunk of connection.carried) reader.carry?.(chunk);
  const exchanges: Exchange[] = [];
  for (const event of inOrder(connection)) {
    if ('bytes' in event) reader.feed(event);
    else reader.skip(event);
    exchanges.push(...reader.take());
  }
  const last = connection.closedAt ?? connection.chunks.at(-1)?.at ?? connection.openedAt;
  reader.close(last, connection.closedAt === null);
  exchanges.push(...reader.take());
  return exchanges;
}

/**
 * Chunks with the gaps between them. A gap has a place but no time: it is told as soon as the
 * bytes before it are, which is when it happened where the app itself caused it (sendfile).
 */
function* inOrder(connection: Connection): Generator<Chunk | Gap> {
  const waiting: Record<Side, Gap[]> = { client: [], server: [] };
  for (const gap of connection.gaps) waiting[gap.from].push(gap);
  const next: Record<Side, number> = { client: 0, server: 0 };
  for (const side of ['client', 'server'] as const) {
    waiting[side].sort((a, b) => a.pos - b.pos);
    yield* due(waiting[side], next, side);
  }
  for (const chunk of connection.chunks) {
    next[chunk.from] = Math.max(next[chunk.from], chunk.pos);
    yield* due(waiting[chunk.from], next, chunk.from);
    yield chunk;
    next[chunk.from] = Math.max(next[chunk.from], chunk.pos + chunk.bytes.length);
    yield* due(waiting[chunk.from], next, chunk.from);
  }
  yield* waiting.client;
  yield* waiting.server;
}

function* due(gaps: Gap[], next: Record<Side, number>, side: Side): Generator<Gap> {
  for (let gap = gaps[0]; gap !== undefined && gap.pos <= next[side]; gap = gaps[0]) {
    gaps.shift();
    next[side] = Math.max(next[side], gap.pos + gap.length);
    yield gap;
  }
}

/** Index of the first chunk of the client that follows one of the server. */
function joinsAt(chunks: readonly Chunk[]): number {
  const answer = chunks.findIndex((chunk) => chunk.from === 'server');
  const next = chunks.findIndex((chunk, i) => i > answer && chunk.from === 'client');
  return answer < 0 || next < 0 ? 0 : next;
}

function peekOf(connection: Connection, start: number): Peek {
  const firstOf = (side: Side) => {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for (let i = start; i < connection.chunks.length && length < peekBytesMax; i += 1) {
      const chunk = connection.chunks[i]!;
      if (chunk.from !== side) continue;
      pieces.push(chunk.bytes);
      length += chunk.bytes.length;
      if (connection.transport === 'udp') break;
    }
    return new Uint8Array(Buffer.concat(pieces).subarray(0, peekBytesMax));
  };
  return {
    transport: connection.transport,
    serverPort: connection.server.port,
    client: firstOf('client'),
    server: firstOf('server'),
  };
}

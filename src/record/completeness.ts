// How much is held of what a recording is about, and why not more. Errs on the side of saying so: a
// recording that claims to be whole and is not would make a verdict worthless.
import type { ByteRange, Exchange, ExchangePart } from '../domain/exchange.ts';
import type { Completeness } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';
import { type Chunk, type Connection, endpointText, type Gap, type Side } from '../domain/wire.ts';
import { protocols } from '../protocols/protocols.ts';

export interface CompletenessOptions {
  connections: readonly Connection[];
  /** The exchanges that the recording is about: the trigger and its calls, or all of a boot. */
  exchanges: readonly Exchange[];
  /** Every exchange that could be read of the connections. */
  all: readonly Exchange[];
  /** The time in which they happened: gaps without a readable exchange count by it. */
  from: Instant;
  to: Instant;
  /** What is known to be missing beside the connections themselves. */
  reasons: readonly string[];
  /** Gaps with the time at which they were noticed, by connection. */
  gapsAt: (connection: Connection, range: { from: Instant; to: Instant }) => Gap[];
}

export function completenessOf(options: CompletenessOptions): Completeness {
  const reasons = new Set(options.reasons);
  let seenBytes = 0;
  let totalBytes = 0;
  const used = new Map<string, Exchange[]>();
  for (const exchange of options.exchanges) {
    used.set(exchange.connectionId, [...(used.get(exchange.connectionId) ?? []), exchange]);
  }
  for (const connection of options.connections) {
    const exchanges = used.get(connection.id) ?? [];
    const gaps = new Set(exchanges.flatMap((exchange) => gapsOf(connection, exchange)));
    const late = options.gapsAt(connection, { from: options.from, to: options.to });
    for (const gap of late) {
      const same = [...gaps].some((each) => each.from === gap.from && each.pos === gap.pos);
      if (!same) gaps.add(gap);
    }
    const missing = [...gaps].reduce((sum, gap) => sum + gap.length, 0);
    const held = exchanges.reduce((sum, exchange) => sum + bytesOf(exchange), 0);
    const within = exchanges
      .flatMap((exchange) => gapsOf(connection, exchange))
      .reduce((sum, gap) => sum + gap.length, 0);
    totalBytes += held - within + missing;
    seenBytes += held - within;
    for (const gap of gaps) reasons.add(gapText(connection, gap));
  }
  for (const connection of options.connections) {
    const bytes = unreadBytes(connection, options);
    if (bytes === 0) continue;
    totalBytes += bytes;
    const to = endpointText(connection.server);
    reasons.add(`${bytes} bytes sent to ${to} on connection ${connection.id} could not be read`);
  }
  for (const exchange of options.exchanges) {
    if (exchange.end !== 'gap' && exchange.end !== 'malformed') continue;
    const what = exchange.end === 'gap' ? 'is not held whole' : 'could not be read';
    reasons.add(`exchange ${exchange.id} (${exchange.protocol}) ${what}`);
  }
  return { seenBytes, totalBytes, reasons: [...reasons].slice(0, reasonsMax) };
}

const reasonsMax = 20;

/**
 * Bytes that the app sent in the time, that were answered, and that no exchange accounts for: a
 * protocol whose beginning is not held cannot say what they ask.
 */
function unreadBytes(connection: Connection, options: CompletenessOptions): number {
  if (connection.direction !== 'outbound') return 0;
  const read = options.all.filter((each) => each.connectionId === connection.id);
  const protocol = protocols.find(({ name }) => name === connection.protocol);
  const lastAnswer = connection.chunks.findLastIndex((chunk) => chunk.from === 'server');
  return connection.chunks
    .filter((chunk, index) => {
      if (chunk.from !== 'client' || index > lastAnswer) return false;
      if (chunk.at < options.from || chunk.at > options.to) return false;
      if (read.some((exchange) => accountsFor(exchange, chunk))) return false;
      return protocol?.onlyFrames?.(chunk.bytes) !== true;
    })
    .reduce((sum, chunk) => sum + chunk.bytes.length, 0);
}

/** By its bytes, or by its time: what is said in a handshake is part of no request. */
function accountsFor({ request, response }: Exchange, chunk: Chunk): boolean {
  if (request === null) return false;
  const end = chunk.pos + chunk.bytes.length;
  if (request.range.start < end && request.range.end > chunk.pos) return true;
  return request.startedAt <= chunk.at && chunk.at <= (response ?? request).endedAt;
}

/** Gaps that fall into an exchange's own bytes. */
function gapsOf(connection: Connection, exchange: Exchange): Gap[] {
  const requests: Side = 'client';
  const touches = (part: ExchangePart | null, side: Side) =>
    connection.gaps.filter(
      (gap) => part !== null && gap.from === side && overlap(part.range, gap) && gap.length > 0,
    );
  return [...touches(exchange.request, requests), ...touches(exchange.response, 'server')];
}

function overlap(range: ByteRange, gap: Gap): boolean {
  return gap.pos < range.end && gap.pos + gap.length > range.start;
}

function bytesOf(exchange: Exchange): number {
  const length = (part: ExchangePart | null) => (part ? part.range.end - part.range.start : 0);
  return length(exchange.request) + length(exchange.response);
}

function gapText(connection: Connection, gap: Gap): string {
  const size = gap.length === 0 ? 'an unknown number of' : `${gap.length}`;
  const peer = connection.direction === 'inbound' ? connection.client : connection.server;
  const side = gap.from === 'client' ? 'request' : 'answer';
  const where = `${connection.direction} connection ${connection.id} (${endpointText(peer)})`;
  return `${size} ${side} bytes of ${where} are missing: ${gap.reason}`;
}

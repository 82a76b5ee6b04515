/** What the wire meant: a request with its response, or its absence. */
import type { Instant } from './time.ts';
import type { Direction, Endpoint } from './wire.ts';

/** Where a part's raw bytes stand in the stream of the side that sent them; `end` is exclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/** One half of an exchange. `meaning` is plain JSON whose shape the protocol documents. */
export interface ExchangePart {
  range: ByteRange;
  startedAt: Instant;
  endedAt: Instant;
  meaning: unknown;
}

export type ExchangeEnd =
  /** Both halves are whole. */
  | 'complete'
  /** The connection ended, or the recording did, before the answer was whole. */
  | 'unanswered'
  /** Some of its bytes are not held: it must never be presented as a whole. */
  | 'gap'
  /** The bytes are not of the protocol they were taken for. */
  | 'malformed'
  /** After an upgrade the connection speaks something else. */
  | 'handed-over';

/**
 * What an exchange does to the other side, as far as its protocol can tell. `control` is
 * everything that neither asks nor changes anything there: handshakes, prepares, begin, commit.
 */
export type Effect = 'read' | 'write' | 'control' | 'unknown';

export interface Exchange {
  /** `CONNECTION/ORDINAL`, unique within a recording. */
  id: string;
  connectionId: string;
  ordinal: number;
  direction: Direction;
  protocol: string;
  server: Endpoint;
  /** The name that the app asked for, where the recording says it (HTTP Host, DNS answer). */
  serverName: string | null;
  /** Absent for what the server sends unasked (a NOTIFY, a delivery). */
  request: ExchangePart | null;
  response: ExchangePart | null;
  end: ExchangeEnd;
  effect: Effect;
  /** Set when the answer is an error of the protocol: HTTP 5xx, a PostgreSQL ErrorResponse. */
  error: string | null;
  /** One line for people, without secrets: `GET /orders/7 -> 200 (312 B)`. */
  title: string;
}

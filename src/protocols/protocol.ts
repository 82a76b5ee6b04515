/**
 * The contract of every protocol: pure, bytes to meaning and back, no sockets and no clocks.
 * `find the frame, parse it, pair it`; then `key` it, `explain` it, and `answer` in its words.
 */
import type { Exchange } from '../domain/exchange.ts';
import type { Chunk, Direction, Endpoint, Gap, Side, Transport } from '../domain/wire.ts';

/** What is known of a connection before its protocol is. */
export interface ConnectionHead {
  id: string;
  direction: Direction;
  transport: Transport;
  client: Endpoint;
  server: Endpoint;
  serverName: string | null;
}

/** First bytes of each side, as far as they are there. */
export interface Peek {
  transport: Transport;
  serverPort: number;
  client: Uint8Array;
  server: Uint8Array;
}

/** `more`: not enough bytes to tell. */
export type Detection = 'yes' | 'no' | 'more';

/**
 * Reads one connection as it goes by. Chunks come in order of time, within a side in order of
 * position; may be cut anywhere. Memory is bounded by `bodyBytesMax` of one exchange: what is
 * larger is reported with `end: 'gap'`, never cut silently.
 */
export interface Reader {
  feed(chunk: Chunk): void;
  /** Bytes that are not held. The reader finds its way back to the next exchange by itself. */
  skip(gap: Gap): void;
  /**
   * The connection was closed, or (`open`) only the recording of it ends: what is open is ended.
   * A body that goes on until the close is whole in the first case only.
   */
  close(at: number, open?: boolean): void;
  /** The exchanges that ended since the last call, in order of their requests. */
  take(): Exchange[];
  /**
   * Raw chunks that a new reader must be given first (`carry`) in order to understand what follows
   * from here (PostgreSQL: Parse messages of statements still in use). Mostly none.
   */
  carried(): Chunk[];
  /** Takes a chunk that `carried()` of an earlier reader gave, before anything is fed. */
  carry?(chunk: Chunk): void;
}

/**
 * Tells which turns of one connection leave nothing behind. A turn is what the client said until
 * the server spoke, and what the server said until the client spoke again; all of them, in order,
 * from the beginning of the connection, without gaps.
 */
export interface TurnFilter {
  /**
   * `inert`: a reader that never sees it has the same state afterwards. `latest`: it matters only
   * until the next one that is `latest`. `needed`: neither is certain.
   */
  turn(asked: Uint8Array, answered: Uint8Array): 'needed' | 'latest' | 'inert';
}

export interface ReaderOptions {
  bodyBytesMax: number;
}

/** A question that the app asks in a replay, with its identity. */
export interface Question {
  protocol: string;
  transport: Transport;
  server: Endpoint;
  serverName: string | null;
  /** Equal exact keys: the same question, byte for byte where bytes carry meaning. */
  exactKey: string;
  /** Equal after the protocol's declared normalisation (header order, inert SQL comments ...). */
  normalisedKey: string;
  /** Equal for questions of one form that differ in values only (SQL text; method + path). */
  formKey: string;
  effect: Exchange['effect'];
  title: string;
  /** Named fields, for saying which one differs from the nearest recorded question. */
  fields: Record<string, string>;
  meaning: unknown;
}

/** What the world says to a question. */
export type Reply =
  | { kind: 'recorded'; exchange: Exchange }
  /**
   * The recording does not hold the answer, but successful siblings saw writes of this form
   * acknowledged: answer in their shape. `examples` are those exchanges.
   */
  | { kind: 'assumed'; examples: Exchange[] }
  | { kind: 'none'; explanation: string };

/** What an answerer may use of the world around it. */
export interface AnswererContext {
  head: ConnectionHead;
  /** Recorded exchanges with the same server, to copy handshake parameters from. */
  recorded: readonly Exchange[];
  /** Looks the question up and writes down how it was answered. */
  ask(question: Question): Reply;
  /** Writes down an answer that was made up by protocol and carries no data. */
  synthesised(title: string): void;
  /** Writes down names of values that were made up while answering an `assumed` reply. */
  assumed(names: string[]): void;
  /** The reply to the last question could not be put into an answer: it counts as `none`. */
  unusable?(explanation: string): void;
}

/** The server half of a protocol, for one connection of a replay. */
export interface Answerer {
  /** What to send at once, before the client says anything. */
  open(): Uint8Array[];
  /** Takes what the app sent (cut anywhere) and returns what to send back, in order. */
  receive(bytes: Uint8Array): Uint8Array[];
  /** True once the connection should be closed after what was returned has been sent. */
  readonly closing: boolean;
}

export interface Protocol {
  readonly name: string;
  /**
   * What outlives the exchanges and has to be kept when their bytes are given up: `state`, as
   * `carried()` tells it (prepared statements), or `names`, the exchanges as they are (DNS).
   */
  readonly lasting?: 'state' | 'names';
  /** For those who follow a connection for its state only: spares them most of the reading. */
  turns?(): TurnFilter;
  /**
   * Protocols are asked in the order of the table, and the first that does not say `no` counts:
   * after a `more`, nobody further down (`opaque` takes everything) is asked.
   */
  detect(peek: Peek): Detection;
  reader(head: ConnectionHead, options: ReaderOptions): Reader;
  /**
   * Whether bytes of the client are whole messages that only frame others (PostgreSQL's Sync after
   * an error, a Terminate): answered or not, they are no part of any exchange.
   */
  onlyFrames?(bytes: Uint8Array): boolean;
  /** The question that a recorded exchange answers; null where it answers none. */
  question(exchange: Exchange): Question | null;
  answerer(context: AnswererContext): Answerer;
  /** The exchange as readable text, one line each, values included (redact before showing). */
  explain(exchange: Exchange): string[];
}

export type { Chunk, Gap, Side };

/** Exists so that everything behind the sensor agrees on one shape of what the kernel saw. */

/** From the app's point of view. */
export type Direction = 'sent' | 'received';
export type Role = 'inbound' | 'outbound' | 'unknown';
export type Transport = 'tcp' | 'udp' | 'unix-stream' | 'unix-datagram';

export interface Address {
  /** Dotted IPv4, or IPv6 in its short form. Empty when not known. */
  readonly host: string;
  readonly port: number;
}

/** Why bytes of a data event are absent although their number is known. */
export type Missing =
  | 'none'
  /** sendfile or splice: the bytes never passed through the app's memory. */
  | 'file'
  /** The app's memory could not be read when the call returned. */
  | 'unreadable'
  /** A datagram longer than the buffer the app offered; the app never saw the rest either. */
  | 'truncated'
  /** The app threw the bytes away unread (MSG_TRUNC on a stream). */
  | 'discarded';

/** Fields that every event of the kernel carries. */
interface FromKernel {
  /** The number given to `watch` together with the network namespace. */
  readonly watch: number;
  /** CLOCK_MONOTONIC in nanoseconds; wall clock in ms = timeNs / 1e6 + hello.wallOffsetMs. */
  readonly timeNs: number;
  /** Process and thread as the host counts them. 0 if it happened outside of a process. */
  readonly tgid: number;
  readonly tid: number;
}

interface OfConnection extends FromKernel {
  /** Unique over all sockets and over restarts of the sensor; below 2^53. */
  readonly connection: number;
}

export interface OpenEvent extends OfConnection {
  readonly kind: 'open';
  readonly transport: Transport;
  readonly role: Role;
  readonly local: Address;
  /** Empty host and port 0 for a UDP socket without a fixed peer. */
  readonly peer: Address;
  /** Known only since its first use after the sensor came: earlier bytes were not seen. */
  readonly openedBeforeAttach: boolean;
  /** 0, or the errno with which connect() failed at once (a later failure is in `close`). */
  readonly errno: number;
}

/** A run of bytes of one direction of a TCP connection, or (a part of) one UDP datagram. */
export interface DataEvent extends OfConnection {
  readonly kind: 'data';
  readonly direction: Direction;
  /** Position of the first byte in this direction of this socket, counted from `open`. */
  readonly position: number;
  /** How far this event moves the position: true length, present or not. */
  readonly lengthBytes: number;
  /** The bytes, or the first of them: shorter than lengthBytes only if `missing` says why. */
  readonly payload: Uint8Array;
  readonly missing: Missing;
  /** First / last event of one system call; for UDP: of one datagram. */
  readonly first: boolean;
  readonly last: boolean;
  /** UDP only, if known: the datagram's own peer. */
  readonly peer: Address | undefined;
}

/** The last file descriptor of the socket went away, or (errno != 0) connecting failed. */
export interface CloseEvent extends OfConnection {
  readonly kind: 'close';
  /** Final positions. A position beyond the last data event is a gap at the end. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /**
   * Bytes that TCP itself counted and the sensor did not see pass (io_uring, a race): undeclared
   * otherwise. 0 where the kernel offers no count (UDP).
   */
  readonly sentUnseenBytes: number;
  readonly receivedUnseenBytes: number;
  readonly errno: number;
}

export interface ShutdownEvent extends OfConnection {
  readonly kind: 'shutdown';
  /** SHUT_RD, SHUT_WR or SHUT_RDWR as `how`; 'sent' means the app will send no more. */
  readonly how: 'received' | 'sent' | 'both';
}

/** From here on the bytes of this socket are encrypted by the kernel (kTLS). */
export interface UpgradeEvent extends OfConnection {
  readonly kind: 'upgrade';
  readonly name: string;
}

export interface ForkEvent extends FromKernel {
  readonly kind: 'fork';
  readonly childTgid: number;
  readonly command: string;
}

export interface ExecEvent extends FromKernel {
  readonly kind: 'exec';
  readonly command: string;
}

/** A whole process ended (its last thread). At most one of exitCode and signal is not 0. */
export interface ExitEvent extends FromKernel {
  readonly kind: 'exit';
  readonly exitCode: number;
  readonly signal: number;
  readonly coreDumped: boolean;
  readonly command: string;
}

/** The process does something whose bytes cannot be recorded: declare, do not guess. */
export interface OpaqueEvent extends FromKernel {
  readonly kind: 'opaque';
  readonly reason: 'io_uring' | 'compat32';
}

export interface HelloEvent {
  readonly kind: 'hello';
  readonly version: number;
  /** wall clock (Unix ms) = timeNs / 1e6 + wallOffsetMs. Sent again whenever it changes. */
  readonly wallOffsetMs: number;
  readonly ringBytes: number;
  /** Optional rungs that this kernel allowed, for example 'close-check'. */
  readonly features: readonly string[];
}

/** Answers of the sensor to its control messages; `sequence` is the one of the question. */
export interface AnswerEvent {
  readonly kind: 'answer';
  readonly sequence: number;
  readonly netns: number;
  readonly watch: number;
  /** 0 or an errno. */
  readonly errno: number;
}

export type DropReason =
  /** The ring was full (the server reads too slowly). */
  | 'ring-full'
  /** More sockets at once than the table holds: this socket is not recorded. */
  | 'table-full'
  /** The app's memory could not be read. The event was sent, marked unreadable. */
  | 'unreadable'
  /** Urgent (out-of-band) TCP bytes, which have no position. */
  | 'urgent';

/** Totals since the sensor started; sent every statsEveryMs and at a clean exit. */
export interface StatsEvent {
  readonly kind: 'stats';
  readonly events: number;
  readonly bytes: number;
  readonly drops: Readonly<Record<DropReason, { events: number; bytes: number }>>;
}

export type SensorEvent =
  | OpenEvent
  | DataEvent
  | CloseEvent
  | ShutdownEvent
  | UpgradeEvent
  | ForkEvent
  | ExecEvent
  | ExitEvent
  | OpaqueEvent
  | HelloEvent
  | AnswerEvent
  | StatsEvent;

export type EventKind = SensorEvent['kind'];

/**
 * Some whole events in a row, read without an object per event: call `next()` until it is false,
 * and look at the current event's fields. Everything (also `payload`) is valid only during the
 * listener's call, because the memory is used again: copy what is to be kept.
 *
 *     while (batch.next()) {
 *       if (batch.kind === 'data') ring.append(batch.watch, batch.raw());
 *       else handle(batch.event());
 *     }
 */
export interface EventBatch {
  next(): boolean;
  readonly kind: EventKind;
  readonly watch: number;
  readonly timeNs: number;
  /** 0 for events that belong to no connection. */
  readonly connection: number;
  /** The next five have a meaning for kind 'data' only. */
  readonly direction: Direction;
  /** Likewise: whether the direction is `received`. */
  readonly isReceived: boolean;
  readonly position: number;
  readonly lengthBytes: number;
  readonly copiedBytes: number;
  /** The copied bytes as a view on the batch's memory (no copy). */
  payload(): Uint8Array;
  /** Copies them to `target` from `at` on, where there must be room. */
  copyTo(target: Buffer, at: number): void;
  /** The whole event as it came, fit to be stored and decoded again later (no copy). */
  raw(): Uint8Array;
  /** The current event as an object of its own, payload copied: safe to keep. */
  event(): SensorEvent;
}

/** A stretch of time in which nothing was recorded, or events that the kernel had to drop. */
export type Loss =
  | {
      /** Recording stopped just now; an 'interval' follows when it goes on. */
      readonly kind: 'stopped';
      readonly fromMs: number;
      readonly reason: string;
    }
  | {
      readonly kind: 'interval';
      /** Unix ms. Every connection open at any time in between has unseen bytes. */
      readonly fromMs: number;
      readonly toMs: number;
      readonly reason: string;
    }
  | {
      readonly kind: 'dropped';
      readonly reason: DropReason;
      /** Since the last report. The place is told by the positions of the connections. */
      readonly events: number;
      readonly bytes: number;
    };

export interface Sensor {
  /** Resolves once everything that happens in this network namespace is recorded. */
  watch(netns: number, id: number): Promise<void>;
  /** Resolves once nothing more is recorded of it. */
  unwatch(netns: number): Promise<void>;
  /** Resolves once everything that the kernel saw before the call was given to the listeners. */
  flush(): Promise<void>;
  onEvents(listener: (batch: EventBatch) => void): void;
  onLoss(listener: (loss: Loss) => void): void;
  /** wall clock in Unix ms = timeNs / 1e6 + wallOffsetMs. */
  readonly wallOffsetMs: number;
  close(): Promise<void>;
}

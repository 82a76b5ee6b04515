/** What was seen on the wire, below any protocol: connections, their bytes, and what is missing. */
import type { Instant } from './time.ts';

export interface Endpoint {
  /** IPv4 dotted or IPv6 in RFC 5952 form, without brackets; '' when it is not known. */
  address: string;
  port: number;
}

/** Seen from the app: `inbound` was accepted by it, `outbound` was opened by it. */
export type Direction = 'inbound' | 'outbound';

/** Who sent a byte: the side that opened the connection is the client. */
export type Side = 'client' | 'server';

export type Transport = 'tcp' | 'udp';

/** A run of bytes that one side sent, in its place. For UDP, a chunk is one datagram. */
export interface Chunk {
  from: Side;
  /** Position of the first byte in that side's stream since the connection was opened. */
  pos: number;
  at: Instant;
  bytes: Uint8Array;
}

/** Bytes that were sent and are not held: their place and number are known. */
export interface Gap {
  from: Side;
  pos: number;
  length: number;
  reason: GapReason;
}

export type GapReason =
  | 'ring-full'
  | 'reader-slow'
  | 'sensor-restarted'
  | 'opened-before-attach'
  | 'sendfile'
  | 'io-uring'
  | 'tls'
  | 'fault'
  | 'window'
  | 'size-limit';

/** One socket's two byte streams, or the part of them that a recording holds. */
export interface Connection {
  /** Unique within an instance. */
  id: string;
  direction: Direction;
  transport: Transport;
  client: Endpoint;
  server: Endpoint;
  openedAt: Instant;
  closedAt: Instant | null;
  /** Set when connecting failed, to the error number that the app got (111: refused). */
  connectErrno?: number;
  /** Names a protocol of `protocols/` once it is known, else null. */
  protocol: string | null;
  /** In order of time; within one side also in order of position. */
  chunks: Chunk[];
  gaps: Gap[];
  /**
   * Bytes from before the recorded part that the protocol needs to understand it (PostgreSQL:
   * the Parse messages of statements still in use), as the protocol itself asked to keep them.
   */
  carried: Chunk[];
}

/** `address:port`, with brackets around IPv6. */
export function endpointText(endpoint: Endpoint): string {
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  return `${host}:${endpoint.port}`;
}

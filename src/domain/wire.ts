/** What was seen on the wire, below any protocol: connections, their bytes, and what is missing. */
import type { Instant } from './time.ts';

export interface Endpoint {
  /**
   * IPv4 dotted or IPv6 in RFC 5952 form, without brackets; of a Unix socket its path, or `@name`
   * of an abstract one. '' when it is not known, or when a Unix socket has no name.
   */
  address: string;
  /** 0 of a Unix socket. */
  port: number;
}

/** Seen from the app: `inbound` was accepted by it, `outbound` was opened by it. */
export type Direction = 'inbound' | 'outbound';

/** Who sent a byte: the side that opened the connection is the client. */
export type Side = 'client' | 'server';

export type Transport = 'tcp' | 'udp' | 'unix-stream' | 'unix-datagram';

/** A run of bytes that one side sent, in its place. For datagrams, a chunk is one of them. */
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
  | 'size-limit'
  /** Held once, and overwritten because it could not be redacted in place. */
  | 'redacted';

/** How a connection that speaks TLS was recorded. */
export type Tls =
  /** Chunks, positions and gaps are those of the plaintext, taken from the app's TLS library. */
  | { kind: 'plaintext'; library: string }
  /** They are those of the wire: `reason` says why the plaintext is not held. */
  | { kind: 'opaque'; reason: string };

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
  /** Absent when the connection does not speak TLS, as far as its bytes tell. */
  tls?: Tls;
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

/** `address:port`, with brackets around IPv6; of a Unix socket `unix:` and its path. */
export function endpointText(endpoint: Endpoint): string {
  if (/^[/@]/.test(endpoint.address)) return `unix:${endpoint.address}`;
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  return `${host}:${endpoint.port}`;
}

// UDP sockets as connections: one per peer, each datagram a chunk, positions counted per peer
// because a socket without a fixed peer (musl's resolver asks several servers at once) mixes them.
import type { Instant } from '../domain/time.ts';
import type { Chunk } from '../domain/wire.ts';
import { ByNumber } from './by-number.ts';
import type { Tracked } from './connection.ts';
import type { Address, DataEvent, OpenEvent } from './sensor/types.ts';
import { flag } from './slab.ts';
import type { HeldChunk } from './window.ts';

interface Socket {
  local: Address;
  /** Null when every datagram names its own. */
  peer: Address | null;
  sentNext: number;
  receivedNext: number;
  byPeer: Map<string, Tracked>;
}

/** What a flight does for its datagrams. */
export interface DatagramHost {
  track(options: {
    inbound: boolean;
    transport: 'udp';
    local: Address;
    peer: Address;
    at: Instant;
  }): Tracked;
  append(tracked: Tracked, options: { flags: number; at: Instant; bytes: Uint8Array }): void;
  lost(tracked: Tracked, options: { fromClient: boolean; length: number; at: Instant }): void;
  end(tracked: Tracked, at: Instant): void;
}

/** Peers of one socket that are told apart; datagrams of further ones are not recorded. */
const peersMax = 1000;

export class Datagrams {
  readonly #host: DatagramHost;
  readonly #sockets = new ByNumber<Socket>();

  constructor(host: DatagramHost) {
    this.#host = host;
  }

  has(number: number): boolean {
    return this.#sockets.has(number);
  }

  open(event: OpenEvent): void {
    const peer = event.peer.port === 0 ? null : event.peer;
    const { local } = event;
    const byPeer = new Map<string, Tracked>();
    this.#sockets.set(event.connection, { local, peer, sentNext: 0, receivedNext: 0, byPeer });
  }

  data(event: DataEvent, at: Instant): void {
    const socket = this.#sockets.get(event.connection);
    const peer = event.peer ?? socket?.peer;
    if (socket === undefined || !peer) return;
    const received = event.direction === 'received';
    const tracked = this.#of(socket, { peer, received, at });
    if (tracked === null) return;
    const fromClient = received === tracked.inbound;
    const expected = received ? socket.receivedNext : socket.sentNext;
    const skipped = event.position - expected;
    if (skipped > 0) this.#host.lost(tracked, { fromClient, length: skipped, at });
    const next = event.position + event.lengthBytes;
    if (received) socket.receivedNext = next;
    else socket.sentNext = next;
    const flags = (fromClient ? flag.client | flag.turn : 0) | (event.first ? 0 : flag.continued);
    this.#host.append(tracked, { flags, at, bytes: event.payload });
    const missing = event.lengthBytes - event.payload.length;
    // What did not fit the app's buffer is lost to the app, too.
    if (missing > 0 && event.missing !== 'truncated') {
      this.#host.lost(tracked, { fromClient, length: missing, at });
    }
  }

  close(number: number, at: Instant): void {
    const socket = this.#sockets.get(number);
    this.#sockets.delete(number);
    for (const tracked of socket?.byPeer.values() ?? []) this.#host.end(tracked, at);
  }

  all(): Tracked[] {
    return [...this.#sockets.values()].flatMap((socket) => [...socket.byPeer.values()]);
  }

  #of(socket: Socket, seen: { peer: Address; received: boolean; at: Instant }): Tracked | null {
    const key = `${seen.peer.host} ${seen.peer.port}`;
    const known = socket.byPeer.get(key);
    if (known !== undefined) return known;
    if (socket.byPeer.size >= peersMax) return null;
    const { peer, received, at } = seen;
    const { local } = socket;
    const made = this.#host.track({ inbound: received, transport: 'udp', local, peer, at });
    socket.byPeer.set(key, made);
    return made;
  }
}

/** Chunks of a window as datagrams: one that came in several parts is one again. */
export function joinedDatagrams(held: readonly HeldChunk[]): Chunk[] {
  const chunks: Chunk[] = [];
  for (const { from, pos, at, bytes, continued } of held) {
    const before = chunks.at(-1);
    if (continued && before !== undefined && before.from === from) {
      before.bytes = Buffer.concat([before.bytes, bytes]);
    } else chunks.push({ from, pos, at, bytes });
  }
  return chunks;
}

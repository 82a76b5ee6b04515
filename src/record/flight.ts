// The flight recorder of one instance, fed by the sensor. This is the hot path: per message one
// copy, a few array stores and a few comparisons; whatever costs more is left to those who cut.
import type { Instant } from '../domain/time.ts';
import type { GapReason, Side, Transport } from '../domain/wire.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { looksLikeRequest } from './answers.ts';
import { ByNumber } from './by-number.ts';
import { isLoopback, Tracked } from './connection.ts';
import { type DatagramHost, Datagrams } from './datagrams.ts';
import { Degradations } from './degradations.ts';
import { Detector } from './detector.ts';
import { Follower } from './follower.ts';
import { Inbound, type InboundHooks } from './inbound.ts';
import { askedBy } from './names.ts';
import { Refused } from './refused.ts';
import type { Address, CloseEvent, DataEvent, EventBatch, OpenEvent } from './sensor/types.ts';
import { flag, type SlabPool } from './slab.ts';
import type { Watched } from './types.ts';
import { Window } from './window.ts';

/** What a tracked socket costs in memory beside its chunks, about. */
const connectionBytes = 640;
const nowhere: Address = { host: '', port: 0 };
/** Before a connection's index in its id. */
const idPrefix = 'c';

export class Flight {
  readonly instance: Watched;
  readonly window: Window;
  /** Every connection with chunks in the window, and every open one. */
  readonly connections = new Map<number, Tracked>();
  /** What holds for every recording of this instance: a 32-bit program, say. */
  readonly caveats = new Set<string>();
  /**
   * Set once a process made an io_uring. That alone says nothing (libuv makes one for epoll);
   * with bytes that the kernel counted and nobody saw, it does.
   */
  usesIoUring = false;
  hasUnseen = false;
  readonly degradations = new Degradations();
  readonly refused = new Refused();
  events = 0;
  readonly #inbound: Inbound;
  readonly #open = new ByNumber<Tracked>();
  readonly #datagrams = new Datagrams(this.#datagramHost());
  readonly #closed: Tracked[] = [];
  readonly #detector: Detector;
  readonly #follower: Follower;
  #last: Tracked | null = null;
  #lastNumber = 0;
  #index = 0;

  constructor(options: {
    instance: Watched;
    pool: SlabPool;
    protocols: readonly Protocol[];
    bodyBytesMax: number;
    hooks: InboundHooks;
  }) {
    this.instance = options.instance;
    this.#inbound = new Inbound(options.hooks);
    this.#detector = new Detector(options.protocols, ({ lastAt }) => {
      this.degradations.note('tls', lastAt);
    });
    this.#follower = new Follower({
      connections: this.connections,
      bodyBytesMax: options.bodyBytesMax,
    });
    this.window = new Window(options.pool, { filled: (slab) => this.#follower.follow(slab) });
  }

  get heldBytes(): number {
    return this.window.heldBytes + this.connections.size * connectionBytes;
  }

  get names(): Tracked[] {
    return this.#follower.names();
  }

  byId(id: string): Tracked | null {
    return this.connections.get(Number(id.slice(idPrefix.length))) ?? null;
  }

  open(event: OpenEvent, at: Instant): void {
    this.events++;
    const before = this.#open.get(event.connection);
    if (before !== undefined) this.#end(before, at);
    if (event.transport === 'udp') {
      this.#datagrams.open(event);
      return;
    }
    const inbound =
      event.role === 'inbound' ||
      (event.role === 'unknown' && event.local.port === this.instance.port);
    const { local, peer } = event;
    const tracked = this.#track({ inbound, transport: 'tcp', local, peer, at });
    // An app that talks to a process of its own is both ends: that is nobody's request.
    tracked.internal = inbound && local.port !== this.instance.port && isLoopback(peer.host);
    if (event.openedBeforeAttach) {
      tracked.broken = 'opened-before-attach';
      this.degradations.note('opened-before-attach', at);
    }
    this.#open.set(event.connection, tracked);
  }

  /** The current event of the batch, of kind `data`. */
  data(batch: EventBatch, at: Instant): void {
    this.events++;
    const number = batch.connection;
    let tracked: Tracked | null | undefined = this.#last;
    if (tracked === null || this.#lastNumber !== number) {
      tracked = this.#open.get(number);
      if (tracked === undefined && this.#datagrams.has(number)) {
        this.#datagrams.data(batch.event() as DataEvent, at);
        return;
      }
      tracked ??= this.#unknown(batch, at);
      this.#last = tracked;
      this.#lastNumber = number;
    }
    const fromClient = batch.isReceived === tracked.inbound;
    const pos = batch.position;
    const expected = fromClient ? tracked.clientNext : tracked.serverNext;
    if (pos > expected) this.#miss(tracked, fromClient, expected, pos - expected, at);
    if (pos + batch.lengthBytes <= expected) return;
    if (fromClient) tracked.clientNext = pos + batch.lengthBytes;
    else tracked.serverNext = pos + batch.lengthBytes;
    tracked.lastAt = at;
    const copied = batch.copiedBytes;
    if (copied > 0) this.#take(tracked, fromClient, pos, at, batch);
    if (copied < batch.lengthBytes) {
      const event = batch.event() as DataEvent;
      const reason = event.missing === 'file' ? 'sendfile' : 'fault';
      this.#miss(tracked, fromClient, pos + copied, batch.lengthBytes - copied, at, reason);
    }
  }

  close(event: CloseEvent, at: Instant): void {
    this.events++;
    const tracked = this.#open.get(event.connection);
    if (tracked === undefined) {
      this.#datagrams.close(event.connection, at);
      return;
    }
    const clientBytes = tracked.inbound ? event.receivedBytes : event.sentBytes;
    const serverBytes = tracked.inbound ? event.sentBytes : event.receivedBytes;
    const { clientNext, serverNext } = tracked;
    const [client, server] = [clientBytes - clientNext, serverBytes - serverNext];
    if (client > 0) this.#miss(tracked, true, clientNext, client, at);
    if (server > 0) this.#miss(tracked, false, serverNext, server, at);
    tracked.unseenBytes += event.sentUnseenBytes + event.receivedUnseenBytes;
    if (tracked.unseenBytes > 0) {
      this.hasUnseen = true;
      const kind = this.usesIoUring ? 'io-uring' : 'unseen-bytes';
      this.degradations.note(kind, at, tracked.unseenBytes);
    }
    this.#open.delete(event.connection);
    this.#end(tracked, at);
    if (event.errno !== 0 && tracked.clientNext + tracked.serverNext === 0) {
      tracked.connectErrno = event.errno;
      this.refused.add(tracked);
    }
  }

  upgrade(number: number, at: Instant): void {
    const tracked = this.#open.get(number);
    if (tracked === undefined) return;
    tracked.broken = 'tls';
    this.degradations.note('kernel-tls', at);
    for (const from of ['client', 'server'] as const) {
      tracked.miss({ from, pos: tracked.next(from), length: 0, reason: 'tls', at });
    }
  }

  /** Nothing was recorded for a while: what is open has missed something. */
  interrupted(at: Instant): void {
    for (const tracked of [...this.#open.values(), ...this.#datagrams.all()]) {
      tracked.broken = 'sensor-restarted';
      for (const from of ['client', 'server'] as const) {
        tracked.miss({ from, pos: tracked.next(from), length: 0, reason: 'sensor-restarted', at });
      }
    }
  }

  /** Gives up what is beyond the bounds. */
  evict(options: { bytesMax: number; notBefore: Instant; slabMs: number }): void {
    const chunkBytesMax = options.bytesMax - this.connections.size * connectionBytes;
    this.window.evict({ ...options, bytesMax: Math.max(0, chunkBytesMax) });
    this.refused.forget(options.notBefore);
    const oldest = this.window.oldestSequence;
    while (this.#closed.length > 0 && this.#closed[0]!.lastSequence < oldest) {
      const gone = this.#closed.shift()!;
      this.#follower.forget(gone);
      this.connections.delete(gone.index);
    }
  }

  #take(tracked: Tracked, fromClient: boolean, pos: number, at: Instant, batch: EventBatch) {
    let flags = 0;
    let turned = false;
    if (fromClient) {
      flags = flag.client;
      if (tracked.spoke !== 1) {
        flags |= flag.turn;
        turned = true;
        tracked.spoke = 1;
      }
    } else if (tracked.spoke !== 2) {
      tracked.spoke = 2;
      tracked.head = '';
    }
    const length = batch.copiedBytes;
    let slab = this.window.claim(tracked.index, pos, at, flags, length);
    if (slab !== null) batch.copyTo(slab.bytes, slab.used - length);
    else slab = this.window.append(tracked.index, pos, at, flags, batch.payload());
    tracked.lastSequence = slab.sequence;
    if (tracked.protocol === null) this.#detector.look(tracked, fromClient, batch.payload());
    if (tracked.inbound && !tracked.internal) {
      if (turned) this.#inbound.turned(tracked, slab, pos, at);
      else if (fromClient) this.#inbound.saidMore(tracked, batch);
      else this.#inbound.answered(tracked, slab, pos, at);
    }
  }

  #datagramHost(): DatagramHost {
    return {
      track: (options) => this.#track(options),
      end: (tracked, at) => this.#end(tracked, at),
      append: (tracked, { flags, at, bytes }) => {
        const fromClient = (flags & flag.client) !== 0;
        const pos = fromClient ? tracked.clientNext : tracked.serverNext;
        if (fromClient) tracked.clientNext = pos + bytes.length;
        else tracked.serverNext = pos + bytes.length;
        const slab = this.window.append(tracked.index, pos, at, flags, bytes);
        tracked.lastSequence = slab.sequence;
        tracked.lastAt = at;
        if (tracked.asked === '' && fromClient) tracked.asked = askedBy(bytes);
        if (tracked.protocol === null) this.#detector.look(tracked, fromClient, bytes);
      },
      lost: (tracked, { fromClient, length, at }) => {
        const pos = fromClient ? tracked.clientNext : tracked.serverNext;
        this.#miss(tracked, fromClient, pos, length, at);
      },
    };
  }

  #track(options: {
    inbound: boolean;
    transport: Transport;
    local: Address;
    peer: Address;
    at: Instant;
  }): Tracked {
    const index = ++this.#index;
    const local = { address: options.local.host, port: options.local.port };
    const peer = { address: options.peer.host, port: options.peer.port };
    const tracked = new Tracked({
      index,
      id: `${idPrefix}${index}`,
      direction: options.inbound ? 'inbound' : 'outbound',
      transport: options.transport,
      client: options.inbound ? peer : local,
      server: options.inbound ? local : peer,
      openedAt: options.at,
    });
    this.connections.set(index, tracked);
    return tracked;
  }

  /** Data of a socket whose opening was lost: its addresses are not known. */
  #unknown(batch: EventBatch, at: Instant): Tracked {
    const payload = batch.payload();
    const inbound = batch.direction === 'received' && looksLikeRequest(payload, 0, payload.length);
    const tracked = this.#track({ inbound, transport: 'tcp', local: nowhere, peer: nowhere, at });
    tracked.broken = 'ring-full';
    this.#open.set(batch.connection, tracked);
    return tracked;
  }

  #end(tracked: Tracked, at: Instant): void {
    tracked.closedAt = at;
    this.#last = null;
    this.#closed.push(tracked);
  }

  #miss(
    tracked: Tracked,
    fromClient: boolean,
    pos: number,
    length: number,
    at: Instant,
    reason: GapReason = tracked.broken ?? 'ring-full',
  ): void {
    const from: Side = fromClient ? 'client' : 'server';
    tracked.miss({ from, pos, length, reason, at });
    if (fromClient) tracked.clientNext = pos + length;
    else tracked.serverNext = pos + length;
    this.degradations.lost(reason, at, length);
  }
}

/** Reads one HTTP/1.1 connection as its bytes go by, and finds its way back after a gap. */
import type { Exchange } from '../../domain/exchange.ts';
import type { Side } from '../../domain/wire.ts';
import type { Chunk, ConnectionHead, Gap, Reader, ReaderOptions } from '../protocol.ts';
import { Half, OpenExchange } from './open.ts';
import { Pairing } from './pairing.ts';
import { isInterim, MessageParser, type RequestHead, type ResponseHead } from './parser.ts';
import { RequestSeeker } from './seeker.ts';

/** Requests that wait for their answers at most; beyond, order is no longer followed. */
const pipelinedMax = 1000;
/** 1xx answers kept of one exchange. */
const interimMax = 100;
/** Bytes held while it is open whether an upgrade is accepted. */
const heldBytesMax = 256 * 1024;

/**
 * `reading`: in step with both sides. `seeking`: bytes are missing, waiting for a request that
 * can be told to be the beginning of one. `over`: nothing more is read.
 */
type State = 'reading' | 'seeking' | 'over';

export class Http1Reader implements Reader {
  readonly #options: ReaderOptions;
  readonly #pairing: Pairing;
  /** Position of the next byte of each side; null before anything is known of it. */
  readonly #next: Record<Side, number | null> = { client: null, server: null };
  /** Began in the middle of the connection: a side's first position is taken as it comes. */
  #joined = false;
  #state: State = 'reading';
  #seeker = new RequestSeeker(false);
  #client: MessageParser;
  #server: MessageParser;
  /** The exchange whose request is being read. */
  #asking: OpenExchange | null = null;
  #clientBroken = false;
  #pipelines = false;
  /** What the client sent after it had asked for an upgrade, until the answer decides. */
  #held: { pos: number; bytes: Uint8Array }[] | null = null;
  #at = 0;

  constructor(head: ConnectionHead, options: ReaderOptions) {
    this.#options = options;
    this.#pairing = new Pairing(head);
    this.#client = this.#clientParser();
    this.#server = this.#serverParser();
  }

  feed(chunk: Chunk): void {
    this.#reach(chunk.from, chunk.pos);
    const known = this.#next[chunk.from]! - chunk.pos;
    if (known >= chunk.bytes.length) return;
    const bytes = known > 0 ? chunk.bytes.subarray(known) : chunk.bytes;
    const pos = chunk.pos + known;
    this.#next[chunk.from] = pos + bytes.length;
    this.#at = chunk.at;
    if (this.#state === 'seeking') this.#seek(chunk.from, bytes, pos);
    else if (this.#state === 'reading' && chunk.from === 'client') this.#feedClient(bytes, pos);
    else if (this.#state === 'reading') this.#feedServer(bytes, pos);
  }

  skip(gap: Gap): void {
    // Bytes missing from the very beginning: the reader joins where they end.
    const joins = this.#next.client === null && this.#next.server === null;
    const first = this.#next[gap.from] === null && (this.#joined || joins);
    if (!first) this.#reach(gap.from, gap.pos);
    this.#reach(gap.from, gap.pos + gap.length);
  }

  close(at: number, open = false): void {
    this.#at = at;
    if (this.#state === 'reading' && !open) this.#server.finish();
    this.#pairing.confirm();
    this.#pairing.endAll('unanswered');
    this.#state = 'over';
  }

  take(): Exchange[] {
    return this.#pairing.take();
  }

  carried(): Chunk[] {
    return [];
  }

  /** Moves a side to a position: what lies between is missing, unless the reader joins here. */
  #reach(from: Side, pos: number): void {
    const next = this.#next[from];
    if (next !== null && pos <= next) return;
    // A server does not speak first: what it answers here was asked before.
    const begins = from === 'client' && pos === 0;
    if (this.#next.client === null && this.#next.server === null && !begins) {
      this.#joined = true;
      this.#lose();
      this.#seeker = new RequestSeeker(true);
    }
    this.#next[from] = pos;
    if (next === null && (this.#joined || pos === 0)) return;
    this.#missing(from, pos - (next ?? 0));
  }

  #missing(from: Side, length: number): void {
    if (this.#state === 'seeking') this.#seeker.missing(from);
    if (this.#state !== 'reading') return;
    const parser = from === 'client' ? this.#client : this.#server;
    if (this.#held === null && parser.busy) {
      const current = from === 'client' ? this.#asking : this.#pairing.answering();
      current?.drop(from === 'client' ? current.request : current.response);
      if (parser.skip(length)) return;
    }
    this.#lose();
  }

  /** Ends what is open as incomplete and looks for the next request. */
  #lose(): void {
    this.#pairing.lose();
    this.#asking = null;
    this.#held = null;
    this.#state = this.#pipelines ? 'over' : 'seeking';
    this.#seeker = new RequestSeeker(false);
  }

  #seek(from: Side, bytes: Uint8Array, pos: number): void {
    const found = this.#seeker.feed(from, bytes, pos);
    if (found === null) return;
    this.#state = 'reading';
    this.#clientBroken = false;
    this.#client = this.#clientParser();
    this.#server = this.#serverParser();
    this.#feedClient(found.bytes, found.pos);
  }

  #feedClient(bytes: Uint8Array, pos: number): void {
    if (this.#clientBroken) return;
    if (this.#held !== null) {
      this.#hold(bytes, pos);
      return;
    }
    if (this.#pairing.size === 0) this.#pairing.confirm();
    const read = this.#client.feed(bytes, pos);
    if (this.#state !== 'reading') return;
    if (read === null) {
      this.#clientMalformed(pos);
      return;
    }
    if (this.#asking?.request) this.#asking.request.endPos = pos + bytes.length;
    if (read < bytes.length) this.#hold(bytes.subarray(read), pos + read);
    else if (this.#client.busy && this.#pairing.waiting) this.#pipelined();
  }

  #feedServer(bytes: Uint8Array, pos: number): void {
    const read = this.#server.feed(bytes, pos);
    if (this.#state !== 'reading') return;
    const current = this.#pairing.answering()?.response;
    if (current) current.endPos = pos + bytes.length;
    if (current) current.endedAt = this.#at;
    if (read === null) this.#serverMalformed(pos);
  }

  #hold(bytes: Uint8Array, pos: number): void {
    this.#held ??= [];
    this.#held.push({ pos, bytes: new Uint8Array(bytes) });
    const total = this.#held.reduce((sum, piece) => sum + piece.bytes.length, 0);
    if (total > heldBytesMax) this.#lose();
  }

  /** A request began before the answer to the one before it was whole. */
  #pipelined(): void {
    this.#pipelines = true;
    if (this.#pairing.resynced || this.#pairing.size > pipelinedMax) this.#lose();
  }

  #clientMalformed(pos: number): void {
    if (this.#pairing.resynced) {
      this.#lose();
      return;
    }
    this.#clientBroken = true;
    if (this.#asking === null) this.#ask(new Half(), pos);
    this.#asking!.malformed = true;
    this.#endHalf(this.#asking!.request!, [], this.#next.client!);
    this.#settle();
  }

  #serverMalformed(pos: number): void {
    if (this.#pairing.resynced) {
      this.#lose();
      return;
    }
    if (this.#pairing.size === 0) this.#answer(pos);
    this.#pairing.endAll('malformed');
    this.#state = 'over';
  }

  #clientParser(): MessageParser {
    let last = false;
    return new MessageParser('request', {
      head: (head, startPos) => {
        if (this.#state !== 'reading') return false;
        if (this.#pairing.size > 0) this.#pipelined();
        if (this.#state !== 'reading') return false;
        const { request } = this.#ask(new Half(), startPos);
        request!.head = head as RequestHead;
        const connect = request!.head.method === 'CONNECT';
        last = connect || request!.head.headers.some(([name]) => /^upgrade$/i.test(name));
        return connect;
      },
      body: (bytes) => {
        const open = this.#asking;
        open?.add(open.request!, bytes, this.#options.bodyBytesMax);
      },
      end: (trailers, endPos) => {
        if (this.#asking === null) return;
        this.#endHalf(this.#asking.request!, trailers, endPos);
        this.#asking = null;
        if (last) this.#held = [];
        if (last) this.#client.stop();
        this.#settle();
      },
    });
  }

  #serverParser(): MessageParser {
    return new MessageParser('response', {
      head: (head, startPos) => this.#onResponse(head as ResponseHead, startPos),
      body: (bytes) => {
        const open = this.#state === 'reading' ? this.#pairing.answering() : null;
        open?.add(open.response!, bytes, this.#options.bodyBytesMax);
      },
      end: (trailers, endPos) => {
        if (this.#state === 'reading') this.#onResponseEnd(trailers, endPos);
      },
    });
  }

  #ask(request: Half<RequestHead>, pos: number): OpenExchange {
    request.begin(pos, this.#at);
    this.#asking = new OpenExchange(request);
    this.#pairing.push(this.#asking);
    return this.#asking;
  }

  /** The exchange that is answered now; a new one when nobody asked. */
  #answer(pos: number): OpenExchange {
    if (this.#pairing.answering() === null) this.#pairing.push(new OpenExchange(null));
    const open = this.#pairing.answering()!;
    if (open.response !== null) return open;
    open.response = new Half<ResponseHead>();
    open.response.begin(pos, this.#at);
    return open;
  }

  /** Returns whether no body follows (RFC 9112 section 6.3). */
  #onResponse(head: ResponseHead, startPos: number): boolean {
    if (this.#state !== 'reading') return false;
    const open = this.#answer(startPos);
    open.response!.head = head;
    if (isInterim(head.status)) return true;
    const method = open.request?.head?.method;
    if (head.status === 101 || (method === 'CONNECT' && head.status < 300)) open.handedOver = true;
    return open.handedOver || method === 'HEAD' || head.status === 204 || head.status === 304;
  }

  #onResponseEnd(trailers: [string, string][], endPos: number): void {
    const open = this.#pairing.answering()!;
    const response = open.response!;
    if (isInterim(response.head!.status)) {
      if (open.interim.length < interimMax) open.interim.push(response.head!);
      response.head = null;
      return;
    }
    this.#endHalf(response, trailers, endPos);
    if (open.handedOver) this.#server.stop();
    this.#settle();
    if (open.handedOver) {
      this.#pairing.confirm();
      this.#state = 'over';
    } else if (this.#held !== null && this.#pairing.size === 0) this.#resume(this.#held);
  }

  /** The upgrade was not accepted: what the client sent meanwhile is HTTP after all. */
  #resume(held: { pos: number; bytes: Uint8Array }[]): void {
    this.#held = null;
    this.#client = this.#clientParser();
    for (const { pos, bytes } of held) this.#feedClient(bytes, pos);
  }

  #endHalf(half: Half<unknown>, trailers: [string, string][], endPos: number): void {
    half.trailers = trailers;
    half.endPos = endPos;
    half.endedAt = this.#at;
    half.done = true;
  }

  #settle(): void {
    if (!this.#pairing.settle()) this.#lose();
  }
}

/** Reads one PostgreSQL connection as its bytes go by, and finds its way back after a gap. */
import type { Exchange } from '../../domain/exchange.ts';
import type { Side } from '../../domain/wire.ts';
import type { Chunk, ConnectionHead, Gap, Reader, ReaderOptions } from '../protocol.ts';
import { Asker } from './asker.ts';
import { backendMessage, backendTypes } from './backend.ts';
import { Carrier, carriedOf, rawOf } from './carried.ts';
import { Conversation, type OpenEnd } from './conversation.ts';
import { type Frame, Framer } from './frames.ts';
import { frontendMessage, frontendTypes } from './frontend.ts';
import type { OpenExchange } from './open.ts';
import { CycleSeeker } from './seeker.ts';

/**
 * `reading`: in step with both sides. `seeking`: bytes are missing or made no sense, waiting for
 * the beginning of a cycle. `over`: nothing more is read.
 */
type State = 'reading' | 'seeking' | 'over';

export class PostgresReader implements Reader {
  readonly #head: ConnectionHead;
  readonly #bytesMax: number;
  /** Position of the next byte of each side; null before anything is known of it. */
  readonly #next: Record<Side, number | null> = { client: null, server: null };
  /** Began in the middle of the connection: a side's first position is taken as it comes. */
  #joined = false;
  #state: State = 'reading';
  #seeker = new CycleSeeker(false);
  #asker = new Asker(false);
  #carrier: Carrier | null = null;
  #conversation: Conversation;
  #client: Framer;
  #server: Framer;
  /** Set by a message that makes no sense. */
  #broken = false;
  /** Found its place by itself, and no quiet moment has confirmed it yet. */
  #unsure = false;
  #unconfirmed: [OpenExchange, OpenEnd][] = [];
  #at = 0;
  #ordinal = 0;
  #ended: Exchange[] = [];

  constructor(head: ConnectionHead, options: ReaderOptions) {
    this.#head = head;
    this.#bytesMax = options.bodyBytesMax;
    this.#conversation = this.#newConversation();
    this.#client = this.#framer('client');
    this.#server = this.#framer('server');
  }

  /** Statements and settings of before; only when nothing was fed yet. */
  carry(chunk: Chunk): void {
    if (this.#carrier === null) this.#join();
    this.#carrier ??= new Carrier(this.#asker.session);
    this.#carrier.take(chunk);
  }

  feed(chunk: Chunk): void {
    // The connection from its very beginning: what was carried to here says nothing new.
    const begins = chunk.from === 'client' && chunk.pos === 0 && chunk.bytes.length > 0;
    if (begins && this.#carrier !== null && this.#next.client === null) this.#restart();
    this.#reach(chunk.from, chunk.pos);
    const known = this.#next[chunk.from]! - chunk.pos;
    if (known >= chunk.bytes.length) return;
    const bytes = known > 0 ? chunk.bytes.subarray(known) : chunk.bytes;
    const pos = chunk.pos + known;
    this.#next[chunk.from] = pos + bytes.length;
    this.#at = chunk.at;
    if (this.#state === 'seeking') this.#seek(chunk.from, bytes, pos);
    else if (this.#state === 'reading') this.#read(chunk.from, bytes, pos);
  }

  skip(gap: Gap): void {
    // Bytes missing from the very beginning: the reader joins where they end.
    const joins = this.#next.client === null && this.#next.server === null;
    const first = this.#next[gap.from] === null && (this.#joined || joins);
    if (!first) this.#reach(gap.from, gap.pos);
    this.#reach(gap.from, gap.pos + gap.length);
  }

  close(_at: number): void {
    this.#confirm();
    this.#conversation.endAll('unanswered');
    this.#confirm();
    this.#state = 'over';
  }

  take(): Exchange[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  carried(): Chunk[] {
    return carriedOf(this.#asker.session);
  }

  #newConversation(): Conversation {
    return new Conversation(this.#asker, {
      dataBytesMax: this.#bytesMax,
      ended: (open, end) => {
        if (this.#unsure) this.#unconfirmed.push([open, end]);
        else this.#emit(open, end);
      },
    });
  }

  #framer(side: Side): Framer {
    const isClient = side === 'client';
    return new Framer({
      types: isClient ? frontendTypes : backendTypes,
      payloadBytesMax: this.#bytesMax,
      expect: () =>
        isClient ? this.#conversation.expectsOfClient : this.#conversation.expectsOfServer,
      frame: (frame) => this.#frame(side, frame),
    });
  }

  #frame(side: Side, frame: Frame): void {
    if (this.#broken || this.#state !== 'reading') return;
    const place = { start: frame.start, end: frame.end, at: this.#at };
    const raw = () => rawOf(side, frame, place.at);
    const conversation = this.#conversation;
    if (frame.payload === null) {
      const understood =
        side === 'client'
          ? conversation.clientHole(frame.type, place, raw)
          : conversation.serverHole(frame.type, place);
      if (!understood) this.#broken = true;
    } else if (side === 'client') {
      const message = frontendMessage(frame);
      if (message === null || !conversation.client(message, place, raw)) this.#broken = true;
    } else {
      const message = backendMessage(frame);
      if (message === null || !conversation.server(message, place, raw)) this.#broken = true;
    }
    if (conversation.over) this.#state = 'over';
    if (this.#broken) this.#stopFramers();
  }

  #stopFramers(): void {
    this.#client.stop();
    this.#server.stop();
  }

  #read(from: Side, bytes: Uint8Array, pos: number): void {
    const framer = from === 'client' ? this.#client : this.#server;
    if (from === 'client' && !framer.busy && this.#conversation.quiet) this.#confirm();
    const understood = framer.feed(bytes, pos) && !this.#broken;
    if (this.#state !== 'reading') {
      this.#confirm();
      return;
    }
    // Until a quiet moment has confirmed the place, what is sent ahead leaves it in doubt.
    if (!understood) this.#lose(this.#unsure ? 'gap' : 'malformed');
    else if (this.#unsure && this.#conversation.ahead) this.#lose('gap');
  }

  /** Moves a side to a position: what lies between is missing, unless the reader joins here. */
  #reach(from: Side, pos: number): void {
    const next = this.#next[from];
    if (next !== null && pos <= next) return;
    const begins = from === 'client' && pos === 0;
    if (this.#next.client === null && this.#next.server === null && !begins) this.#join();
    this.#next[from] = pos;
    if (next === null && (this.#joined || pos === 0)) return;
    this.#missing(from, pos - (next ?? 0));
  }

  #restart(): void {
    this.#joined = false;
    this.#carrier = null;
    this.#state = 'reading';
    this.#unsure = false;
    this.#asker = new Asker(false);
    this.#startOver();
  }

  #startOver(): void {
    this.#conversation = this.#newConversation();
    this.#client = this.#framer('client');
    this.#server = this.#framer('server');
  }

  #join(): void {
    if (this.#joined) return;
    this.#joined = true;
    this.#lose('gap');
    this.#seeker = new CycleSeeker(true);
  }

  #missing(from: Side, length: number): void {
    if (this.#state === 'over') return;
    if (this.#state === 'seeking') {
      this.#seeker.missing();
      if (from === 'client') this.#asker = new Asker(true);
      return;
    }
    const framer = from === 'client' ? this.#client : this.#server;
    if (framer.skip(length) && !this.#broken) return;
    // What the client said there may have given names new meanings.
    if (from === 'client') this.#asker = new Asker(true);
    this.#lose('gap');
  }

  /** Ends what is open and looks for the next cycle. */
  #lose(end: 'gap' | 'malformed'): void {
    for (const [open] of this.#unconfirmed) open.drop();
    this.#conversation.endAll(end);
    this.#confirm();
    this.#broken = false;
    this.#state = 'seeking';
    this.#seeker = new CycleSeeker(false);
    this.#unsure = true;
    if (!this.#asker.started) this.#asker = new Asker(true);
    this.#asker.endUnit();
  }

  #seek(from: Side, bytes: Uint8Array, pos: number): void {
    const found = this.#seeker.feed(from, bytes, pos);
    if (found === null) return;
    this.#state = 'reading';
    this.#startOver();
    this.#read('client', found.bytes, found.pos);
  }

  /** Nothing is open, and the client goes on: what was read up to here fits. */
  #confirm(): void {
    if (this.#unconfirmed.length > 0) this.#unsure = false;
    for (const [open, end] of this.#unconfirmed) this.#emit(open, end);
    this.#unconfirmed = [];
  }

  #emit(open: OpenExchange, end: OpenEnd): void {
    this.#ordinal += 1;
    this.#ended.push(open.finish(this.#head, this.#ordinal, end));
  }
}

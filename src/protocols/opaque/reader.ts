/** Splits a connection that nobody understands where the direction of its bytes changes. */
import { Buffer } from 'node:buffer';
import type { Exchange, ExchangeEnd, ExchangePart } from '../../domain/exchange.ts';
import type { Side } from '../../domain/wire.ts';
import type { Chunk, ConnectionHead, Gap, Reader, ReaderOptions } from '../protocol.ts';

interface Run {
  start: number;
  end: number;
  startedAt: number;
  endedAt: number;
  pieces: Uint8Array[];
}

export class OpaqueReader implements Reader {
  readonly #head: ConnectionHead;
  readonly #options: ReaderOptions;
  readonly #next: Record<Side, number | null> = { client: null, server: null };
  #ordinal = 0;
  #request: Run | null = null;
  #response: Run | null = null;
  #bytes = 0;
  #holed = false;
  #ended: Exchange[] = [];

  constructor(head: ConnectionHead, options: ReaderOptions) {
    this.#head = head;
    this.#options = options;
  }

  feed(chunk: Chunk): void {
    if (chunk.bytes.length === 0) return;
    const next = this.#next[chunk.from] ?? chunk.pos;
    if (chunk.pos + chunk.bytes.length <= next) return;
    if (chunk.from === 'client' && this.#response !== null) this.#end('complete');
    if (chunk.pos > next) this.#drop();
    const bytes = chunk.bytes.subarray(Math.max(0, next - chunk.pos));
    const pos = Math.max(chunk.pos, next);
    this.#next[chunk.from] = pos + bytes.length;
    const run = this.#run(chunk.from, pos, chunk.at);
    run.end = pos + bytes.length;
    run.endedAt = chunk.at;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#options.bodyBytesMax) this.#drop();
    if (!this.#holed) run.pieces.push(new Uint8Array(bytes));
  }

  skip(gap: Gap): void {
    const end = gap.pos + gap.length;
    if (end <= (this.#next[gap.from] ?? -1)) return;
    this.#next[gap.from] = end;
    this.#drop();
  }

  close(_at: number): void {
    if (this.#request !== null || this.#response !== null) {
      this.#end(this.#response === null ? 'unanswered' : 'complete');
    }
  }

  take(): Exchange[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  carried(): Chunk[] {
    return [];
  }

  #run(from: Side, pos: number, at: number): Run {
    const fresh = { start: pos, end: pos, startedAt: at, endedAt: at, pieces: [] };
    if (from === 'client') {
      this.#request ??= fresh;
      return this.#request;
    }
    this.#response ??= fresh;
    return this.#response;
  }

  #drop(): void {
    this.#holed = true;
    if (this.#request !== null) this.#request.pieces = [];
    if (this.#response !== null) this.#response.pieces = [];
  }

  #end(end: ExchangeEnd): void {
    this.#ordinal += 1;
    const size = (run: Run | null) => (run === null ? 0 : run.end - run.start);
    this.#ended.push({
      id: `${this.#head.id}/${this.#ordinal}`,
      connectionId: this.#head.id,
      ordinal: this.#ordinal,
      direction: this.#head.direction,
      protocol: 'opaque',
      server: this.#head.server,
      serverName: this.#head.serverName,
      request: this.#part(this.#request),
      response: this.#part(this.#response),
      end: this.#holed ? 'gap' : end,
      effect: 'unknown',
      error: null,
      title: `${size(this.#request)} bytes -> ${size(this.#response)} bytes`,
    });
    this.#request = null;
    this.#response = null;
    this.#bytes = 0;
    this.#holed = false;
  }

  #part(run: Run | null): ExchangePart | null {
    if (run === null) return null;
    const bytes = Buffer.concat(run.pieces);
    const meaning = this.#holed ? null : { base64: bytes.toString('base64'), bytes: bytes.length };
    const { start, end, startedAt, endedAt } = run;
    return { range: { start, end }, startedAt, endedAt, meaning };
  }
}

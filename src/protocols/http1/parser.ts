/** One side's byte stream as messages: http-parser-js, made strict, with stream positions. */
import { Buffer } from 'node:buffer';
import { HTTPParser } from 'http-parser-js';

export interface RequestHead {
  method: string;
  target: string;
  version: string;
  headers: [string, string][];
}

export interface ResponseHead {
  status: number;
  reason: string;
  version: string;
  headers: [string, string][];
}

/** 1xx: another answer follows, but for 101, which ends HTTP on the connection. */
export function isInterim(status: number): boolean {
  return status < 200 && status !== 101;
}

/** What the parser tells while it is fed; positions are those of the stream. */
export interface ParserEvents {
  /** The head is whole. Return true when, against what it says, no body follows. */
  head(head: RequestHead | ResponseHead, startPos: number): boolean;
  body(bytes: Uint8Array): void;
  end(trailers: [string, string][], endPos: number): void;
}

/** Longest head, chunk-size line or set of trailers that is read. */
const headBytesMax = 256 * 1024;

/** What http-parser-js keeps, as far as it is used here. */
interface Inner {
  state: string;
  line: string;
  trailers: string[];
  isChunked: boolean;
  body_bytes: number | null;
  offset: number;
  chunk: Buffer | null;
  consumeLine(): string | undefined;
  execute(chunk: Buffer): number | Error;
  [hook: number]: unknown;
}

interface Info {
  versionMajor: number;
  versionMinor: number;
  headers: string[];
  method: number;
  url: string;
  statusCode: number;
  statusMessage: string;
}

// Latin-1 keeps every byte of a header; the limit of heads is checked here, since the library
// counts a body that precedes the head in the same chunk.
HTTPParser.encoding = 'latin1' as typeof HTTPParser.encoding;
HTTPParser.maxHeaderSize = Number.MAX_SAFE_INTEGER;

/** Leaves the library from inside a callback: the bytes are not HTTP/1, or not any more. */
class Malformed extends Error {}

export class MessageParser {
  readonly #inner: Inner;
  readonly #isRequest: boolean;
  readonly #events: ParserEvents;
  /** Stream position of the first byte of the chunk being executed. */
  #base = 0;
  /** Position of the next byte expected. */
  #pos = 0;
  #startPos: number | null = null;
  #headDone = false;
  /** Set by `stop()`: nothing after the current message is read. */
  #stopped = false;
  /** Where the last message of a stopped parser ended. */
  #endPos = 0;

  constructor(kind: 'request' | 'response', events: ParserEvents) {
    this.#isRequest = kind === 'request';
    this.#events = events;
    const type = this.#isRequest ? HTTPParser.REQUEST : HTTPParser.RESPONSE;
    this.#inner = new HTTPParser(type) as unknown as Inner;
    this.#inner[HTTPParser.kOnHeadersComplete] = (info: Info) => this.#onHead(info);
    this.#inner[HTTPParser.kOnBody] = (chunk: Buffer, from: number, length: number) =>
      this.#events.body(chunk.subarray(from, from + length));
    this.#inner[HTTPParser.kOnMessageComplete] = () => this.#onEnd();
    Object.assign(this.#inner, { BODY_CHUNKHEAD: () => chunkHead(this.#inner) });
  }

  /** Whether a message has begun and is not over. */
  get busy(): boolean {
    return this.#startPos !== null;
  }

  /** Whether the body goes on until the connection is closed. */
  get untilClose(): boolean {
    return this.#inner.state === 'BODY_RAW';
  }

  /** To be called in `end`: what follows speaks another protocol (upgrade, CONNECT). */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Reads bytes that begin at `pos`. Returns how many were read (fewer only after `stop`), or
   * null when they are not HTTP/1: then the parser is of no further use.
   */
  feed(bytes: Uint8Array, pos: number): number | null {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#pos = pos;
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (!this.busy) {
        // Blank lines between messages; the library may hold one that was cut.
        this.#inner.line = '';
        at += blankPrefix(chunk, at);
      }
      if (at === chunk.length) break;
      this.#base = pos + at;
      this.#startPos ??= this.#base;
      const read = this.#execute(at === 0 ? chunk : chunk.subarray(at));
      if (read === null) return null;
      at += read;
    }
    this.#pos = pos + at;
    return at;
  }

  #execute(chunk: Buffer): number | null {
    try {
      const read = this.#inner.execute(chunk);
      if (typeof read !== 'number' || !(read > 0)) return null;
      const { line, trailers } = this.#inner;
      const trailing = trailers.reduce((sum, text) => sum + text.length + 2, 0);
      const tooLong = line.length > headBytesMax || trailing > headBytesMax;
      const head = !this.#headDone && this.#startPos !== null;
      const headBytes = head ? this.#base + read - this.#startPos! : 0;
      return tooLong || headBytes > headBytesMax ? null : read;
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return this.#stopped ? this.#endPos - this.#base : null;
    }
  }

  /** Passes over bytes that are not held; false when the framing is lost with them. */
  skip(length: number): boolean {
    const inner = this.#inner;
    if (inner.state === 'BODY_RAW') return true;
    const sized = inner.state === 'BODY_SIZED' || inner.state === 'BODY_CHUNK';
    if (!sized || inner.body_bytes === null || inner.body_bytes < length || length < 1)
      return false;
    // The last byte goes the ordinary way, so that the end of the body is seen.
    inner.body_bytes -= length - 1;
    return this.feed(new Uint8Array(1), this.#pos + length - 1) === 1;
  }

  /** The stream ended: ends a body that goes on until then. */
  finish(): void {
    if (!this.untilClose || !this.busy) return;
    this.#startPos = null;
    this.#events.end([], this.#pos);
  }

  #onHead(info: Info): boolean {
    const headers = pairs(info.headers);
    this.#headDone = true;
    checkFraming(this.#inner, headers);
    const version = `${info.versionMajor}.${info.versionMinor}`;
    if (info.versionMajor !== 1) throw new Malformed('not HTTP/1');
    const head = this.#isRequest
      ? { method: HTTPParser.methods[info.method]!, target: info.url, version, headers }
      : { status: info.statusCode, reason: info.statusMessage, version, headers };
    return this.#events.head(head, this.#startPos!);
  }

  #onEnd(): void {
    const trailers = pairs(this.#inner.trailers);
    this.#endPos = this.#base + this.#inner.offset;
    this.#events.end(trailers, this.#endPos);
    this.#headDone = false;
    // The library goes on within the chunk: where the next message begins has to be known now.
    const chunk = this.#inner.chunk;
    const next = this.#inner.offset;
    const rest = chunk === null ? 0 : chunk.length - next - blankPrefix(chunk, next);
    this.#startPos = rest > 0 ? this.#base + chunk!.length - rest : null;
    if (this.#stopped) throw new Malformed('stopped');
  }
}

/** The library takes any text for a size of 0; here it is not HTTP then. */
function chunkHead(inner: Inner): void {
  const line = inner.consumeLine();
  if (line === undefined) return;
  const size = /^([0-9a-f]{1,12})[ \t]*(;.*)?$/i.exec(line)?.[1];
  if (size === undefined) throw new Malformed('chunk size');
  inner.body_bytes = Number.parseInt(size, 16);
  inner.state = inner.body_bytes === 0 ? 'BODY_CHUNKTRAILERS' : 'BODY_CHUNK';
}

function checkFraming(inner: Inner, headers: [string, string][]): void {
  let coding = '';
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key === 'content-length' && !/^\d{1,15}$/.test(value)) throw new Malformed(key);
    if (key === 'transfer-encoding') coding = value.toLowerCase();
  }
  if (coding === '') return;
  // `gzip, chunked` is chunked, too; any other coding has no end of its own.
  inner.isChunked = /(^|,)\s*chunked$/.test(coding);
  inner.body_bytes = null;
}

function pairs(flat: readonly string[]): [string, string][] {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) headers.push([flat[i]!, flat[i + 1]!]);
  return headers;
}

function blankPrefix(chunk: Buffer, from: number): number {
  let at = from;
  while (at < chunk.length && (chunk[at] === 13 || chunk[at] === 10)) at += 1;
  return at - from;
}

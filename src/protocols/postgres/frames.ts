/** One side's bytes as PostgreSQL's messages (manual, 54.7): a type, a length, a payload. */
import { Buffer } from 'node:buffer';

export interface Frame {
  /** The type byte as a character; '' for the untyped messages at the start; '?' for one byte. */
  type: string;
  /** Null where it is not held: longer than may be, or missing. */
  payload: Buffer | null;
  /** Place in the stream; `end` is exclusive. */
  start: number;
  end: number;
}

/** Whether the next message has a type, is one of the untyped ones, or a single byte. */
export type Expectation = 'typed' | 'untyped' | 'byte';

export interface FramerOptions {
  /** Types that there are on this side. */
  types: string;
  payloadBytesMax: number;
  /** Asked before each message. */
  expect(): Expectation;
  frame(frame: Frame): void;
}

/** Lengths above this are no message, but other bytes taken for one. */
const lengthMax = 1 << 30;

export class Framer {
  readonly #options: FramerOptions;
  /** Bytes of a message that is not whole. */
  #pieces: Buffer[] = [];
  #held = 0;
  #start = 0;
  #pos = 0;
  /** Set while a message passes whose payload is not kept. */
  #passing: { type: string; end: number } | null = null;
  #stopped = false;

  constructor(options: FramerOptions) {
    this.#options = options;
  }

  /** Whether a message has begun and is not whole. */
  get busy(): boolean {
    return this.#held > 0 || this.#passing !== null;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** False when the bytes are not PostgreSQL's: then the framer is of no further use. */
  feed(bytes: Uint8Array, pos: number): boolean {
    this.#pos = pos + bytes.length;
    let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = pos;
    while (rest.length > 0 && !this.#stopped) {
      const took = this.#passing !== null ? this.#pass(rest, at) : this.#gather(rest, at);
      if (took < 0) return false;
      rest = rest.subarray(took);
      at += took;
    }
    return true;
  }

  /** Passes over bytes that are not held; false when the place of the next message is lost. */
  skip(length: number): boolean {
    const end = this.#pos + length;
    if (this.#passing === null) {
      if (this.#held < 5) return false;
      const head = Buffer.concat(this.#pieces);
      const size = sizeOf(head, this.#options.expect());
      if (size === null || end > this.#start + size) return false;
      this.#passing = { type: String.fromCharCode(head[0]!), end: this.#start + size };
      this.#drop();
    }
    if (end > this.#passing.end) return false;
    this.#pos = end;
    if (end === this.#passing.end) this.#passed();
    return true;
  }

  #pass(bytes: Buffer, at: number): number {
    const took = Math.min(bytes.length, this.#passing!.end - at);
    if (at + took === this.#passing!.end) this.#passed();
    return took;
  }

  #passed(): void {
    const { type, end } = this.#passing!;
    this.#passing = null;
    this.#options.frame({ type, payload: null, start: this.#start, end });
  }

  /** Takes as much of `bytes` as belongs to one message; negative when it is none. */
  #gather(bytes: Buffer, at: number): number {
    const kind = this.#options.expect();
    if (this.#held === 0) this.#start = at;
    if (kind === 'byte') {
      this.#options.frame({ type: '?', payload: bytes.subarray(0, 1), start: at, end: at + 1 });
      return 1;
    }
    const headBytes = kind === 'typed' ? 5 : 4;
    if (this.#held < headBytes) {
      const took = Math.min(bytes.length, headBytes - this.#held);
      this.#hold(bytes.subarray(0, took));
      return this.#held < headBytes || this.#headDone(kind) ? took : -1;
    }
    const size = sizeOf(this.#head(), kind)!;
    const took = Math.min(bytes.length, size - this.#held);
    this.#hold(bytes.subarray(0, took));
    if (this.#held === size) this.#whole(kind);
    return took;
  }

  /** The head is there: false when it is none; a message without payload is whole now. */
  #headDone(kind: Expectation): boolean {
    const head = this.#head();
    const type = kind === 'typed' ? String.fromCharCode(head[0]!) : '';
    if (kind === 'typed' && !this.#options.types.includes(type)) return false;
    const size = sizeOf(head, kind);
    if (size === null) return false;
    if (size === this.#held) this.#whole(kind);
    else if (size > this.#options.payloadBytesMax) {
      if (kind === 'untyped') return false;
      this.#passing = { type, end: this.#start + size };
      this.#drop();
    }
    return true;
  }

  #whole(kind: Expectation): void {
    const message = this.#head();
    const start = this.#start;
    const end = start + message.length;
    this.#drop();
    const type = kind === 'typed' ? String.fromCharCode(message[0]!) : '';
    const payload = message.subarray(kind === 'typed' ? 5 : 4);
    this.#options.frame({ type, payload, start, end });
  }

  #hold(bytes: Buffer): void {
    if (bytes.length > 0) this.#pieces.push(Buffer.from(bytes));
    this.#held += bytes.length;
  }

  #head(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0]!;
  }

  #drop(): void {
    this.#pieces = [];
    this.#held = 0;
  }
}

/** Bytes of the whole message; null when its length makes no sense. */
function sizeOf(head: Buffer, kind: Expectation): number | null {
  const length = head.readInt32BE(kind === 'typed' ? 1 : 0);
  const least = kind === 'typed' ? 4 : 8;
  // Start-up packets have a limit of their own in the server (10,000 bytes).
  const most = kind === 'typed' ? lengthMax : 10_000;
  if (length < least || length > most) return null;
  return kind === 'typed' ? length + 1 : length;
}

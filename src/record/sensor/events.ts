/**
 * Exists to read the sensor's stream at the speed it comes: batches of whole events, no object
 * per event, split anywhere.
 */
import {
  ADDRESS_BYTES,
  DIRECTIONS,
  DISCARDED,
  EVENT,
  EVENT_BYTES,
  FLAG,
  FRAME_BYTES_MAX,
  KINDS,
  LEAST_BYTES,
  MAGIC,
  PREFIX_BYTES,
  SIZE_MASK,
  VERSION,
} from './layout.ts';
import { makeEvent, u64 } from './make-event.ts';
import type { Direction, EventBatch, EventKind, SensorEvent } from './types.ts';

/** The stream is not what a sensor sends. Nothing after it can be trusted. */
export class SensorFormatError extends Error {
  override readonly name = 'SensorFormatError';
}

const RECEIVED = DIRECTIONS.indexOf('received');
const FIRST_OWN_KIND = KINDS.indexOf('hello');

/** The size of the frame whose prefix stands at `at`, padding included. */
function frameBytes(view: DataView, at: number): number {
  const size = view.getUint32(at, true) & SIZE_MASK;
  const bytes = PREFIX_BYTES + ((size + 7) & ~7);
  if (bytes > FRAME_BYTES_MAX)
    throw new SensorFormatError(`frame of ${size} bytes, more than a sensor ever sends`);
  return bytes;
}

/** The whole frames in bytes[start, end), and what the decoder saw of them in passing. */
interface BatchRange {
  start: number;
  end: number;
  hasOwn: boolean;
  lastNs: number;
}

/** Whether the frame at `at` is one of the sensor itself; too short ones are found out later. */
function isOwn(bytes: Buffer, at: number): boolean {
  return (bytes[at + PREFIX_BYTES + EVENT.kind] ?? 0) >= FIRST_OWN_KIND;
}

function timeAt(view: DataView, frame: number): number {
  const at = frame + PREFIX_BYTES + EVENT.time_ns;
  return at + 8 <= view.byteLength ? u64(view, at) : 0;
}

/** Walks over the whole frames of a range. */
export class Batch implements EventBatch {
  kind: EventKind = 'hello';
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  #next: number;
  /** Where the current event (not its frame) begins, and its size without padding. */
  #at = 0;
  #size = 0;

  /** `hasOwn`: some of the events are the sensor's own (hello, answer, stats). */
  readonly hasOwn: boolean;
  /** When the last of the events happened, CLOCK_MONOTONIC in nanoseconds. */
  readonly lastNs: number;

  constructor(bytes: Buffer, range: BatchRange) {
    const { start, end } = range;
    this.hasOwn = range.hasOwn;
    this.lastNs = range.lastNs;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.#next = start;
    this.#end = end;
  }

  /** The same events once more, from the first. */
  again(): Batch {
    const { hasOwn, lastNs } = this;
    return new Batch(this.#bytes, { start: this.#start, end: this.#end, hasOwn, lastNs });
  }

  next(): boolean {
    while (this.#next < this.#end) {
      const view = this.#view;
      const prefix = this.#next;
      this.#next += frameBytes(view, prefix);
      const size = view.getUint32(prefix, true);
      if (size & DISCARDED) continue;
      this.#at = prefix + PREFIX_BYTES;
      this.#size = size;
      this.#check();
      return true;
    }
    return false;
  }

  #check(): void {
    const size = this.#size;
    const kind = this.#bytes[this.#at + EVENT.kind] ?? 0;
    const name = KINDS[kind];
    if (size < EVENT_BYTES) throw new SensorFormatError(`event of ${size} bytes is too short`);
    if (this.#bytes[this.#at + EVENT.magic] !== MAGIC)
      throw new SensorFormatError('event does not begin with the magic byte');
    const version = this.#bytes[this.#at + EVENT.version];
    if (version !== VERSION)
      throw new SensorFormatError(`sensor speaks version ${version}, this server ${VERSION}`);
    if (name === undefined) throw new SensorFormatError(`unknown kind of event: ${kind}`);
    if (size < (LEAST_BYTES[kind] ?? EVENT_BYTES))
      throw new SensorFormatError(`${name} event of ${size} bytes is too short`);
    if (name === 'data' && this.#payloadAt() + this.copiedBytes !== this.#at + size)
      throw new SensorFormatError('data event whose size and payload disagree');
    this.kind = name;
  }

  #payloadAt(): number {
    const flags = this.#bytes[this.#at + EVENT.flags] ?? 0;
    return this.#at + EVENT_BYTES + (flags & FLAG.peer ? ADDRESS_BYTES : 0);
  }

  get watch(): number {
    return this.#view.getUint32(this.#at + EVENT.watch, true);
  }

  get timeNs(): number {
    return u64(this.#view, this.#at + EVENT.time_ns);
  }

  get connection(): number {
    return u64(this.#view, this.#at + EVENT.connection);
  }

  get direction(): Direction {
    return DIRECTIONS[this.#bytes[this.#at + EVENT.direction] ?? 0] ?? 'sent';
  }

  get isReceived(): boolean {
    return this.#bytes[this.#at + EVENT.direction] === RECEIVED;
  }

  get position(): number {
    return u64(this.#view, this.#at + EVENT.position);
  }

  get lengthBytes(): number {
    return this.#view.getUint32(this.#at + EVENT.length_bytes, true);
  }

  get copiedBytes(): number {
    return this.#view.getUint32(this.#at + EVENT.copied_bytes, true);
  }

  payload(): Uint8Array {
    const at = this.#payloadAt();
    return this.#bytes.subarray(at, at + this.copiedBytes);
  }

  copyTo(target: Buffer, at: number): void {
    const from = this.#payloadAt();
    this.#bytes.copy(target, at, from, from + this.copiedBytes);
  }

  raw(): Uint8Array {
    return this.#bytes.subarray(this.#at - PREFIX_BYTES, this.#next);
  }

  event(): SensorEvent {
    // Not slice(): a Buffer's slice is no copy.
    const bytes = new Uint8Array(this.#bytes.subarray(this.#at, this.#at + this.#size));
    return makeEvent(this.kind, bytes);
  }
}

/** Cuts a stream that arrives in arbitrary pieces into batches of whole events. */
export class Decoder {
  readonly #listener: (batch: Batch) => void;
  /** The beginning of a frame whose end has not come yet. */
  readonly #held = Buffer.alloc(FRAME_BYTES_MAX);
  readonly #heldView = new DataView(this.#held.buffer, this.#held.byteOffset, FRAME_BYTES_MAX);
  #heldBytes = 0;

  constructor(listener: (batch: Batch) => void) {
    this.#listener = listener;
  }

  /** Calls the listener with what is whole now. Throws SensorFormatError; do not go on then. */
  push(bytes: Buffer): void {
    const start = this.#heldBytes > 0 ? this.#complete(bytes) : 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let hasOwn = false;
    let last = start;
    let end = start;
    while (end + PREFIX_BYTES <= bytes.length) {
      const size = frameBytes(view, end);
      if (end + size > bytes.length) break;
      if (isOwn(bytes, end)) hasOwn = true;
      last = end;
      end += size;
    }
    if (end > start) this.#hand(bytes, { start, end, hasOwn, lastNs: timeAt(view, last) });
    if (end < bytes.length) {
      this.#held.set(bytes.subarray(end), this.#heldBytes);
      this.#heldBytes += bytes.length - end;
    }
  }

  /** Throws if the stream ended inside of an event. */
  end(): void {
    if (this.#heldBytes > 0)
      throw new SensorFormatError(`stream ends after ${this.#heldBytes} bytes of an event`);
  }

  /** Fills the held frame up from `bytes`; returns how many were used. */
  #complete(bytes: Buffer): number {
    let used = this.#hold(bytes, 0, PREFIX_BYTES);
    if (this.#heldBytes < PREFIX_BYTES) return used;
    const size = frameBytes(this.#heldView, 0);
    used += this.#hold(bytes, used, size);
    if (this.#heldBytes < size) return used;
    this.#heldBytes = 0;
    const lastNs = timeAt(this.#heldView, 0);
    this.#hand(this.#held, { start: 0, end: size, hasOwn: isOwn(this.#held, 0), lastNs });
    return used;
  }

  #hand(bytes: Buffer, range: BatchRange): void {
    this.#listener(new Batch(bytes, range));
  }

  /** Takes bytes from `from` on until `wanted` are held; returns how many were taken. */
  #hold(bytes: Buffer, from: number, wanted: number): number {
    const count = Math.min(Math.max(0, wanted - this.#heldBytes), bytes.length - from);
    this.#held.set(bytes.subarray(from, from + count), this.#heldBytes);
    this.#heldBytes += count;
    return count;
  }
}

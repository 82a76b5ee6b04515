/** Walks through a message's payload; every step checks that the bytes are there. */
import type { Buffer } from 'node:buffer';

/** Thrown when a payload is shorter than it says: the bytes are not PostgreSQL's. */
export class NotPostgres extends Error {}

export class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get rest(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.bytes(1)[0]!;
  }

  int16(): number {
    return this.bytes(2).readInt16BE(0);
  }

  /** A count: negative ones are refused. */
  count(): number {
    const count = this.bytes(2).readUInt16BE(0);
    // The least that one of them takes is two bytes: bounds what is made for a hostile count.
    if (count * 2 > this.rest && count > 0) throw new NotPostgres('count beyond the message');
    return count;
  }

  int32(): number {
    return this.bytes(4).readInt32BE(0);
  }

  oid(): number {
    return this.bytes(4).readUInt32BE(0);
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw new NotPostgres('text without an end');
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  bytes(length: number): Buffer {
    if (length < 0 || length > this.rest) throw new NotPostgres('message too short');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** To be called after the last field. */
  done(): void {
    if (this.rest !== 0) throw new NotPostgres('message too long');
  }
}

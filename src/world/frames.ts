/** Whole messages over a stream: what the replayer and the world say to each other. */
import { deserialize, serialize } from 'node:v8';

const headBytes = 4;

/**
 * One message as a frame: its length (32 bits, big endian), then the value as V8's structured
 * clone, which keeps byte arrays as they are. Both ends are our own code on the same major of Node.
 */
export function encodeFrame(value: unknown): Buffer {
  const body = serialize(value);
  const frame = Buffer.allocUnsafe(headBytes + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, headBytes);
  return frame;
}

/** Takes bytes cut anywhere and calls back with each whole message. */
export class FrameReader {
  #parts: Buffer[] = [];
  #held = 0;
  #wanted = headBytes;
  #inBody = false;
  readonly #onMessage: (message: unknown) => void;

  constructor(onMessage: (message: unknown) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    while (this.#held >= this.#wanted) {
      const part = this.#take(this.#wanted);
      if (this.#inBody) {
        this.#wanted = headBytes;
        this.#inBody = false;
        this.#onMessage(deserialize(part));
      } else {
        this.#wanted = part.readUInt32BE(0);
        this.#inBody = true;
      }
    }
  }

  #take(length: number): Buffer {
    const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const rest = all.subarray(length);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return all.subarray(0, length);
  }
}

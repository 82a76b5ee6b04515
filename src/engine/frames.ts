/**
 * Takes the engine's multiplexed output apart: frames of 8 bytes head (stream, 3 zeros, length as
 * big-endian 32 bits) and payload. Format: Docker Engine API, "Attach to a container".
 */

export type StreamName = 'stdout' | 'stderr';

/** Feed it bytes cut anywhere; it calls back with whole frames, in order. */
export class FrameReader {
  readonly #onFrame: (stream: StreamName, payload: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onFrame: (stream: StreamName, payload: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  feed(bytes: Buffer): void {
    let buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (buffer.length >= 8) {
      const length = buffer.readUInt32BE(4);
      if (buffer.length < 8 + length) break;
      this.#onFrame(buffer[0] === 2 ? 'stderr' : 'stdout', buffer.subarray(8, 8 + length));
      buffer = buffer.subarray(8 + length);
    }
    this.#rest = buffer;
  }
}

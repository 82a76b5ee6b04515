/** Finds the next cycle of a connection after bytes were missing, without guessing. */
import { Buffer } from 'node:buffer';

/** What a client begins with when everything before is answered. */
const firstTypes = 'QPBCDFSX';
const lengthMax = 1 << 28;

/**
 * A cycle begins with the first byte that the client sends after the server has ended what it said
 * with ReadyForQuery. A reader that joins a connection may begin with the client's first byte;
 * what it then takes for messages has to fit together, or it is lost again.
 */
export class CycleSeeker {
  #mayBegin: boolean;
  #probe: Buffer = Buffer.alloc(0);
  #probePos = 0;
  /** Last bytes of what the server has sent since the client's last. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(joined: boolean) {
    this.#mayBegin = joined;
  }

  missing(): void {
    this.#mayBegin = false;
    this.#probe = Buffer.alloc(0);
    this.#tail = Buffer.alloc(0);
  }

  /** Returns where a cycle begins, with all bytes since, once that can be told. */
  feed(
    from: 'client' | 'server',
    bytes: Uint8Array,
    pos: number,
  ): { bytes: Uint8Array; pos: number } | null {
    if (from === 'server') {
      this.#tail = Buffer.concat([this.#tail, bytes.subarray(-6)]).subarray(-6);
      this.#probe = Buffer.alloc(0);
      this.#mayBegin = false;
      return null;
    }
    if (this.#tail.length > 0) this.#mayBegin = isReady(this.#tail);
    this.#tail = Buffer.alloc(0);
    if (!this.#mayBegin) return null;
    if (this.#probe.length === 0) this.#probePos = pos;
    this.#probe = Buffer.concat([this.#probe, bytes]);
    if (this.#probe.length < 5) return null;
    const length = this.#probe.readInt32BE(1);
    const type = String.fromCharCode(this.#probe[0]!);
    if (firstTypes.includes(type) && length >= 4 && length <= lengthMax) {
      return { bytes: this.#probe, pos: this.#probePos };
    }
    this.missing();
    return null;
  }
}

/** `Z`, length 5, transaction status. */
function isReady(tail: Buffer): boolean {
  return /^Z\0\0\0\x05[ITE]$/.test(tail.toString('latin1'));
}

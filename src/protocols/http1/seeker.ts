/** Finds the next request of a connection after bytes were missing, without guessing. */
import { Buffer } from 'node:buffer';

/** Longest request line that is waited for. */
const lineBytesMax = 16 * 1024;
const requestLine = /^[A-Z][A-Z-]{1,19} [^\s]+ HTTP\/1\.[01]\r?\n/;

/**
 * A client that does not pipeline sends its next request only when the answer before it has
 * arrived whole. So a request begins with the first byte that the client sends after the server
 * has sent something; nowhere else is text that looks like a request line taken for one (a
 * body may hold such text). A reader that joins a connection may begin with the first byte.
 */
export class RequestSeeker {
  #mayBegin: boolean;
  #probe: Buffer = Buffer.alloc(0);
  #probePos = 0;
  /** First bytes of what the server sends since the client's last: `100 Continue` is no answer. */
  #serverRun = '';

  constructor(joined: boolean) {
    this.#mayBegin = joined;
  }

  /** More bytes are missing: the side's next bytes prove nothing. */
  missing(from: 'client' | 'server'): void {
    this.#probe = Buffer.alloc(0);
    if (from === 'client' || this.#serverRun === '') this.#mayBegin = false;
  }

  /** Returns where a request begins, with all bytes since, once its first line is there. */
  feed(
    from: 'client' | 'server',
    bytes: Uint8Array,
    pos: number,
  ): { bytes: Uint8Array; pos: number } | null {
    if (from === 'server') {
      this.#probe = Buffer.alloc(0);
      if (this.#serverRun.length < 10) {
        this.#serverRun += Buffer.from(bytes.subarray(0, 10)).toString('latin1');
      }
      this.#mayBegin = true;
      return null;
    }
    if (/^HTTP\/1\.\d 1/.test(this.#serverRun)) this.#mayBegin = false;
    this.#serverRun = '';
    if (!this.#mayBegin) return null;
    if (this.#probe.length === 0) this.#probePos = pos;
    this.#probe = Buffer.concat([this.#probe, bytes]);
    const start = this.#probe.toString('latin1', 0, lineBytesMax);
    if (requestLine.test(start)) return { bytes: this.#probe, pos: this.#probePos };
    const hopeless = start.includes('\n') || this.#probe.length >= lineBytesMax;
    if (hopeless || !/^[A-Z]/.test(start)) {
      this.#mayBegin = false;
      this.#probe = Buffer.alloc(0);
    }
    return null;
  }
}

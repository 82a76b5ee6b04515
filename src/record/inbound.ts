// Watches what an app is asked and answers, message by message and without reading any: where turns
// begin, who pipelines, and which answers fail.
import type { Instant } from '../domain/time.ts';
import {
  failingAnswersIn,
  failingStatusAt,
  holdsTwoRequests,
  looksLikeRequest,
  statusLineBytes,
} from './answers.ts';
import type { Tracked } from './connection.ts';
import type { Slab } from './slab.ts';

export interface InboundHooks {
  /** An answer with 5xx begins at `pos` of the server's stream. */
  failingAnswer(connection: Tracked, answer: { pos: number; at: Instant; status: number }): void;
  /** A request begins, as far as can be told without reading it. */
  turn(connection: Tracked): void;
}

export class Inbound {
  readonly #hooks: InboundHooks;

  constructor(hooks: InboundHooks) {
    this.#hooks = hooks;
  }

  turned(tracked: Tracked, slab: Slab, pos: number, at: Instant): void {
    const index = slab.count - 1;
    tracked.turnAt = at;
    tracked.turnPos = pos;
    tracked.turnSlab = slab;
    tracked.turnSequence = slab.sequence;
    tracked.turnIndex = index;
    const start = slab.offset[index]!;
    const end = start + slab.length[index]!;
    if (!tracked.pipelined && holdsTwoRequests(slab.bytes, start, end)) tracked.pipelined = true;
    this.#hooks.turn(tracked);
  }

  saidMore(tracked: Tracked, said: { payload(): Uint8Array }): void {
    if (tracked.pipelined) return;
    const payload = said.payload();
    if (looksLikeRequest(payload, 0, payload.length)) tracked.pipelined = true;
  }

  answered(tracked: Tracked, slab: Slab, pos: number, at: Instant): void {
    const index = slab.count - 1;
    const start = slab.offset[index]!;
    const end = start + slab.length[index]!;
    if (end - start < statusLineBytes || tracked.head !== '') {
      this.#answeredInPieces(tracked, slab.bytes.subarray(start, end), pos, at);
    } else {
      const status = failingStatusAt(slab.bytes, start, end);
      if (status > 0) this.#hooks.failingAnswer(tracked, { pos, at, status });
    }
    if (!tracked.pipelined) return;
    for (const found of failingAnswersIn(slab.bytes.subarray(start, end), 1)) {
      const { offset, status } = found;
      this.#hooks.failingAnswer(tracked, { pos: pos + offset, at, status });
    }
  }

  /** A status line that comes in pieces: put together until it is long enough. */
  #answeredInPieces(tracked: Tracked, bytes: Buffer, pos: number, at: Instant): void {
    if (tracked.head.length >= statusLineBytes) return;
    const before = tracked.head.length;
    tracked.head += bytes.toString('latin1', 0, statusLineBytes - before);
    const head = Buffer.from(tracked.head, 'latin1');
    const status = failingStatusAt(head, 0, head.length);
    if (status > 0) this.#hooks.failingAnswer(tracked, { pos: pos - before, at, status });
  }
}

/** A chunk's bytes where they lie: valid until the slab is given up. */
export function chunkBytes(slab: Slab, index: number): Buffer {
  const offset = slab.offset[index]!;
  return slab.bytes.subarray(offset, offset + slab.length[index]!);
}

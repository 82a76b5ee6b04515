/** The queue that pairs: HTTP/1.1 answers come in the order of their requests. */
import type { Exchange, ExchangeEnd } from '../../domain/exchange.ts';
import type { ConnectionHead } from '../protocol.ts';
import type { OpenExchange } from './open.ts';

export class Pairing {
  readonly #head: ConnectionHead;
  /** In order of requests; the first is the one being answered. */
  #open: OpenExchange[] = [];
  #ended: Exchange[] = [];
  #ordinal = 0;
  /** The last exchange of a resynced connection, until what follows confirms its pairing. */
  #unconfirmed: { open: OpenExchange; ordinal: number } | null = null;
  /** The reader found its place again after bytes were missing: order alone proves less. */
  resynced = false;

  constructor(head: ConnectionHead) {
    this.#head = head;
  }

  get size(): number {
    return this.#open.length;
  }

  /** Whether a request is whole that still waits for its answer. */
  get waiting(): boolean {
    return this.#open.some((open) => open.request?.done);
  }

  push(open: OpenExchange): void {
    this.#open.push(open);
  }

  /** The exchange that the server's next bytes belong to. */
  answering(): OpenExchange | null {
    return this.#open.find((open) => !open.response?.done) ?? null;
  }

  /**
   * Ends the exchanges at the front that are whole. False when an answer that nobody asked for
   * shows that the pairing of a resynced connection is off.
   */
  settle(): boolean {
    for (let open = this.#open[0]; open !== undefined; open = this.#open[0]) {
      const asked = open.request === null || open.request.done;
      if (!asked || !open.response?.done) return true;
      if (this.resynced && open.request === null) return false;
      this.#open.shift();
      this.#ordinal += 1;
      if (this.resynced) {
        this.confirm();
        this.#unconfirmed = { open, ordinal: this.#ordinal };
      } else this.#emit(open, this.#ordinal, 'complete');
    }
    return true;
  }

  /** What came after fits: the exchange before it is what it seems. */
  confirm(): void {
    const last = this.#unconfirmed;
    this.#unconfirmed = null;
    if (last !== null) this.#emit(last.open, last.ordinal, 'complete');
  }

  /** Bytes are missing or the order is unsure: nothing that is open counts as whole. */
  lose(): void {
    const last = this.#unconfirmed?.open;
    last?.drop(last.response);
    this.confirm();
    for (const open of this.#open) open.drop(open.response);
    this.endAll('gap');
    this.resynced = true;
  }

  endAll(end: ExchangeEnd): void {
    for (const open of this.#open) {
      this.#ordinal += 1;
      if (end === 'malformed') open.malformed = true;
      this.#emit(open, this.#ordinal, end);
    }
    this.#open = [];
  }

  take(): Exchange[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  #emit(open: OpenExchange, ordinal: number, end: ExchangeEnd): void {
    this.#ended.push(open.finish(this.#head, ordinal, end));
  }
}

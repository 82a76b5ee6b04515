/** Pairs DNS questions and answers of one UDP socket by id and question. */
import type { Exchange, ExchangeEnd } from '../../domain/exchange.ts';
import type { Chunk, ConnectionHead, Gap, Reader } from '../protocol.ts';
import { type DnsMessage, dnsMessage } from './message.ts';

/** Questions that wait for an answer at most; the oldest is given up for a newer one. */
const waitingMax = 1000;

interface Waiting {
  message: DnsMessage;
  chunk: { pos: number; end: number; at: number };
}

export class DnsReader implements Reader {
  readonly #head: ConnectionHead;
  #waiting: Waiting[] = [];
  #ordinal = 0;
  #ended: Exchange[] = [];

  constructor(head: ConnectionHead) {
    this.#head = head;
  }

  feed(chunk: Chunk): void {
    const message = dnsMessage(chunk.bytes);
    const at = { pos: chunk.pos, end: chunk.pos + chunk.bytes.length, at: chunk.at };
    const expected = message !== null && message.isResponse === (chunk.from === 'server');
    if (!expected) return;
    if (chunk.from === 'client') this.#ask({ message, chunk: at });
    else this.#answer({ message, chunk: at });
  }

  /** A lost datagram leaves the others whole: each is a message of its own. */
  skip(_gap: Gap): void {}

  close(_at: number): void {
    for (const waiting of this.#waiting) this.#end(waiting, null, 'unanswered');
    this.#waiting = [];
  }

  take(): Exchange[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  carried(): Chunk[] {
    return [];
  }

  #ask(asked: Waiting): void {
    // The same question with the same id is a resolver's second try, not another question.
    const again = this.#waiting.findIndex((one) => sameQuestion(one.message, asked.message));
    if (again >= 0) return;
    this.#waiting.push(asked);
    if (this.#waiting.length > waitingMax) this.#end(this.#waiting.shift()!, null, 'unanswered');
  }

  #answer(answered: Waiting): void {
    const index = this.#waiting.findIndex((one) => sameQuestion(one.message, answered.message));
    // An answer to a question that was not seen is nobody's: it may even be forged.
    if (index < 0) return;
    const [asked] = this.#waiting.splice(index, 1);
    this.#end(asked!, answered, 'complete');
  }

  #end(asked: Waiting, answered: Waiting | null, end: ExchangeEnd): void {
    this.#ordinal += 1;
    const { name, type } = asked.message.query;
    const response = answered?.message.response ?? null;
    const data = response?.answers.map((one) => shown(one.data)).join(', ');
    const failed = response !== null && response.rcode !== 'NOERROR' ? response.rcode : null;
    const outcome = response === null ? 'no answer' : (failed ?? (data === '' ? 'empty' : data));
    this.#ended.push({
      id: `${this.#head.id}/${this.#ordinal}`,
      connectionId: this.#head.id,
      ordinal: this.#ordinal,
      direction: this.#head.direction,
      protocol: 'dns',
      server: this.#head.server,
      serverName: null,
      request: part(asked, asked.message.query),
      response: answered === null ? null : part(answered, response),
      end,
      effect: 'read',
      error: failed,
      title: `DNS ${type} ${name} -> ${outcome}`,
    });
  }
}

function part(seen: Waiting, meaning: unknown) {
  const { pos, end, at } = seen.chunk;
  return { range: { start: pos, end }, startedAt: at, endedAt: at, meaning };
}

function sameQuestion(a: DnsMessage, b: DnsMessage): boolean {
  const name = (message: DnsMessage) => message.query.name.toLowerCase();
  return a.id === b.id && a.query.type === b.query.type && name(a) === name(b);
}

function shown(data: unknown): string {
  return typeof data === 'string' ? data : JSON.stringify(data);
}

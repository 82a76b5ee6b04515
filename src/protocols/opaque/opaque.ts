/** Bytes of a protocol that is not spoken here: kept and compared exactly, never guessed at. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Exchange } from '../../domain/exchange.ts';
import type { Transport } from '../../domain/wire.ts';
import type { Answerer, AnswererContext, Protocol, Question } from '../protocol.ts';
import { OpaqueReader } from './reader.ts';

/** `meaning` of either half: what one side sent until the other began to speak. */
export interface OpaqueBytes {
  base64: string;
  bytes: number;
}

export const opaque: Protocol = {
  name: 'opaque',
  detect: () => 'yes',
  reader: (head, options) => new OpaqueReader(head, options),
  question,
  answerer: (context) => new OpaqueAnswerer(context),
  explain: (exchange) => [
    exchange.title,
    ...[exchange.request, exchange.response].map((part, i) => {
      const meaning = (part?.meaning as OpaqueBytes | null | undefined) ?? null;
      return `${i === 0 ? '>' : '<'} ${meaning === null ? '(not held)' : meaning.base64}`;
    }),
  ],
};

function question(exchange: Exchange): Question | null {
  const meaning = (exchange.request?.meaning as OpaqueBytes | null | undefined) ?? null;
  if (meaning === null) return null;
  return questionFrom(Buffer.from(meaning.base64, 'base64'), exchange);
}

function questionFrom(
  bytes: Uint8Array,
  to: Pick<Question, 'server' | 'serverName'> & { transport?: Transport },
): Question {
  const key = createHash('sha256').update(bytes).digest('hex');
  return {
    protocol: 'opaque',
    transport: to.transport ?? 'tcp',
    server: to.server,
    serverName: to.serverName,
    exactKey: key,
    normalisedKey: key,
    formKey: key,
    effect: 'unknown',
    title: `${bytes.length} bytes of an unknown protocol`,
    fields: { bytes: key },
    meaning: null,
  };
}

/**
 * Answers whole runs of bytes only: what the app has sent since the last answer must be exactly
 * what was recorded between two answers. A run may arrive in pieces, so nothing is said until it
 * equals a recorded one, and everything that cannot become one any more closes the connection.
 */
class OpaqueAnswerer implements Answerer {
  readonly #context: AnswererContext;
  readonly #runs: Buffer[];
  #asked: Buffer = Buffer.alloc(0);
  closing = false;

  constructor(context: AnswererContext) {
    this.#context = context;
    this.#runs = context.recorded.flatMap((exchange) => {
      const meaning = exchange.protocol === 'opaque' ? exchange.request?.meaning : null;
      return meaning ? [Buffer.from((meaning as OpaqueBytes).base64, 'base64')] : [];
    });
  }

  open(): Uint8Array[] {
    const greeting = this.#context.recorded.find(
      (exchange) => exchange.protocol === 'opaque' && exchange.request === null,
    );
    const meaning = greeting?.response?.meaning as OpaqueBytes | null | undefined;
    if (!meaning) return [];
    this.#context.synthesised('what the server says first');
    return [Buffer.from(meaning.base64, 'base64')];
  }

  receive(bytes: Uint8Array): Uint8Array[] {
    if (this.closing) return [];
    this.#asked = Buffer.concat([this.#asked, bytes]);
    const whole = this.#runs.some((run) => run.equals(this.#asked));
    const begun = this.#runs.some((run) => run.subarray(0, this.#asked.length).equals(this.#asked));
    if (!whole && begun) return [];
    const { head } = this.#context;
    const reply = this.#context.ask(questionFrom(this.#asked, head));
    const answer = reply.kind === 'recorded' ? reply.exchange.response?.meaning : null;
    if (!answer) {
      this.closing = true;
      return [];
    }
    this.#asked = Buffer.alloc(0);
    return [Buffer.from((answer as OpaqueBytes).base64, 'base64')];
  }
}

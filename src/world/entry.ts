/** What one recording holds, indexed by the questions that it answers. */
import type { Exchange } from '../domain/exchange.ts';
import type { AnswerSource } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';
import { answerKey } from '../protocols/alike.ts';
import type { Protocol, Question } from '../protocols/protocol.ts';

/** A recorded outbound exchange as a question with its answer. */
export interface Entry {
  exchange: Exchange;
  question: Question;
  source: AnswerSource;
  /** Equal for answers that say the same; made when first needed. */
  readonly answer: string;
  startedAt: Instant;
  /** When its answer was there; the start where there is none. */
  endedAt: Instant;
  /** When its connection was closed, as far as the recording says. */
  connectionClosedAt: Instant | null;
}

/** A recording with its exchanges, both directions, in order of their requests. */
export interface Recorded {
  recording: Recording;
  exchanges: readonly Exchange[];
  /** The outbound ones that ask something, in order. */
  entries: readonly Entry[];
}

/** Indexes a recording. Exchanges that are not whole are in it too: they are never served. */
export function recordedOf(options: {
  recording: Recording;
  exchanges: readonly Exchange[];
  protocols: readonly Protocol[];
  source: AnswerSource;
}): Recorded {
  const { recording, exchanges, source } = options;
  const protocols = new Map(options.protocols.map((protocol) => [protocol.name, protocol]));
  const closedAt = new Map(recording.connections.map((c) => [c.id, c.closedAt]));
  const entries: Entry[] = [];
  for (const exchange of exchanges) {
    if (exchange.direction !== 'outbound' || exchange.request === null) continue;
    const question = protocols.get(exchange.protocol)?.question(exchange) ?? null;
    if (question === null) continue;
    entries.push(
      new LazyEntry({
        exchange,
        question,
        source,
        connectionClosedAt: closedAt.get(exchange.connectionId) ?? null,
      }),
    );
  }
  entries.sort((a, b) => a.startedAt - b.startedAt);
  return { recording, exchanges, entries };
}

/** The same recording in another part: a sibling's may be the next trigger. */
export function as(recorded: Recorded, source: AnswerSource): Recorded {
  if (recorded.entries.every((entry) => entry.source === source)) return recorded;
  const entries = recorded.entries.map((entry) => new LazyEntry({ ...partsOf(entry), source }));
  return { ...recorded, entries };
}

/** Whether an answer may be given for it: both halves whole, or knowingly never answered. */
export function isServable(entry: Entry): boolean {
  return entry.exchange.end === 'complete' || entry.exchange.end === 'unanswered';
}

/** Whether it changes something at the other side, as far as can be told. */
export function changes(effect: Exchange['effect']): boolean {
  return effect === 'write' || effect === 'unknown';
}

function partsOf({ exchange, question, connectionClosedAt }: Entry) {
  return { exchange, question, connectionClosedAt };
}

class LazyEntry implements Entry {
  readonly exchange: Exchange;
  readonly question: Question;
  readonly source: AnswerSource;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly connectionClosedAt: Instant | null;
  #answer: string | null = null;

  constructor(from: Pick<Entry, 'exchange' | 'question' | 'source' | 'connectionClosedAt'>) {
    this.exchange = from.exchange;
    this.question = from.question;
    this.source = from.source;
    this.connectionClosedAt = from.connectionClosedAt;
    this.startedAt = from.exchange.request!.startedAt;
    this.endedAt = from.exchange.response?.endedAt ?? this.startedAt;
  }

  get answer(): string {
    this.#answer ??= answerKey(this.exchange);
    return this.#answer;
  }
}

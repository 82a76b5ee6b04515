/** An exchange with PostgreSQL while it goes by. */
import type { Effect, Exchange, ExchangeEnd, ExchangePart } from '../../domain/exchange.ts';
import type { ConnectionHead } from '../protocol.ts';
import type {
  PgAnswer,
  PgDescription,
  PgError,
  PgPrepare,
  PgQuery,
  PgResult,
  PgStart,
  PgStarted,
} from './meaning.ts';
import { type Sql, sqlOf } from './sql.ts';

/** Where and when a message passed. */
export interface Place {
  start: number;
  end: number;
  at: number;
}

/** What an exchange is about, with its two meanings. */
export type Subject =
  | { kind: 'query'; query: PgQuery; sql: Sql | null; answer: PgAnswer }
  | { kind: 'prepare'; prepare: PgPrepare; description: PgDescription }
  | { kind: 'start'; start: PgStart; started: PgStarted }
  | { kind: 'cancel' | 'tls' }
  /** Sent by the server unasked. */
  | { kind: 'unasked'; response: unknown; error: PgError | null; title: string };

export class OpenExchange {
  readonly subject: Subject;
  /** Some of its bytes are not held. */
  holed = false;
  handedOver = false;
  malformed = false;
  /** Bytes of rows and COPY data, held or not. */
  dataBytes = 0;
  #request: (Place & { from: number }) | null = null;
  #response: (Place & { from: number }) | null = null;

  constructor(subject: Subject) {
    this.subject = subject;
  }

  asked(place: Place): this {
    this.#request = grown(this.#request, place);
    return this;
  }

  answered(place: Place): this {
    this.#response = grown(this.#response, place);
    return this;
  }

  /** Counts data; false when there is more than may be held, and drops what there is. */
  takes(bytes: number, bytesMax: number): boolean {
    this.dataBytes += bytes;
    if (this.dataBytes > bytesMax) this.drop();
    return !this.holed;
  }

  drop(): void {
    this.holed = true;
    if (this.subject.kind !== 'query') return;
    for (const result of this.subject.answer.results) {
      result.rows = [];
      if (result.copy !== null) result.copy.data = [];
    }
  }

  finish(head: ConnectionHead, ordinal: number, end: ExchangeEnd): Exchange {
    const { subject } = this;
    const error = errorIn(subject);
    return {
      id: `${head.id}/${ordinal}`,
      connectionId: head.id,
      ordinal,
      direction: head.direction,
      protocol: 'postgres',
      server: head.server,
      serverName: head.serverName,
      request: partOf(this.#request, requestMeaning(subject)),
      response: partOf(this.#response, responseMeaning(subject)),
      end: this.#endOf(end),
      effect: effectIn(subject),
      error: error === null ? null : `${error.severity} ${error.sqlstate}: ${error.message}`,
      title: titleOf(subject, end),
    };
  }

  #endOf(end: ExchangeEnd): ExchangeEnd {
    if (this.malformed) return 'malformed';
    if (this.holed) return 'gap';
    return this.handedOver ? 'handed-over' : end;
  }
}

/** The text of a query as it may be shown: without literals, in one line, cut. */
export function sqlTitle(sql: Sql | null): string {
  if (sql === null) return '(statement prepared before)';
  const line = sql.form.replaceAll(/\s+/g, ' ');
  if (line === '') return '(empty query)';
  return line.length <= 160 ? line : `${line.slice(0, 159)}…`;
}

function titleOf(subject: Subject, end: ExchangeEnd): string {
  if (subject.kind === 'query') {
    const { answer, sql } = subject;
    return `${sqlTitle(sql)} -> ${outcomeOf(answer, end)}`;
  }
  if (subject.kind === 'prepare') {
    const { prepare, description } = subject;
    const failed = description.error === null ? '' : ` -> ${description.error.sqlstate}`;
    return `prepare ${sqlTitle(prepare.sql === null ? null : sqlOf(prepare.sql))}${failed}`;
  }
  if (subject.kind === 'start') {
    const database = subject.start.parameters.find(([name]) => name === 'database')?.[1];
    return `connect to ${database ?? 'the default database'}`;
  }
  if (subject.kind === 'unasked') return subject.title;
  return subject.kind === 'cancel' ? 'cancel request' : 'TLS';
}

function outcomeOf(answer: PgAnswer, end: ExchangeEnd): string {
  if (answer.error !== null) return `${answer.error.severity} ${answer.error.sqlstate}`;
  if (end === 'unanswered') return 'no answer';
  return answer.results.map(resultText).join(', ') || 'nothing';
}

function resultText(result: PgResult): string {
  if (result.end === 'suspended') return `${result.rows.length} rows and more`;
  return result.tag ?? (result.end === 'empty' ? 'empty' : 'failed');
}

function errorIn(subject: Subject): PgError | null {
  if (subject.kind === 'query') return subject.answer.error;
  if (subject.kind === 'prepare') return subject.description.error;
  if (subject.kind === 'start') return subject.started.error;
  return subject.kind === 'unasked' ? subject.error : null;
}

function effectIn(subject: Subject): Effect {
  if (subject.kind !== 'query') return 'control';
  return subject.sql === null ? 'unknown' : subject.sql.effect;
}

function requestMeaning(subject: Subject): unknown {
  if (subject.kind === 'query') return subject.query;
  if (subject.kind === 'prepare') return subject.prepare;
  return subject.kind === 'start' ? subject.start : { kind: subject.kind };
}

function responseMeaning(subject: Subject): unknown {
  if (subject.kind === 'query') return subject.answer;
  if (subject.kind === 'prepare') return subject.description;
  if (subject.kind === 'start') return subject.started;
  return subject.kind === 'unasked' ? subject.response : null;
}

function grown(before: (Place & { from: number }) | null, place: Place) {
  if (before === null) return { ...place, from: place.at };
  return { start: before.start, end: place.end, at: place.at, from: before.from };
}

function partOf(place: (Place & { from: number }) | null, meaning: unknown): ExchangePart | null {
  if (place === null) return null;
  const { start, end, from, at } = place;
  return { range: { start, end }, startedAt: from, endedAt: at, meaning };
}

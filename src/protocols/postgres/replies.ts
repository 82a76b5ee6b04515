/** Finds what to say to one query: recorded, assumed, made up by rule, or an error. */
import type { AnswererContext, Question } from '../protocol.ts';
import { assumedResult } from './assume.ts';
import { notRecorded } from './failures.ts';
import type { PgQuery, PgResult } from './meaning.ts';
import { answerOf, type PgAnswer, type PgColumns, type PgError } from './meaning.ts';
import { type CopyData, prepareQuestion, questionFrom } from './question.ts';
import { type Description, Known } from './recorded.ts';
import { inFormats } from './results.ts';
import type { Portal } from './session.ts';
import { controlTag, type Sql } from './sql.ts';
import { leavesFailure, type Status } from './transaction.ts';

export class Replies {
  readonly known: Known;
  readonly #context: AnswererContext;

  constructor(context: AnswererContext) {
    this.#context = context;
    this.known = new Known(context.recorded);
  }

  /** The answer to a query: by rule where it only steers the session, else as recorded. */
  to(query: PgQuery, sql: Sql, status: Status): PgAnswer {
    return sql.effect === 'control' ? this.#control(sql, status) : this.query(query, sql, null);
  }

  /** The columns of a result as its portal asked for them. */
  columnsOf(result: PgResult, portal: Portal): PgColumns {
    if (result.columns !== 'unknown') return inFormats(result.columns, portal.resultFormats);
    const known = this.known.description(portal.prepared.sql!, portal.prepared.types);
    return known === null ? 'none' : inFormats(known.columns, portal.resultFormats);
  }

  /** The answer to a query that asks or changes something. */
  query(query: PgQuery, sql: Sql, copied: CopyData): PgAnswer {
    const question = questionFrom({ query, sql, copied }, this.#context.head);
    const reply = this.#context.ask(question);
    if (reply.kind === 'none') return failed(notRecorded(question, reply.explanation));
    if (reply.kind === 'recorded') {
      const recorded = answerOf(reply.exchange);
      return recorded ?? this.#unusable(question, 'the recorded answer is not whole');
    }
    const assumed = assumedResult(query, reply.examples);
    if (assumed === null) {
      return this.#unusable(question, 'recorded answers of this form have no common shape');
    }
    this.#context.assumed(assumed.madeUp);
    return { results: [assumed.result], error: null, notices: [], settings: [] };
  }

  #unusable(question: Question, explanation: string): PgAnswer {
    this.#context.unusable?.(explanation);
    return failed(notRecorded(question, explanation));
  }

  #control(sql: Sql, status: Status): PgAnswer {
    this.#context.synthesised(sql.form === '' ? '(empty query)' : sql.form);
    const results = sql.statements.map((statement): PgResult => {
      const result = { columns: 'none' as const, rows: [], copy: null };
      if (statement.verb === '') return { ...result, tag: null, end: 'empty' };
      const undone = status === 'E' && leavesFailure(statement);
      const tag = undone ? 'ROLLBACK' : controlTag(statement);
      return { ...result, tag, end: 'complete' };
    });
    const settings = this.known.settingsAfter(sql);
    return { results, error: null, notices: [], settings };
  }

  /** What a statement takes and returns, or the error of not knowing it. */
  description(sql: Sql, types: readonly number[]): Description | PgError {
    if (sql.effect === 'control') return { parameterTypes: [], columns: 'none' };
    const known = this.known.description(sql, types);
    if (known !== null) {
      this.#context.synthesised(`describe ${sql.form}`);
      return known;
    }
    const question = prepareQuestion(sql, this.#context.head);
    const reply = this.#context.ask(question);
    return notRecorded(question, reply.kind === 'none' ? reply.explanation : 'never described');
  }
}

function failed(error: PgError): PgAnswer {
  return { results: [], error, notices: [], settings: [] };
}

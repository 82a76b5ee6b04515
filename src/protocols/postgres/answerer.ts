/** The server half of PostgreSQL's protocol for one connection of a replay. */
import { Buffer } from 'node:buffer';
import type { Answerer, AnswererContext } from '../protocol.ts';
import * as encode from './encode.ts';
import { failure, inFailedTransaction, noPortal, noStatement } from './failures.ts';
import { type Frame, Framer } from './frames.ts';
import { type FrontendMessage, frontendMessage, frontendTypes } from './frontend.ts';
import type { PgAnswer, PgColumns, PgError, PgQuery, PgValue } from './meaning.ts';
import { Replies } from './replies.ts';
import { inFormats } from './results.ts';
import { type Portal, queryFrom, Session } from './session.ts';
import { type Sql, sqlOf } from './sql.ts';
import { leavesFailure, type Status, statusAfter, statusAfterError } from './transaction.ts';

/** Largest message of a client that is read. */
const messageBytesMax = 64 << 20;

/** A query whose COPY data is on its way. */
interface Copying {
  query: PgQuery;
  sql: Sql;
  data: PgValue[];
  simple: boolean;
}

export class PostgresAnswerer implements Answerer {
  readonly #context: AnswererContext;
  readonly #replies: Replies;
  readonly #session = new Session();
  readonly #framer: Framer;
  #started = false;
  #status: Status = 'I';
  /** After an error, everything up to the next Sync is ignored. */
  #discarding = false;
  /** Described, and answered together with its Execute where that follows. */
  #describing: Portal | null = null;
  #copying: Copying | null = null;
  #out: Buffer[] = [];
  #pos = 0;
  closing = false;

  constructor(context: AnswererContext) {
    this.#context = context;
    this.#replies = new Replies(context);
    this.#framer = new Framer({
      types: frontendTypes,
      payloadBytesMax: messageBytesMax,
      expect: () => (this.#started ? 'typed' : 'untyped'),
      frame: (frame) => this.#frame(frame),
    });
  }

  open(): Uint8Array[] {
    return [];
  }

  receive(bytes: Uint8Array): Uint8Array[] {
    if (!this.closing && !this.#framer.feed(bytes, this.#pos)) this.#refuse();
    this.#pos += bytes.length;
    const out = this.#out.length === 0 ? [] : [Buffer.concat(this.#out)];
    this.#out = [];
    return out;
  }

  #frame(frame: Frame): void {
    if (this.closing) return;
    const message = frontendMessage(frame);
    if (message === null) this.#refuse();
    else if (!this.#started) this.#begin(message);
    else if (!this.#discarding || message.name === 'sync') this.#take(message);
    else if (message.name === 'terminate') this.closing = true;
  }

  #refuse(): void {
    const error = failure('08P01', 'not a message of the PostgreSQL protocol, version 3');
    this.#context.synthesised('protocol violation');
    this.#send(encode.errorResponse(error));
    this.closing = true;
  }

  #send(...messages: Buffer[]): void {
    this.#out.push(...messages);
  }

  /** Whoever connects is let in: the recording shows that the real server did so. */
  #begin(message: FrontendMessage): void {
    if (message.name === 'ssl' || message.name === 'gss') {
      this.#send(Buffer.from('N'));
      return;
    }
    if (message.name !== 'start') {
      this.closing = true;
      return;
    }
    this.#started = true;
    this.#session.start(message.parameters, null);
    this.#context.synthesised('connection start');
    const started = this.#replies.known.start(message.parameters);
    if (started.error === null) this.#send(...encode.startMessages(started));
    else this.#fail(started.error);
    this.closing = started.error !== null;
  }

  #take(message: FrontendMessage): void {
    if (message.name !== 'execute') this.#describeNow();
    switch (message.name) {
      case 'query':
        this.#simple(sqlOf(message.sql));
        return;
      case 'sync':
        this.#discarding = false;
        this.#send(encode.readyForQuery(this.#status));
        return;
      case 'parse':
        this.#parse(message);
        return;
      case 'bind':
        this.#bind(message);
        return;
      case 'describe':
        this.#describe(message);
        return;
      case 'execute':
        this.#execute(message);
        return;
      case 'close':
        this.#session.close(message.target, message.of);
        this.#send(encode.closeComplete);
        return;
      case 'copyData':
        this.#copying?.data.push(message.data);
        return;
      case 'copyDone':
      case 'copyFail':
        this.#copied(message);
        return;
      case 'terminate':
        this.closing = true;
        return;
      case 'function':
        this.#fail(failure('0A000', 'fixpoint: function calls are not replayed'));
        this.#send(encode.readyForQuery(this.#status));
        return;
      default:
        return;
    }
  }

  #simple(sql: Sql): void {
    if (this.#status === 'E' && !leavesFailure(sql.statements[0]))
      this.#fail(inFailedTransaction());
    else {
      const session = this.#session.contextOf(sql);
      const query = queryFrom({ sql, portal: null, maxRows: 0, session });
      this.#session.sent(sql, [], []);
      if (this.#startsCopy({ query, sql, data: [], simple: true })) return;
      const answer = this.#replies.to(query, sql, this.#status);
      for (const result of answer.results) {
        if (Array.isArray(result.columns)) this.#send(encode.rowDescription(result.columns));
        this.#send(...encode.resultMessages(result));
      }
      this.#after(answer, sql);
    }
    this.#discarding = false;
    this.#send(encode.readyForQuery(this.#status));
  }

  #parse(message: Extract<FrontendMessage, { name: 'parse' }>): void {
    const { sql } = this.#session.parse(message);
    const { types, statement } = message;
    const error = this.#replies.known.prepareError(sql!, types);
    if (this.#status === 'E' && !leavesFailure(sql!.statements[0]))
      this.#fail(inFailedTransaction());
    else if (error !== null) {
      this.#session.close('statement', statement);
      this.#context.synthesised(`prepare ${sql!.form}`);
      this.#fail(error);
    } else this.#send(encode.parseComplete);
  }

  #bind(message: Extract<FrontendMessage, { name: 'bind' }>): void {
    const portal = this.#session.bind(message);
    const first = portal?.prepared.sql?.statements[0];
    if (portal === null) {
      this.#fail(noStatement(message.statement));
    } else if (this.#status === 'E' && !leavesFailure(first)) this.#fail(inFailedTransaction());
    else this.#send(encode.bindComplete);
  }

  #describe({ target, of }: Extract<FrontendMessage, { name: 'describe' }>): void {
    if (target === 'portal') {
      this.#describing = this.#session.portals.get(of) ?? null;
      if (this.#describing === null) this.#fail(noPortal(of));
      return;
    }
    const prepared = this.#session.statements.get(of);
    if (prepared === undefined) {
      this.#fail(noStatement(of));
      return;
    }
    const description = this.#replies.description(prepared.sql!, prepared.types);
    if ('severity' in description) {
      this.#fail(description);
      return;
    }
    this.#send(encode.parameterDescription(description.parameterTypes));
    this.#columns(inFormats(description.columns, []));
  }

  /** A described portal is not executed at once: what is known of its statement has to do. */
  #describeNow(): void {
    const portal = this.#describing;
    this.#describing = null;
    if (portal === null) return;
    const { sql, types } = portal.prepared;
    const description = this.#replies.description(sql!, types);
    if ('severity' in description) this.#fail(description);
    else this.#columns(inFormats(description.columns, portal.resultFormats));
  }

  #execute(message: Extract<FrontendMessage, { name: 'execute' }>): void {
    const portal = this.#session.portals.get(message.portal);
    if (this.#describing !== null && this.#describing !== portal) this.#describeNow();
    const described = this.#describing !== null;
    this.#describing = null;
    if (this.#discarding) return;
    if (portal === undefined) {
      this.#fail(noPortal(message.portal));
      return;
    }
    const sql = portal.prepared.sql!;
    if (this.#status === 'E' && !leavesFailure(sql.statements[0])) {
      this.#fail(inFailedTransaction());
      return;
    }
    const session = this.#session.contextOf(sql);
    const { maxRows } = message;
    const query = queryFrom({ sql, portal, maxRows, session });
    this.#session.sent(sql, portal.params, []);
    if (this.#startsCopy({ query, sql, data: [], simple: false })) return;
    const answer = this.#replies.to(query, sql, this.#status);
    const result = answer.results[0];
    if (described && result !== undefined) this.#columns(this.#replies.columnsOf(result, portal));
    if (result !== undefined) {
      portal.rows += result.rows.length;
      this.#send(...encode.resultMessages(result));
    }
    this.#after(answer, sql);
  }

  #columns(columns: PgColumns): void {
    this.#send(Array.isArray(columns) ? encode.rowDescription(columns) : encode.noData);
  }

  /** What follows the results: settings, notices, an error, and the transaction's new status. */
  #after(answer: PgAnswer, sql: Sql): void {
    this.#send(...answer.settings.map(encode.parameterStatus));
    this.#send(...answer.notices.map(encode.noticeResponse));
    const done =
      answer.error === null ? sql.statements : sql.statements.slice(0, answer.results.length);
    for (const statement of done) this.#status = statusAfter(this.#status, statement);
    if (answer.error !== null) this.#fail(answer.error);
  }

  /** COPY FROM STDIN: the data comes after the first answer, and is part of the question. */
  #startsCopy(copying: Copying): boolean {
    if (copying.sql.statements[0]?.verb !== 'copy' || copying.sql.effect !== 'write') return false;
    const copy = this.#replies.known.copyIn(copying.sql);
    if (copy === null) return false;
    this.#context.synthesised('COPY begins');
    this.#send(encode.copyResponse({ ...copy, data: [] }));
    this.#copying = copying;
    return true;
  }

  #copied(message: Extract<FrontendMessage, { name: 'copyDone' | 'copyFail' }>): void {
    const copying = this.#copying;
    this.#copying = null;
    if (copying === null) return;
    if (message.name === 'copyFail') {
      this.#fail(failure('57014', `COPY from stdin failed: ${message.message}`));
    } else {
      const answer = this.#replies.query(copying.query, copying.sql, copying.data);
      for (const result of answer.results)
        this.#send(...encode.resultMessages({ ...result, copy: null }));
      this.#after(answer, copying.sql);
    }
    if (!copying.simple) return;
    this.#discarding = false;
    this.#send(encode.readyForQuery(this.#status));
  }

  #fail(error: PgError): void {
    this.#send(encode.errorResponse(error));
    this.#status = statusAfterError(this.#status);
    this.#discarding = true;
    this.#describing = null;
    if (error.severity === 'FATAL' || error.severity === 'PANIC') this.closing = true;
  }
}

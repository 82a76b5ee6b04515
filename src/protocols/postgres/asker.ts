/** The client's half of a PostgreSQL connection: what each of its messages waits for. */
import type { Chunk } from '../../domain/wire.ts';
import type { FrontendMessage } from './frontend.ts';
import type { OpenExchange, Place } from './open.ts';
import type { ResultSink } from './results.ts';
import { type Portal, type Prepared, Session } from './session.ts';
import { type Sql, sqlOf } from './sql.ts';
import { openPrepare, openQuery, openStart } from './subjects.ts';

/** A message as it was sent, for readers that join later; made only when it is kept. */
export type Raw = () => Chunk;

/** What a message of the client waits for. */
export type Step =
  | { kind: 'ssl' | 'close' | 'sync' }
  | { kind: 'start'; open: OpenExchange }
  | { kind: 'parse'; prepared: Prepared; name: string; place: Place }
  | { kind: 'bind'; prepared: Prepared | null; place: Place }
  | {
      kind: 'describe';
      prepared: Prepared | null;
      portal: Portal | null;
      open: OpenExchange | null;
    }
  | ({ kind: 'execute' | 'query' } & ResultSink);

export class Asker {
  readonly session = new Session();
  #started: boolean;
  /** First message of the extended protocol since the last Execute or Sync. */
  #unit: Place | null = null;
  #unitRaw: Raw[] = [];

  constructor(started: boolean) {
    this.#started = started;
  }

  get started(): boolean {
    return this.#started;
  }

  /** Whether nothing is half said: no Parse or Bind without its Execute or Sync. */
  get quiet(): boolean {
    return this.#unit === null;
  }

  /** What the message waits for; null when it waits for nothing, `wrong` when it makes no sense. */
  step(message: FrontendMessage, place: Place, raw: Raw): Step | null | 'wrong' {
    if (!this.#started) return this.#beginning(message, place, raw);
    switch (message.name) {
      case 'query':
        return this.ask(sqlOf(message.sql), place, raw);
      case 'function':
        return this.ask(null, place, raw);
      case 'sync':
        this.endUnit();
        return { kind: 'sync' };
      case 'close':
        this.session.close(message.target, message.of);
        return { kind: 'close' };
      case 'parse':
        return this.#parse(message, place, raw);
      case 'bind': {
        this.#begin(place, raw);
        const portal = this.session.bind(message);
        return { kind: 'bind', prepared: portal?.prepared ?? null, place };
      }
      case 'describe':
        this.#begin(place, raw);
        return this.#describe(message, place);
      case 'execute':
        this.#begin(place, raw);
        return this.#execute(message, place);
      case 'terminate':
      case 'flush':
      case 'copyDone':
      case 'copyFail':
        return null;
      default:
        return 'wrong';
    }
  }

  /** A simple query; `sql` is null where its text is not held. */
  ask(sql: Sql | null, place: Place, raw: Raw): Extract<Step, { kind: 'query' | 'execute' }> {
    const session = sql === null ? [] : this.session.contextOf(sql);
    const open = openQuery({ sql, portal: null, maxRows: 0, session });
    if (sql === null) open.drop();
    else this.session.sent(sql, [], [raw]);
    return { kind: 'query', open: open.asked(place), portal: null, current: null };
  }

  /** A Bind whose payload is not held: which portal runs what is not known any more. */
  bindHole(place: Place): Step {
    this.session.portals.clear();
    this.#unit ??= place;
    return { kind: 'bind', prepared: null, place };
  }

  endUnit(): void {
    this.#unit = null;
    this.#unitRaw = [];
  }

  #begin(place: Place, raw: Raw): void {
    this.#unit ??= place;
    this.#unitRaw.push(raw);
  }

  #beginning(message: FrontendMessage, place: Place, raw: Raw): Step | 'wrong' {
    if (message.name === 'ssl' || message.name === 'gss') return { kind: 'ssl' };
    if (message.name !== 'start') return 'wrong';
    this.#started = true;
    this.session.start(message.parameters, raw);
    return { kind: 'start', open: openStart(message.parameters).asked(place) };
  }

  #parse(message: Extract<FrontendMessage, { name: 'parse' }>, place: Place, raw: Raw): Step {
    this.#begin(place, raw);
    const prepared = this.session.parse(message);
    prepared.carried.push(raw());
    return { kind: 'parse', prepared, name: message.statement, place };
  }

  #describe(message: { target: 'statement' | 'portal'; of: string }, place: Place): Step {
    if (message.target === 'portal') {
      const portal = this.session.portals.get(message.of) ?? null;
      return { kind: 'describe', prepared: null, portal, open: null };
    }
    const prepared = this.session.statements.get(message.of) ?? null;
    const open = openPrepare(prepared).asked(this.#unit!).asked(place);
    return { kind: 'describe', prepared, portal: null, open };
  }

  #execute(message: { portal: string; maxRows: number }, place: Place): Step {
    const portal = this.session.portals.get(message.portal) ?? null;
    const sql = portal?.prepared.sql ?? null;
    const session = sql === null ? [] : this.session.contextOf(sql);
    const { maxRows } = message;
    const open = openQuery({ sql, portal, maxRows, session });
    open.asked(this.#unit!).asked(place);
    if (portal === null || sql === null) open.drop();
    else this.session.sent(sql, portal.params, this.#unitRaw);
    this.endUnit();
    return { kind: 'execute', open, portal, current: null };
  }
}

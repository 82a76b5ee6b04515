/** What a connection remembers between queries: statements, portals, and what shapes answers. */
import { createHash } from 'node:crypto';
import type { Chunk } from '../../domain/wire.ts';
import type { Format, PgColumns, PgParameter, PgQuery } from './meaning.ts';
import { type Sql, sqlOf } from './sql.ts';

export interface Prepared {
  /** Null when its Parse was not seen. */
  sql: Sql | null;
  types: number[];
  parameterTypes: number[] | null;
  columns: PgColumns;
  /** The raw messages that made it known, for a reader that joins later. */
  carried: Chunk[];
}

export interface Portal {
  prepared: Prepared;
  params: PgParameter[];
  resultFormats: Format[];
  /** Known once it was described. */
  columns: PgColumns;
  /** Rows returned by earlier Executes. */
  rows: number;
}

/** Named statements above it are forgotten, the oldest first. */
const statementsMax = 5000;

export class Session {
  readonly statements = new Map<string, Prepared>();
  readonly portals = new Map<string, Portal>();
  readonly #shaping = new Shaping();
  #connected: { text: string; raw: (() => Chunk) | null } | null = null;

  /**
   * The connection begins: as whom and to which database decides every answer. `raw` is the
   * message as it was sent, where it is to be carried on.
   */
  start(parameters: readonly [string, string][], raw: (() => Chunk) | null): void {
    const value = (name: string) => parameters.find(([key]) => key === name)?.[1];
    const user = value('user') ?? '';
    this.#connected = { text: `database ${value('database') || user} as ${user}`, raw };
  }

  /** What shapes the answer to a statement beside its text and values. */
  contextOf(sql: Sql): string[] {
    return [...(this.#connected === null ? [] : [this.#connected.text]), ...this.#shaping.of(sql)];
  }

  /** The messages behind the context, as they were sent; the start of the connection first. */
  carried(): { start: Chunk[]; settings: Chunk[] } {
    const raw = this.#connected?.raw ?? null;
    const start = raw === null ? [] : [raw()];
    return { start, settings: this.#shaping.carried() };
  }

  parse(options: { statement: string; sql: string | null; types: number[] }): Prepared {
    const { statement, sql, types } = options;
    const prepared: Prepared = {
      sql: sql === null ? null : sqlOf(sql),
      types,
      parameterTypes: null,
      columns: 'unknown',
      carried: [],
    };
    this.statements.delete(statement);
    this.statements.set(statement, prepared);
    if (this.statements.size > statementsMax) {
      this.statements.delete(this.statements.keys().next().value!);
    }
    return prepared;
  }

  /** Null when the statement is not known. */
  bind(options: {
    portal: string;
    statement: string;
    params: Omit<PgParameter, 'type'>[];
    resultFormats: Format[];
  }): Portal | null {
    const prepared = this.statements.get(options.statement);
    this.portals.delete(options.portal);
    if (prepared === undefined) return null;
    const params = options.params.map((param, i) => ({ type: prepared.types[i] ?? 0, ...param }));
    const { resultFormats } = options;
    const portal = { prepared, params, resultFormats, columns: 'unknown' as const, rows: 0 };
    this.portals.set(options.portal, portal);
    return portal;
  }

  close(target: 'statement' | 'portal', name: string): void {
    if (target === 'statement') this.statements.delete(name);
    else this.portals.delete(name);
  }

  /** A statement was sent: takes note of what it changes for those that follow. */
  sent(sql: Sql, params: readonly PgParameter[], raw: readonly (() => Chunk)[]): void {
    this.#shaping.sent(sql, params, raw);
    for (const { verb, words } of sql.statements) {
      const all = words[1] === 'all';
      if (verb === 'deallocate' && all) this.statements.clear();
      else if (verb === 'deallocate') this.statements.delete(nameIn(words.at(-1)));
      if (verb === 'discard' && all) this.statements.clear();
      if (['commit', 'end', 'rollback', 'abort'].includes(verb)) this.portals.clear();
    }
  }
}

/** A query as it is asked now; `portal` is null for a simple one. */
export function queryFrom(options: {
  sql: Sql | null;
  portal: Portal | null;
  maxRows: number;
  session: string[];
}): PgQuery {
  const { sql, portal, maxRows, session } = options;
  return {
    kind: 'query',
    mode: portal === null ? 'simple' : 'extended',
    sql: sql?.text ?? null,
    params: portal?.params ?? [],
    resultFormats: portal?.resultFormats ?? [],
    maxRows,
    skippedRows: portal?.rows ?? 0,
    session,
  };
}

interface Shape {
  text: string;
  /** Ends with the transaction. */
  local: boolean;
  /** The messages that made it, as they were sent. */
  raw: readonly (() => Chunk)[];
}

/** Settings that say how long or under which label, never what. */
const inert = /^(application_name|\w*_timeout|client_min_messages|extra_float_digits)$/;

/**
 * Statements that change what later ones mean: two connections with different ones in effect may
 * get different answers to one question (row security by a setting, a search path, a cursor).
 */
class Shaping {
  #shapes = new Map<string, Shape>();
  /** As it was when the transaction began. */
  #before: Map<string, Shape> | null = null;

  /** The texts in effect for a statement, in the order in which they were set. */
  of(sql: Sql): string[] {
    return [...this.#shapes]
      .filter(([key]) => concerns(key, sql))
      .map(([, shape]) => shape.text)
      .sort();
  }

  carried(): Chunk[] {
    return [...this.#shapes.values()].flatMap((shape) => shape.raw.map((one) => one()));
  }

  clear(): void {
    this.#shapes.clear();
    this.#before = null;
  }

  sent(sql: Sql, params: readonly PgParameter[], raw: readonly (() => Chunk)[]): void {
    const values = params.length === 0 ? '' : ` ${JSON.stringify(params.map((p) => p.value))}`;
    for (const { words } of sql.statements) {
      const text = words.join(' ') + values;
      this.#apply(words, { text, local: false, raw });
    }
  }

  #apply(words: readonly string[], shape: Shape): void {
    const [verb = '', next = ''] = words;
    if (verb === 'begin' || verb === 'start') this.#before ??= new Map(this.#shapes);
    else if (verb === 'commit' || verb === 'end') this.#end(false);
    else if (verb === 'abort' || (verb === 'rollback' && !words.includes('to'))) this.#end(true);
    else if (verb === 'set') this.#set(words, shape);
    else if (verb === 'reset' && next !== 'all') this.#shapes.delete(`set ${next}`);
    else if (verb === 'reset' || (verb === 'discard' && next === 'all')) this.clear();
    else if (verb === 'declare' || verb === 'prepare') {
      const local = verb === 'declare' && !words.includes('hold');
      this.#put(`${verb} ${nameIn(next)}`, { ...shape, local });
    } else if (verb === 'close') this.#shapes.delete(`declare ${nameIn(next)}`);
    else if (verb === 'fetch' || verb === 'move') this.#moved(words, shape);
    else if (words.includes('set_config')) {
      this.#put(`set_config ${words.join(' ')}`, { ...shape, local: words.includes('true') });
    }
  }

  #set(words: readonly string[], shape: Shape): void {
    const scope = words[1] === 'local' || words[1] === 'session' ? 2 : 1;
    const name = words
      .slice(scope, scope + 3)
      .join('')
      .replace(/(=|to).*$/, '');
    const first = words[scope] ?? '';
    if (inert.test(first) || first === 'transaction' || first === 'constraints') return;
    if (words[scope] === 'characteristics') return;
    this.#put(`set ${name}`, { ...shape, local: words[1] === 'local' });
  }

  /** How far a cursor has moved decides what the next FETCH returns. */
  #moved(words: readonly string[], { raw }: Shape): void {
    const key = `declare ${nameIn(words.at(-1))}`;
    const cursor = this.#shapes.get(key);
    if (cursor === undefined) return;
    const [declared, moves = ''] = cursor.text.split(' ; moved ');
    const hash = createHash('sha256')
      .update(`${moves} ${words.join(' ')}`)
      .digest('hex');
    const text = `${declared} ; moved ${hash.slice(0, 16)}`;
    this.#shapes.set(key, { ...cursor, text, raw: [...cursor.raw, ...raw].slice(-1000) });
  }

  #put(key: string, shape: Shape): void {
    this.#shapes.delete(key);
    this.#shapes.set(key, shape);
    if (this.#shapes.size > 1000) this.#shapes.delete(this.#shapes.keys().next().value!);
  }

  #end(rolledBack: boolean): void {
    if (rolledBack && this.#before !== null) this.#shapes = this.#before;
    this.#before = null;
    for (const [key, shape] of this.#shapes) if (shape.local) this.#shapes.delete(key);
  }
}

function concerns(key: string, sql: Sql): boolean {
  if (key.startsWith('set')) return true;
  const [kind, name] = key.split(' ', 2);
  const verbs = kind === 'declare' ? ['fetch', 'move', 'close'] : ['execute'];
  return sql.statements.some(
    ({ verb, words }) => verbs.includes(verb) && words.some((word) => nameIn(word) === name),
  );
}

/** Identifiers are equal in any case unless they are quoted. */
function nameIn(word = ''): string {
  return word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase();
}

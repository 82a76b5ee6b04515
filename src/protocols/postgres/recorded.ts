/** What recorded exchanges with a server tell beside their answers: handshakes, descriptions. */
import type { Exchange } from '../../domain/exchange.ts';
import type { PgColumns, PgDescription, PgError, PgStarted } from './meaning.ts';
import { answerOf, prepareOf, queryOf, startOf } from './meaning.ts';
import { type Sql, sqlOf } from './sql.ts';

export interface Description {
  parameterTypes: number[];
  columns: PgColumns;
}

/** What a server says of itself when no recording holds the start of a connection. */
const defaults: [string, string][] = [
  ['client_encoding', 'UTF8'],
  ['DateStyle', 'ISO, MDY'],
  ['integer_datetimes', 'on'],
  ['server_encoding', 'UTF8'],
  ['server_version', '16.0'],
  ['standard_conforming_strings', 'on'],
  ['TimeZone', 'UTC'],
];

export class Known {
  readonly #recorded: readonly Exchange[];
  readonly #normals = new Map<string, string>();

  /** The list is kept, not copied: one connection may be answered from several recordings. */
  constructor(recorded: readonly Exchange[]) {
    this.#recorded = recorded;
  }

  /** How a connection with these parameters began; one with others where there is none. */
  start(parameters: [string, string][]): PgStarted {
    const starts = this.#recorded.flatMap((exchange) => {
      const start = startOf(exchange);
      const started = (exchange.response?.meaning ?? null) as PgStarted | null;
      return start === null || started === null || exchange.end !== 'complete'
        ? []
        : [{ start, started }];
    });
    const wanted = JSON.stringify(parameters);
    const equal = starts.filter(({ start }) => JSON.stringify(start.parameters) === wanted);
    const pool = equal.length > 0 ? equal : starts.filter(({ started }) => started.error === null);
    const found = pool.find(({ started }) => started.error === null) ?? pool[0];
    if (found !== undefined) return found.started;
    const none = { authentication: 'trust', processId: 1, secretKey: 'AAAAAQ==' };
    return { ...none, settings: defaults, error: null };
  }

  /** What a statement takes and returns; null when no recording says it. */
  description(sql: Sql, types: readonly number[]): Description | null {
    const prepared = this.#prepares(sql, types).find((one) => one.error === null);
    if (prepared?.parameterTypes) {
      return { parameterTypes: prepared.parameterTypes, columns: prepared.columns };
    }
    for (const exchange of this.#recorded) {
      const query = queryOf(exchange);
      const result = answerOf(exchange)?.results[0];
      if (query?.sql == null || result === undefined || result.columns === 'unknown') continue;
      if (!this.#same(query.sql, sql)) continue;
      const text = 25;
      const parameterTypes = query.params.map((param, i) => param.type || types[i] || text);
      return { parameterTypes, columns: result.columns };
    }
    return null;
  }

  /** The error that preparing a statement always gave; null where it ever went well. */
  prepareError(sql: Sql, types: readonly number[]): PgError | null {
    const prepares = this.#prepares(sql, types);
    const ran = this.#recorded.some((exchange) => {
      const text = queryOf(exchange)?.sql ?? null;
      return text !== null && this.#same(text, sql);
    });
    if (ran || prepares.some((one) => one.error === null)) return null;
    return prepares[0]?.error ?? null;
  }

  /** Settings that the server reported after a statement that is answered by rule. */
  settingsAfter(sql: Sql): [string, string][] {
    for (const exchange of this.#recorded) {
      const text = queryOf(exchange)?.sql ?? null;
      const answer = text !== null && this.#same(text, sql) ? answerOf(exchange) : null;
      if (answer !== null && answer.error === null) return answer.settings;
    }
    return [];
  }

  /** The COPY response that a statement was answered with. */
  copyIn(sql: Sql) {
    for (const exchange of this.#recorded) {
      const text = queryOf(exchange)?.sql ?? null;
      if (text === null || !this.#same(text, sql)) continue;
      const copy = answerOf(exchange)?.results.find((one) => one.copy?.direction === 'in')?.copy;
      if (copy) return copy;
    }
    return null;
  }

  #same(text: string, sql: Sql): boolean {
    if (text === sql.text) return true;
    const normal = this.#normals.get(text) ?? sqlOf(text).normal;
    this.#normals.set(text, normal);
    return normal === sql.normal;
  }

  #prepares(sql: Sql, types: readonly number[]): PgDescription[] {
    return this.#recorded.flatMap((exchange) => {
      const prepare = prepareOf(exchange);
      if (prepare?.sql == null || exchange.end !== 'complete') return [];
      const equal = typesText(prepare.types) === typesText(types) && this.#same(prepare.sql, sql);
      return equal ? [exchange.response?.meaning as PgDescription] : [];
    });
  }
}

/** Trailing types left open are the same as none. */
function typesText(types: readonly number[]): string {
  return types.join(' ').replace(/( ?\b0)+$/, '');
}

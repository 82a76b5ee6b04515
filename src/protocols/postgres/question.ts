/** When two queries are the same question: by SQL text and values, never by statement names. */
import { createHash } from 'node:crypto';
import type { Exchange } from '../../domain/exchange.ts';
import type { Question } from '../protocol.ts';
import {
  answerOf,
  bytesOfValue,
  type Format,
  type PgParameter,
  type PgQuery,
  type PgValue,
  queryOf,
} from './meaning.ts';
import { sqlTitle } from './open.ts';
import { type Sql, sqlOf } from './sql.ts';

/** COPY data that the client sent with a query: part of what it asks. */
export type CopyData = readonly PgValue[] | null;

type Server = Pick<Question, 'server' | 'serverName'>;

/**
 * The question of a recorded query. Null for what is answered by rule (handshakes, prepares,
 * transaction control) and where the SQL text is not known.
 */
export function questionOf(exchange: Exchange): Question | null {
  const query = queryOf(exchange);
  if (query === null || query.sql === null || exchange.end === 'malformed') return null;
  const sql = sqlOf(query.sql);
  if (sql.effect === 'control') return null;
  const copied = answerOf(exchange)?.results.find((result) => result.copy?.direction === 'in');
  return questionFrom({ query, sql, copied: copied?.copy?.data ?? null }, exchange);
}

/**
 * Declared normalisation: comments and white space in SQL, simple or extended protocol, and how
 * equal result formats are written down. Types, formats, limits and the session are part of it.
 */
export function questionFrom(
  asked: { query: PgQuery; sql: Sql; copied: CopyData },
  to: Server,
): Question {
  const { query, sql, copied } = asked;
  const { params, maxRows, skippedRows, session } = query;
  const formats = formatsText(query.resultFormats);
  const copy = copied === null ? null : hashOf(copied.map((data) => bytesOfValue(data)!));
  const values = params.map(({ type, format, value }) => [type, format, value]);
  const rest = [values, maxRows, skippedRows, session, copy];
  return {
    protocol: 'postgres',
    transport: 'tcp',
    server: to.server,
    serverName: to.serverName,
    exactKey: hashOf([JSON.stringify([query.mode, query.sql, query.resultFormats, ...rest])]),
    normalisedKey: hashOf([JSON.stringify([sql.normal, formats, ...rest])]),
    formKey: `postgres ${sql.form}`,
    effect: sql.effect,
    title: sqlTitle(sql),
    fields: fieldsOf(asked, formats),
    meaning: query,
  };
}

/** Asked when a statement is to be described that no recording knows: only ever a divergence. */
export function prepareQuestion(sql: Sql, to: Server): Question {
  return {
    protocol: 'postgres',
    transport: 'tcp',
    server: to.server,
    serverName: to.serverName,
    exactKey: `prepare ${sql.text}`,
    normalisedKey: `prepare ${sql.normal}`,
    formKey: `prepare ${sql.form}`,
    effect: sql.effect,
    title: sqlTitle(sql),
    fields: { sql: sql.normal },
    meaning: { kind: 'prepare', sql: sql.text, types: [] },
  };
}

/** A value as text for people; binary ones in hexadecimal. */
export function valueText(value: PgValue): string {
  if (value === null) return 'NULL';
  return typeof value === 'string' ? value : `\\x${bytesOfValue(value)!.toString('hex')}`;
}

/** Together they are all of the question's normalised form: none differs, it is the same one. */
function fieldsOf(
  { query, sql, copied }: { query: PgQuery; sql: Sql; copied: CopyData },
  formats: string,
): Record<string, string> {
  const fields: Record<string, string> = { sql: sql.normal };
  query.params.forEach(({ value }, i) => {
    fields[`$${i + 1}`] = valueText(value);
  });
  if (query.params.length > 0) fields.types = query.params.map(typeText).join(', ');
  if (query.maxRows + query.skippedRows > 0) {
    fields.rows = `${query.maxRows} after ${query.skippedRows}`;
  }
  if (query.session.length > 0) fields.session = query.session.join('; ');
  if (copied !== null) fields.copy = hashOf(copied.map((data) => bytesOfValue(data)!));
  fields.formats = formats;
  return fields;
}

/** What the text of a value leaves open. */
function typeText({ type, format, value }: PgParameter): string {
  const how = value === null ? 'null' : typeof value === 'string' ? format : `${format} bytes`;
  return `${type} ${how}`;
}

function formatsText(formats: readonly Format[]): string {
  if (formats.every((format) => format === 'text')) return 'text';
  return formats.every((format) => format === 'binary') ? 'binary' : formats.join(' ');
}

function hashOf(pieces: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

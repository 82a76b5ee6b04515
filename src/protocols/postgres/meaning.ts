/** What PostgreSQL's messages mean, as plain JSON: the shapes of `meaning` in its exchanges. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';

export type Format = 'text' | 'binary';

/** A value on the wire: NULL, text, or bytes where it is binary (or not UTF-8). */
export type PgValue = null | string | { base64: string };

export interface PgParameter {
  /** Type as declared in Parse; 0 where the server was to find out. */
  type: number;
  format: Format;
  value: PgValue;
}

export interface PgColumn {
  name: string;
  tableOid: number;
  column: number;
  typeOid: number;
  typeSize: number;
  typeModifier: number;
  format: Format;
}

/** `none`: the statement returns no rows. `unknown`: nobody asked, and nothing was learnt. */
export type PgColumns = PgColumn[] | 'none' | 'unknown';

/** `request.meaning` of a query: a simple Query, or one Execute of a bound statement. */
export interface PgQuery {
  kind: 'query';
  mode: 'simple' | 'extended';
  /** Null where the statement was prepared before anything is known of the connection. */
  sql: string | null;
  params: PgParameter[];
  /** Formats asked for, as in Bind: none (text), one for all, or one for each column. */
  resultFormats: Format[];
  /** Row limit of Execute, 0 for all, and the rows that the portal had returned before. */
  maxRows: number;
  skippedRows: number;
  /** Statements that shape later answers (SET, cursors), in effect when it was asked. */
  session: string[];
}

export interface PgResult {
  columns: PgColumns;
  rows: PgValue[][];
  /** `INSERT 0 1`; null when it did not come to an end (suspended, failed, empty). */
  tag: string | null;
  end: 'complete' | 'suspended' | 'empty' | 'failed';
  /** COPY: the data as it passed, opaque. */
  copy: { direction: 'in' | 'out'; format: Format; columns: Format[]; data: PgValue[] } | null;
}

/** The fields of an ErrorResponse or NoticeResponse by their letters (manual, 54.8). */
export interface PgError {
  severity: string;
  sqlstate: string;
  message: string;
  fields: [string, string][];
}

/** `response.meaning` of a query. */
export interface PgAnswer {
  results: PgResult[];
  error: PgError | null;
  notices: PgError[];
  /** Settings that the server reported meanwhile. */
  settings: [string, string][];
}

/** `request.meaning` of a statement that was described, or failed, before any execution. */
export interface PgPrepare {
  kind: 'prepare';
  sql: string | null;
  types: number[];
}

/** `response.meaning` of it. */
export interface PgDescription {
  /** Null where it failed. */
  parameterTypes: number[] | null;
  columns: PgColumns;
  error: PgError | null;
}

/** `request.meaning` of the start of a connection; passwords are not kept. */
export interface PgStart {
  kind: 'start';
  parameters: [string, string][];
}

export interface PgStarted {
  /** `trust`, `password`, `md5`, `scram` ... */
  authentication: string;
  settings: [string, string][];
  processId: number;
  /** Base64: its length differs between versions of the protocol. */
  secretKey: string;
  error: PgError | null;
}

export interface PgNotification {
  kind: 'notification';
  channel: string;
  payload: string;
}

export function queryOf(exchange: Exchange): PgQuery | null {
  return requestOfKind(exchange, 'query') as PgQuery | null;
}

export function prepareOf(exchange: Exchange): PgPrepare | null {
  return requestOfKind(exchange, 'prepare') as PgPrepare | null;
}

export function startOf(exchange: Exchange): PgStart | null {
  return requestOfKind(exchange, 'start') as PgStart | null;
}

export function answerOf(exchange: Exchange): PgAnswer | null {
  if (queryOf(exchange) === null) return null;
  return (exchange.response?.meaning as PgAnswer | null | undefined) ?? null;
}

export function valueOfBytes(bytes: Uint8Array, format: Format): PgValue {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (format === 'binary') return { base64: buffer.toString('base64') };
  const text = buffer.toString('utf8');
  return Buffer.byteLength(text) === buffer.length && Buffer.from(text).equals(buffer)
    ? text
    : { base64: buffer.toString('base64') };
}

/** The bytes of a value; null for NULL. */
export function bytesOfValue(value: PgValue): Buffer | null {
  if (value === null) return null;
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.base64, 'base64');
}

/** The format of each of `count` columns, by the rule of Bind (manual, 54.7). */
export function formatsFor(formats: readonly Format[], count: number): Format[] {
  return Array.from({ length: count }, (_, i) =>
    formats.length === 1 ? formats[0]! : (formats[i] ?? 'text'),
  );
}

function requestOfKind(exchange: Exchange, kind: string): unknown {
  if (exchange.protocol !== 'postgres') return null;
  const meaning = exchange.request?.meaning as { kind?: string } | null | undefined;
  return meaning?.kind === kind ? meaning : null;
}

/** What a server says, decoded (manual, 54.7); values stay bytes until their format is known. */
import type { Buffer } from 'node:buffer';
import { Cursor, NotPostgres } from './cursor.ts';
import type { Frame } from './frames.ts';
import type { Format, PgColumn, PgError } from './meaning.ts';

export const backendTypes = '123ACDEGHIKNRSTVWZcdnstv';

export type BackendMessage =
  | { name: 'byte'; byte: string }
  | { name: 'authentication'; method: string }
  | { name: 'keyData'; processId: number; secretKey: string }
  | { name: 'setting'; setting: [string, string] }
  | { name: 'ready'; status: string }
  | { name: 'parsed' | 'bound' | 'closed' | 'noData' | 'suspended' | 'empty' }
  | { name: 'copyDone' | 'function' | 'versions' | 'copyBoth' }
  | { name: 'parameters'; types: number[] }
  | { name: 'columns'; columns: PgColumn[] }
  | { name: 'row'; values: (Buffer | null)[] }
  | { name: 'complete'; tag: string }
  | { name: 'error'; error: PgError }
  | { name: 'notice'; error: PgError }
  | { name: 'notification'; processId: number; channel: string; payload: string }
  | { name: 'copyIn' | 'copyOut'; format: Format; columns: Format[] }
  | { name: 'copyData'; data: Buffer };

/** Null when it is not a message of a server. */
export function backendMessage(frame: Frame): BackendMessage | null {
  if (frame.payload === null) return null;
  try {
    const cursor = new Cursor(frame.payload);
    const message = decoded(frame.type, cursor);
    cursor.done();
    return message;
  } catch (error) {
    if (error instanceof NotPostgres) return null;
    throw error;
  }
}

const bare: Record<string, BackendMessage['name']> = {
  '1': 'parsed',
  '2': 'bound',
  '3': 'closed',
  n: 'noData',
  s: 'suspended',
  I: 'empty',
  c: 'copyDone',
};

function decoded(type: string, cursor: Cursor): BackendMessage {
  const simple = bare[type];
  if (simple !== undefined) return { name: simple } as BackendMessage;
  switch (type) {
    case '?':
      return { name: 'byte', byte: String.fromCharCode(cursor.byte()) };
    case 'R':
      return authentication(cursor);
    case 'K':
      return {
        name: 'keyData',
        processId: cursor.int32(),
        secretKey: cursor.bytes(cursor.rest).toString('base64'),
      };
    case 'S':
      return { name: 'setting', setting: [cursor.text(), cursor.text()] };
    case 'Z':
      return { name: 'ready', status: String.fromCharCode(cursor.byte()) };
    case 't':
      return { name: 'parameters', types: many(cursor, () => cursor.oid()) };
    case 'T':
      return { name: 'columns', columns: many(cursor, () => column(cursor)) };
    case 'D':
      return { name: 'row', values: many(cursor, () => value(cursor)) };
    case 'C':
      return { name: 'complete', tag: cursor.text() };
    case 'E':
    case 'N':
      return { name: type === 'E' ? 'error' : 'notice', error: errorOf(cursor) };
    case 'A':
      return {
        name: 'notification',
        processId: cursor.int32(),
        channel: cursor.text(),
        payload: cursor.text(),
      };
    case 'G':
    case 'H':
      return {
        name: type === 'G' ? 'copyIn' : 'copyOut',
        format: cursor.byte() === 0 ? 'text' : 'binary',
        columns: many(cursor, () => formatOf(cursor.int16())),
      };
    case 'd':
      return { name: 'copyData', data: cursor.bytes(cursor.rest) };
    default:
      cursor.bytes(cursor.rest);
      return { name: type === 'V' ? 'function' : type === 'W' ? 'copyBoth' : 'versions' };
  }
}

const methods: Record<number, string> = {
  0: 'ok',
  2: 'kerberos',
  3: 'password',
  5: 'md5',
  7: 'gss',
  9: 'sspi',
  10: 'scram',
};

function authentication(cursor: Cursor): BackendMessage {
  const code = cursor.int32();
  cursor.bytes(cursor.rest);
  return { name: 'authentication', method: methods[code] ?? 'continued' };
}

function column(cursor: Cursor): PgColumn {
  return {
    name: cursor.text(),
    tableOid: cursor.oid(),
    column: cursor.int16(),
    typeOid: cursor.oid(),
    typeSize: cursor.int16(),
    typeModifier: cursor.int32(),
    format: formatOf(cursor.int16()),
  };
}

function value(cursor: Cursor): Buffer | null {
  const length = cursor.int32();
  return length === -1 ? null : cursor.bytes(length);
}

function errorOf(cursor: Cursor): PgError {
  const fields: [string, string][] = [];
  for (let code = cursor.byte(); code !== 0; code = cursor.byte()) {
    fields.push([String.fromCharCode(code), cursor.text()]);
  }
  const field = (letter: string) => fields.find(([code]) => code === letter)?.[1] ?? '';
  return {
    severity: field('V') || field('S'),
    sqlstate: field('C'),
    message: field('M'),
    fields,
  };
}

function many<T>(cursor: Cursor, one: () => T): T[] {
  return Array.from({ length: cursor.count() }, one);
}

function formatOf(code: number): Format {
  if (code !== 0 && code !== 1) throw new NotPostgres('unknown format');
  return code === 0 ? 'text' : 'binary';
}

/** What a client says, decoded (manual, 54.7): the half that client libraries do not have. */
import type { Buffer } from 'node:buffer';
import { Cursor, NotPostgres } from './cursor.ts';
import type { Frame } from './frames.ts';
import { type Format, type PgValue, valueOfBytes } from './meaning.ts';

export const frontendTypes = 'BCcDdEFfHPpQSX';

export type FrontendMessage =
  | { name: 'ssl' | 'gss' | 'cancel' }
  | { name: 'start'; parameters: [string, string][] }
  | { name: 'password' | 'sync' | 'flush' | 'terminate' | 'function' }
  | { name: 'copyDone' }
  | { name: 'copyData'; data: PgValue }
  | { name: 'copyFail'; message: string }
  | { name: 'query'; sql: string }
  | { name: 'parse'; statement: string; sql: string; types: number[] }
  | {
      name: 'bind';
      portal: string;
      statement: string;
      params: { format: Format; value: PgValue }[];
      resultFormats: Format[];
    }
  | { name: 'describe'; target: 'statement' | 'portal'; of: string }
  | { name: 'close'; target: 'statement' | 'portal'; of: string }
  | { name: 'execute'; portal: string; maxRows: number };

/** Null when it is not a message of a client. */
export function frontendMessage(frame: Frame): FrontendMessage | null {
  if (frame.payload === null) return null;
  try {
    const cursor = new Cursor(frame.payload);
    const message = frame.type === '' ? untyped(cursor) : typed(frame.type, cursor, frame.payload);
    cursor.done();
    return message;
  } catch (error) {
    if (error instanceof NotPostgres) return null;
    throw error;
  }
}

function untyped(cursor: Cursor): FrontendMessage {
  const code = cursor.int32();
  if (code === 80877103) return { name: 'ssl' };
  if (code === 80877104) return { name: 'gss' };
  if (code === 80877102) {
    cursor.bytes(cursor.rest);
    return { name: 'cancel' };
  }
  if (code >> 16 !== 3) throw new NotPostgres('unknown protocol version');
  const parameters: [string, string][] = [];
  for (let name = cursor.text(); name !== ''; name = cursor.text()) {
    parameters.push([name, cursor.text()]);
  }
  return { name: 'start', parameters };
}

function typed(type: string, cursor: Cursor, payload: Buffer): FrontendMessage {
  switch (type) {
    case 'Q':
      return { name: 'query', sql: cursor.text() };
    case 'P':
      return {
        name: 'parse',
        statement: cursor.text(),
        sql: cursor.text(),
        types: many(cursor, () => cursor.oid()),
      };
    case 'B':
      return bind(cursor);
    case 'D':
    case 'C':
      return { name: type === 'D' ? 'describe' : 'close', ...target(cursor) };
    case 'E':
      return { name: 'execute', portal: cursor.text(), maxRows: Math.max(0, cursor.int32()) };
    case 'S':
      return { name: 'sync' };
    case 'H':
      return { name: 'flush' };
    case 'X':
      return { name: 'terminate' };
    case 'c':
      return { name: 'copyDone' };
    case 'f':
      return { name: 'copyFail', message: cursor.text() };
    case 'd':
      return { name: 'copyData', data: valueOfBytes(cursor.bytes(payload.length), 'text') };
    default:
      cursor.bytes(cursor.rest);
      return { name: type === 'p' ? 'password' : 'function' };
  }
}

function bind(cursor: Cursor): FrontendMessage {
  const portal = cursor.text();
  const statement = cursor.text();
  const formats = many(cursor, () => formatOf(cursor.int16()));
  const count = cursor.count();
  const params = Array.from({ length: count }, (_, i) => {
    const length = cursor.int32();
    const format = formats.length === 1 ? formats[0]! : (formats[i] ?? 'text');
    return { format, value: length < 0 ? null : valueOfBytes(cursor.bytes(length), format) };
  });
  const resultFormats = many(cursor, () => formatOf(cursor.int16()));
  return { name: 'bind', portal, statement, params, resultFormats };
}

function target(cursor: Cursor): { target: 'statement' | 'portal'; of: string } {
  const kind = String.fromCharCode(cursor.byte());
  if (kind !== 'S' && kind !== 'P') throw new NotPostgres('neither statement nor portal');
  return { target: kind === 'S' ? 'statement' : 'portal', of: cursor.text() };
}

function many<T>(cursor: Cursor, one: () => T): T[] {
  return Array.from({ length: cursor.count() }, one);
}

function formatOf(code: number): Format {
  if (code !== 0 && code !== 1) throw new NotPostgres('unknown format');
  return code === 0 ? 'text' : 'binary';
}

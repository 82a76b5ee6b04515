/** The server's messages as bytes (manual, 54.7). */
import { Buffer } from 'node:buffer';
import type { PgResult, PgStarted, PgValue } from './meaning.ts';
import { bytesOfValue, type Format, type PgColumn, type PgError } from './meaning.ts';

export const parseComplete = message('1');
export const bindComplete = message('2');
export const closeComplete = message('3');
export const noData = message('n');
const portalSuspended = message('s');
const emptyQuery = message('I');
const copyDone = message('c');
const authenticationOk = message('R', int32(0));

/** The answer to a start-up packet of whoever is let in. */
export function startMessages(started: PgStarted): Buffer[] {
  const { settings, processId, secretKey } = started;
  const key = Buffer.from(secretKey, 'base64');
  const keyData = key.length === 0 ? [] : [backendKeyData(processId, key)];
  return [authenticationOk, ...settings.map(parameterStatus), ...keyData, readyForQuery('I')];
}

export function parameterStatus([name, value]: readonly [string, string]): Buffer {
  return message('S', text(name), text(value));
}

function backendKeyData(processId: number, secretKey: Uint8Array): Buffer {
  return message('K', int32(processId), secretKey);
}

export function readyForQuery(status: string): Buffer {
  return message('Z', Buffer.from(status, 'latin1'));
}

function commandComplete(tag: string): Buffer {
  return message('C', text(tag));
}

export function parameterDescription(types: readonly number[]): Buffer {
  return message('t', int16(types.length), ...types.map(oid));
}

export function rowDescription(columns: readonly PgColumn[]): Buffer {
  const fields = columns.flatMap((column) => [
    text(column.name),
    oid(column.tableOid),
    int16(column.column),
    oid(column.typeOid),
    int16(column.typeSize),
    int32(column.typeModifier),
    int16(codeOf(column.format)),
  ]);
  return message('T', int16(columns.length), ...fields);
}

function dataRow(values: readonly PgValue[]): Buffer {
  const fields = values.flatMap((value) => {
    const bytes = bytesOfValue(value);
    return bytes === null ? [int32(-1)] : [int32(bytes.length), bytes];
  });
  return message('D', int16(values.length), ...fields);
}

export function copyResponse(copy: NonNullable<PgResult['copy']>): Buffer {
  const type = copy.direction === 'in' ? 'G' : 'H';
  const formats = copy.columns.map((format) => int16(codeOf(format)));
  return message(type, Buffer.from([codeOf(copy.format)]), int16(formats.length), ...formats);
}

function copyData(data: PgValue): Buffer {
  return message('d', bytesOfValue(data) ?? Buffer.alloc(0));
}

export function errorResponse(error: PgError): Buffer {
  return fieldsMessage('E', error);
}

export function noticeResponse(notice: PgError): Buffer {
  return fieldsMessage('N', notice);
}

/** Everything that one result consists of, without its columns. */
export function resultMessages(result: PgResult): Buffer[] {
  const { copy, rows, tag, end } = result;
  const messages = copy === null ? [] : [copyResponse(copy)];
  if (copy?.direction === 'out') messages.push(...copy.data.map(copyData), copyDone);
  for (const row of rows) messages.push(dataRow(row));
  if (end === 'suspended') messages.push(portalSuspended);
  else if (end === 'empty') messages.push(emptyQuery);
  else if (tag !== null) messages.push(commandComplete(tag));
  return messages;
}

function fieldsMessage(type: string, { fields }: PgError): Buffer {
  const parts = fields.flatMap(([code, value]) => [Buffer.from(code, 'latin1'), text(value)]);
  return message(type, ...parts, Buffer.from([0]));
}

function message(type: string, ...parts: Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(length), ...parts]);
}

/** Texts of the protocol end with a zero byte, so they cannot hold one. */
function text(value: string): Buffer {
  return Buffer.from(`${value.replaceAll('\0', '')}\0`);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value & 0xffff);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function oid(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function codeOf(format: Format): number {
  return format === 'binary' ? 1 : 0;
}

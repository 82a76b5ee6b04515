/** Puts the messages that answer one query together into its results. */
import type { BackendMessage } from './backend.ts';
import { type Format, formatsFor, type PgColumns, type PgResult, valueOfBytes } from './meaning.ts';
import type { OpenExchange } from './open.ts';
import type { Portal } from './session.ts';

/** Where the messages of an execution (or of a simple query) go. */
export interface ResultSink {
  kind: 'execute' | 'query';
  open: OpenExchange;
  /** Null for a simple query. */
  portal: Portal | null;
  /** The result that rows belong to; null between the results of a simple query. */
  current: PgResult | null;
}

/** `ended`: the query is answered. `unexpected`: it is no answer to a query. */
export function resultMessage(
  sink: ResultSink,
  message: BackendMessage,
  dataBytesMax: number,
): 'ended' | 'going-on' | 'unexpected' {
  switch (message.name) {
    case 'columns':
      if (sink.kind === 'execute') return 'unexpected';
      begin(sink, message.columns);
      return 'going-on';
    case 'row':
      return takeRow(sink, message.values, dataBytesMax) ? 'going-on' : 'unexpected';
    case 'complete':
      return end(sink, 'complete', message.tag);
    case 'suspended':
      return sink.kind === 'query' ? 'unexpected' : end(sink, 'suspended', null);
    case 'empty':
      return end(sink, 'empty', null);
    case 'copyIn':
    case 'copyOut': {
      const { format, columns } = message;
      const direction = message.name === 'copyIn' ? 'in' : 'out';
      begin(sink, 'none').copy = { direction, format, columns, data: [] };
      return 'going-on';
    }
    case 'copyData': {
      const copy = sink.current?.copy;
      if (copy == null) return 'unexpected';
      if (sink.open.takes(message.data.length, dataBytesMax)) {
        copy.data.push(valueOfBytes(message.data, 'text'));
      }
      return 'going-on';
    }
    case 'copyDone':
    case 'function':
      return 'going-on';
    case 'ready':
      return sink.kind === 'query' ? 'ended' : 'unexpected';
    default:
      return 'unexpected';
  }
}

/** The columns of an execution, in the formats that its Bind asked for. */
export function columnsOf(portal: Portal): PgColumns {
  if (portal.columns !== 'unknown') return portal.columns;
  return inFormats(portal.prepared.columns, portal.resultFormats);
}

export function inFormats(columns: PgColumns, formats: readonly Format[]): PgColumns {
  if (!Array.isArray(columns)) return columns;
  const each = formatsFor(formats, columns.length);
  return columns.map((column, i) => ({ ...column, format: each[i]! }));
}

function begin(sink: ResultSink, columns: PgColumns): PgResult {
  const result: PgResult = { columns, rows: [], tag: null, end: 'failed', copy: null };
  sink.current = result;
  if (sink.open.subject.kind !== 'query') return result;
  sink.open.subject.answer.results.push(result);
  // Executes that were sent ahead: only now is known how far the portal has come.
  if (sink.portal !== null) sink.open.subject.query.skippedRows = sink.portal.rows;
  return result;
}

function takeRow(sink: ResultSink, values: (Buffer | null)[], dataBytesMax: number): boolean {
  if (sink.current === null && sink.portal === null && sink.kind === 'query') return false;
  const result = sink.current ?? begin(sink, sink.portal ? columnsOf(sink.portal) : 'unknown');
  const bytes = values.reduce((sum, value) => sum + (value?.length ?? 0) + 4, 7);
  if (sink.portal !== null) sink.portal.rows += 1;
  if (!sink.open.takes(bytes, dataBytesMax)) return true;
  const asked = formatsFor(sink.portal?.resultFormats ?? [], values.length);
  const formats = Array.isArray(result.columns)
    ? result.columns.map((column) => column.format)
    : asked;
  result.rows.push(
    values.map((value, i) => (value === null ? null : valueOfBytes(value, formats[i] ?? 'text'))),
  );
  return true;
}

function end(sink: ResultSink, how: PgResult['end'], tag: string | null): 'ended' | 'going-on' {
  const none = sink.portal === null ? 'none' : columnsOf(sink.portal);
  const result = sink.current ?? begin(sink, how === 'empty' ? 'none' : none);
  result.end = how;
  result.tag = tag;
  sink.current = null;
  return sink.kind === 'execute' ? 'ended' : 'going-on';
}

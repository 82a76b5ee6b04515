/** An acknowledgement of a write that nobody recorded, in the shape that siblings got. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';
import { madeUpText } from '../madeup.ts';
import {
  answerOf,
  bytesOfValue,
  type PgColumn,
  type PgQuery,
  type PgResult,
  type PgValue,
  queryOf,
} from './meaning.ts';
import { sqlOf } from './sql.ts';

export interface AssumedResult {
  result: PgResult;
  /** Names of the values that were made up: columns, `row count`. */
  madeUp: string[];
}

interface Example {
  inputs: PgValue[];
  result: PgResult;
}

/**
 * Null when the examples have no common shape. A returned value that in every example equals the
 * same parameter is that parameter; one that is the same in all is constant; every other one is
 * made up by its type and named.
 */
export function assumedResult(query: PgQuery, examples: Exchange[]): AssumedResult | null {
  const seen = examples.flatMap((exchange): Example[] => {
    const asked = queryOf(exchange);
    const answer = answerOf(exchange);
    const result = answer?.results.at(-1);
    if (asked === null || answer?.error || result?.end !== 'complete') return [];
    return answer!.results.length === 1 ? [{ inputs: inputsOf(asked), result }] : [];
  });
  const last = seen.at(-1);
  if (last === undefined || last.result.copy !== null) return null;
  const madeUp: string[] = [];
  const counts = new Set(seen.map(({ result }) => result.tag));
  if (counts.size > 1) madeUp.push('row count');
  const withRows = seen.filter(({ result }) => result.rows.length > 0);
  const shape = withRows.at(-1);
  if (shape === undefined) return { result: { ...last.result }, madeUp };
  const width = shape.result.rows[0]!.length;
  if (withRows.some(({ result }) => result.rows[0]!.length !== width)) return null;
  if (withRows.some(({ result }) => result.rows.length > 1)) return null;
  const inputs = inputsOf(query);
  const columns = Array.isArray(shape.result.columns) ? shape.result.columns : [];
  const row = shape.result.rows[0]!.map((_, i) => {
    const place = { values: withRows.map(({ result }) => result.rows[0]![i]!), index: i };
    const known = knownValue(place.values, withRows, inputs);
    // One example shows neither what is constant nor what is an echo.
    if (known !== undefined && withRows.length > 1) return known;
    madeUp.push(columns[i]?.name ?? `column ${i + 1}`);
    return known !== undefined ? known : madeUpValue(place.values, columns[i]);
  });
  return { result: { ...shape.result, rows: [row] }, madeUp };
}

/** The value that the examples leave no doubt about. */
function knownValue(
  values: PgValue[],
  examples: Example[],
  inputs: PgValue[],
): PgValue | undefined {
  const echoed = inputs.findIndex((_, i) =>
    examples.every((example, n) => i in example.inputs && same(example.inputs[i]!, values[n]!)),
  );
  if (echoed >= 0) return inputs[echoed];
  return values.every((value) => same(value, values[0]!)) ? values[0] : undefined;
}

/** Parameters, and the literals of the text: both are where values come from. */
function inputsOf(query: PgQuery): PgValue[] {
  const literals = query.sql === null ? [] : sqlOf(query.sql).literals;
  return [...query.params.map((param) => param.value), ...literals];
}

function same(a: PgValue, b: PgValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function madeUpValue(values: PgValue[], column: PgColumn | undefined): PgValue {
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return null;
  if (present.every((value) => typeof value === 'string')) return madeUpText(present);
  const bytes = present.map((value) => bytesOfValue(value)!);
  const made = madeUpBytes(bytes, column?.typeOid ?? 0);
  return { base64: made.toString('base64') };
}

const uuidOid = 2950;
/** int8, int2, int4, oid. */
const integerOids = [20, 21, 23, 26];

/** Binary values: the types of `pg_type` that keys and times have. */
function madeUpBytes(values: Buffer[], typeOid: number): Buffer {
  const largest = values.toSorted((a, b) => Buffer.compare(a, b)).at(-1)!;
  if (typeOid === uuidOid) return Buffer.from('00000000000040008000000000a55e3d', 'hex');
  if (!integerOids.includes(typeOid)) return largest;
  const next = Buffer.from(largest);
  for (let i = next.length - 1; i >= 0; i -= 1) {
    next[i] = (next[i]! + 1) & 0xff;
    if (next[i] !== 0) break;
  }
  return next;
}

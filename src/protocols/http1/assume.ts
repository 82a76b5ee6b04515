/** An answer to a write that nobody recorded, in the shape in which siblings were answered. */
import type { Exchange } from '../../domain/exchange.ts';
import { madeUpText } from '../madeup.ts';
import {
  bodyOf,
  type HttpRequest,
  type HttpResponse,
  jsonOf,
  requestOf,
  responseOf,
} from './message.ts';

export interface AssumedResponse {
  response: HttpResponse;
  /** Names of the values that were made up: `body.id`, `header location`. */
  madeUp: string[];
}

/**
 * Null when the examples do not agree on a shape: different statuses, or bodies that differ and
 * are not JSON. A value that every example echoed from its request is echoed; one that is the
 * same in all is constant; every other one is made up by its type and named.
 */
export function assumedResponse(
  request: HttpRequest,
  examples: Exchange[],
): AssumedResponse | null {
  const pairs = examples.flatMap((exchange) => {
    const asked = requestOf(exchange);
    const answered = responseOf(exchange);
    return asked === null || answered === null || answered.body === null
      ? []
      : [{ asked, answered }];
  });
  const first = pairs[0];
  if (first === undefined) return null;
  if (pairs.some(({ answered }) => answered.status !== first.answered.status)) return null;
  const madeUp: string[] = [];
  const text = bodyText(request, pairs, madeUp);
  if (text === null) return null;
  const headers = first.answered.headers.filter(([name, value]) => {
    const key = name.toLowerCase();
    if (key === 'content-length' || key === 'date' || key === 'etag') return false;
    const same = pairs.every(({ answered }) =>
      answered.headers.some(([other, v]) => other.toLowerCase() === key && v === value),
    );
    if (!same) madeUp.push(`header ${key}`);
    return same;
  });
  const body = bodyOf(new TextEncoder().encode(text));
  const chunked = headers.some(([name]) => /^transfer-encoding$/i.test(name));
  const bodiless = first.answered.status === 204;
  if (!chunked && !bodiless) headers.push(['Content-Length', String(body.bytes)]);
  return { response: { ...first.answered, headers, trailers: [], body, interim: [] }, madeUp };
}

interface Pair {
  asked: HttpRequest;
  answered: HttpResponse;
}

function bodyText(request: HttpRequest, pairs: Pair[], madeUp: string[]): string | null {
  const bodies = pairs.map(({ answered }) => answered.body!);
  const values = pairs.map(({ answered }) => jsonOf(answered));
  if (values.some((value) => value === undefined)) {
    const same = bodies.every((body) => body.data === bodies[0]!.data);
    return same && bodies[0]!.encoding === 'utf8' ? bodies[0]!.data : null;
  }
  const inputs = pairs.map(({ asked }) => jsonOf(asked));
  return JSON.stringify(assumed({ values, inputs, input: jsonOf(request), name: 'body', madeUp }));
}

interface Place {
  /** What stands here in every example, and what stood there in its request. */
  values: unknown[];
  inputs: unknown[];
  /** What stands there in the request to answer. */
  input: unknown;
  name: string;
  madeUp: string[];
}

function assumed(place: Place): unknown {
  const { values, inputs, input, name, madeUp } = place;
  const echoed = values.every((value, i) => inputs[i] !== undefined && same(value, inputs[i]));
  const first = values[0];
  // One example shows neither what is constant nor what is an echo.
  const sure = values.length > 1 || first === null || typeof first === 'boolean';
  if (!sure && !isRecord(first)) madeUp.push(name);
  if (echoed && input !== undefined && (sure || !isRecord(first))) return input;
  if (values.every((value) => same(value, first)) && (sure || !isRecord(first))) return first;
  if (values.every(isRecord)) {
    const keys = Object.keys(first as object).filter((key) => values.every((v) => key in v));
    const at = (from: unknown, key: string) => (isRecord(from) ? from[key] : undefined);
    return Object.fromEntries(
      keys.map((key) => [
        key,
        assumed({
          values: values.map((value) => at(value, key)),
          inputs: inputs.map((one) => at(one, key)),
          input: at(input, key),
          name: `${name}.${key}`,
          madeUp,
        }),
      ]),
    );
  }
  madeUp.push(name);
  if (values.every((value) => typeof value === 'number')) {
    const whole = values.every(Number.isSafeInteger);
    return whole ? Math.max(...values) + 1 : values.at(-1);
  }
  if (values.every((value) => typeof value === 'string')) return madeUpText(values);
  return values.every(Array.isArray) ? [] : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** When two requests are the same question: exactly, after declared normalisation, in form. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Exchange } from '../../domain/exchange.ts';
import { routeTemplate } from '../../domain/route.ts';
import type { Question } from '../protocol.ts';
import {
  bodyBytes,
  type HttpRequest,
  headerOf,
  hostOf,
  requestOf,
  targetTitle,
} from './message.ts';
import { effectOf } from './open.ts';

/** Headers that frame the message or belong to the hop (RFC 9110 section 7.6.1), not to it. */
const hopByHop = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Declared normalisation: headers that name the moment or the trace, never the question. */
const incidental: readonly RegExp[] = [
  /^(date|x-amz-date|x-ms-date|idempotency-key)$/,
  /^(x-)?(request|correlation|client-trace)-?(id|start)$/,
  /^x-(amzn-trace|cloud-trace-context|b3|datadog|ot)(-.*)?$/,
  /^(traceparent|tracestate|baggage|b3|sentry-trace|uber-trace-id|newrelic)$/,
  /^elastic-apm-traceparent$/,
];

/** The question of a recorded exchange; null where the request is not whole. */
export function questionOf(exchange: Exchange): Question | null {
  const request = requestOf(exchange);
  if (request === null || request.body === null || exchange.end === 'malformed') return null;
  return questionFrom(request, exchange);
}

/** The question that a request asks of a server. */
export function questionFrom(
  request: HttpRequest,
  to: Pick<Question, 'server' | 'serverName'>,
): Question {
  const path = pathOf(request.target);
  const host = hostOf(request);
  const headers = request.headers
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !hopByHop.has(name));
  const sorted = byName(headers);
  const essential = byName(
    headers
      .filter(([name]) => !incidental.some((shape) => shape.test(name)))
      .map(([n, v]) => [n, plainValue(n, v)]),
  );
  const bytes = bodyBytes(request.body);
  const digest = sha256(bytes);
  const json = isJson(request) ? canonicalJson(request.body!.data) : null;
  const normal = json?.text ?? normalBody(request, bytes);
  const normalDigest = normal === null ? digest : sha256(normal);
  return {
    protocol: 'http1',
    transport: 'tcp',
    server: to.server,
    serverName: host ?? to.serverName,
    exactKey: sha256(JSON.stringify([request.method, request.target, sorted, digest])),
    normalisedKey: sha256(JSON.stringify([request.method, path, host, essential, normalDigest])),
    formKey: `http1 ${routeTemplate(request.method, request.target)}`,
    effect: effectOf(request.method),
    title: `${request.method} ${targetTitle(request.target)}`,
    fields: fieldsOf(request, { headers: essential, digest, json }),
    meaning: request,
  };
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Sorted by name; several values of one name keep their order. */
function byName(headers: [string, string][]): [string, string][] {
  return headers.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Absolute and origin form ask the same of the same host. */
function pathOf(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  return path.startsWith('?') ? `/${path}` : path === '' ? '/' : path;
}

function plainValue(name: string, value: string): string {
  if (name === 'user-agent') return value.replace(/\/[^\s;,)]+/g, '');
  // A signature over the moment of signing; key, scope and headers stay.
  if (name === 'authorization' && value.startsWith('AWS4-')) {
    return value.replace(/\/\d{8}\//, '/DATE/').replace(/Signature=[0-9a-f]+/, 'Signature=');
  }
  if (name === 'host') return '';
  if (name === 'content-type') return value.replace(/boundary=("[^"]*"|[^;\s]+)/i, 'boundary=');
  return value;
}

function isJson({ headers, body }: HttpRequest): boolean {
  return /\bjson\b/i.test(headerOf(headers, 'content-type') ?? '') && body?.encoding === 'utf8';
}

/** The body after normalisation; null where the bytes themselves are it. */
function normalBody(request: HttpRequest, bytes: Uint8Array): string | null {
  const type = headerOf(request.headers, 'content-type') ?? '';
  const boundary = /^multipart\/.*boundary=(?:"([^"]*)"|([^;\s]+))/i.exec(type);
  const mark = boundary?.[1] ?? boundary?.[2] ?? '';
  if (mark === '') return null;
  return Buffer.from(bytes).toString('latin1').replaceAll(`--${mark}`, '--boundary');
}

/** JSON with its canonical text: keys in order, no insignificant white space. */
interface Json {
  value: unknown;
  text: string;
}

/**
 * Null when it is not JSON, or so deep that only its bytes can count. Numbers stay as they are
 * written: 2^53 and 2^53 + 1 are different questions.
 */
export function canonicalJson(text: string): Json | null {
  const asWritten = (_: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? new Written(context?.source ?? String(value)) : value;
  try {
    const value: unknown = JSON.parse(text, asWritten);
    return { value, text: canonical(value) };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

class Written {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

function isObject(value: unknown): value is object {
  if (value === null || typeof value !== 'object') return false;
  return !Array.isArray(value) && !(value instanceof Written);
}

function canonical(value: unknown): string {
  if (value instanceof Written) return value.source;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const members = entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`);
  return `{${members.join(',')}}`;
}

/** Together they are all of the question's normalised form: none differs, it is the same one. */
function fieldsOf(
  request: HttpRequest,
  { headers, digest, json }: { headers: [string, string][]; digest: string; json: Json | null },
): Record<string, string> {
  const target = pathOf(request.target);
  const path = target.replace(/\?.*$/s, '');
  const query = target.slice(path.length + 1);
  const fields: Record<string, string> = { method: request.method, path, query };
  fields.host = hostOf(request) ?? '';
  const { body } = request;
  const members = json !== null && isObject(json.value) ? Object.entries(json.value) : null;
  for (const [key, value] of members ?? []) fields[`body.${key}`] = shortened(canonical(value));
  if (members === null && body !== null) {
    const short = body.data.length <= fieldCharsMax;
    fields[body.encoding === 'utf8' ? 'body' : 'body in base64'] = short ? body.data : digest;
  }
  for (const [name, value] of headers) {
    const key = `header ${name}`;
    if (name !== 'host') fields[key] = key in fields ? `${fields[key]}, ${value}` : value;
  }
  return fields;
}

/** Longer values are compared by hash. */
const fieldCharsMax = 4096;

function shortened(text: string): string {
  return text.length <= fieldCharsMax ? text : sha256(text);
}

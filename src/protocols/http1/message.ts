/** The meaning of HTTP/1.1 messages (RFC 9110, RFC 9112) as plain JSON, and how to read it. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';

/** A body as text where it is valid UTF-8, else in base64; `bytes` is its true length. */
export interface HttpBody {
  encoding: 'utf8' | 'base64';
  data: string;
  bytes: number;
}

/** `meaning` of the request of an exchange with `protocol: 'http1'`. */
export interface HttpRequest {
  method: string;
  /** As sent: path with query, absolute URL, `host:port` (CONNECT) or `*`. */
  target: string;
  /** `1.1` or `1.0`. */
  version: string;
  /** In order, names as sent. */
  headers: [string, string][];
  trailers: [string, string][];
  /** Null where its bytes are not held; a message without a body has one of 0 bytes. */
  body: HttpBody | null;
}

/** `meaning` of the response. */
export interface HttpResponse {
  version: string;
  status: number;
  reason: string;
  headers: [string, string][];
  trailers: [string, string][];
  body: HttpBody | null;
  /** 1xx answers that came before, in order. */
  interim: { status: number; reason: string; headers: [string, string][] }[];
}

/** The request of an exchange, or null when there is none or it is not HTTP/1. */
export function requestOf(exchange: Exchange): HttpRequest | null {
  if (exchange.protocol !== 'http1') return null;
  return (exchange.request?.meaning as HttpRequest | null | undefined) ?? null;
}

/** The response of an exchange, or null when there is none or it is not HTTP/1. */
export function responseOf(exchange: Exchange): HttpResponse | null {
  if (exchange.protocol !== 'http1') return null;
  return (exchange.response?.meaning as HttpResponse | null | undefined) ?? null;
}

/** The first value of a header, by its lower-case name; null when absent. */
export function headerOf(headers: readonly [string, string][], name: string): string | null {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? null;
}

/** All values of a header joined with commas, lower case: for lists of tokens. */
export function tokensOf(headers: readonly [string, string][], name: string): string[] {
  return headers
    .filter(([key]) => key.toLowerCase() === name)
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map((token) => token.trim())
    .filter((token) => token !== '');
}

export function bodyOf(bytes: Uint8Array): HttpBody {
  try {
    const data = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { encoding: 'utf8', data, bytes: bytes.length };
  } catch {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
    return { encoding: 'base64', data, bytes: bytes.length };
  }
}

/** The bytes of a body; none where it is not held. */
export function bodyBytes(body: HttpBody | null): Uint8Array {
  return body === null ? new Uint8Array(0) : Buffer.from(body.data, body.encoding);
}

/** The parsed JSON of a body, or undefined when it is not JSON (or not held). */
export function jsonOf(message: HttpRequest | HttpResponse): unknown {
  const type = headerOf(message.headers, 'content-type') ?? '';
  if (!/\bjson\b/i.test(type) || message.body?.encoding !== 'utf8') return undefined;
  try {
    return JSON.parse(message.body.data);
  } catch {
    return undefined;
  }
}

/** The host of a request without its port, lower case: from an absolute target, else Host. */
export function hostOf(request: HttpRequest): string | null {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(request.target)?.[1];
  const authority = (absolute ?? headerOf(request.headers, 'host') ?? '').replace(/^.*@/, '');
  const host = /^(\[[^\]]*\]|[^:]*)/.exec(authority)?.[1] ?? '';
  return host === '' ? null : host.replace(/^\[|\]$/g, '').toLowerCase();
}

/** The target as it may be shown: query values are left out, since they may be secret. */
export function targetTitle(target: string): string {
  const shown = target.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1');
  const path = shown.replace(/\?.*$/s, '');
  const query = shown.slice(path.length + 1);
  if (query === '') return path;
  const names = query.split('&').map((pair) => pair.split('=', 1)[0]);
  return `${path}?${names.map((name) => `${name}=…`).join('&')}`;
}

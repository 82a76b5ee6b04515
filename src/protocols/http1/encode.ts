/** HTTP/1.1 messages back to bytes, framed the way they were recorded. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';
import type { HttpResponse } from './message.ts';
import { bodyBytes, type HttpRequest, headerOf, requestOf, tokensOf } from './message.ts';

/** Bytes of one chunk when a body is sent chunked. */
const chunkBytesMax = 64 * 1024;

/**
 * The request of an exchange as bytes, to be sent by a client; null when it is not whole.
 * Framed as recorded: by length, or chunked with its trailers (the sizes of chunks are ours).
 */
export function requestBytes(exchange: Exchange): Uint8Array | null {
  const request = requestOf(exchange);
  return request === null || request.body === null ? null : encodeRequest(request);
}

export function encodeRequest(request: HttpRequest): Uint8Array {
  const body = bodyBytes(request.body);
  const line = `${request.method} ${request.target} HTTP/${request.version}`;
  const chunked = tokensOf(request.headers, 'transfer-encoding').at(-1) === 'chunked';
  const length = headerOf(request.headers, 'content-length');
  const headers =
    chunked || length === null || length === String(body.length)
      ? request.headers
      : withLength(request.headers, body.length);
  return Buffer.concat([
    head(line, headers),
    ...(chunked ? chunks(body, request.trailers) : [body]),
  ]);
}

/** How a response ends, and with it what has to happen to the connection. */
export interface EncodedResponse {
  bytes: Uint8Array;
  /** The body ends with the connection, or the response said that it closes. */
  closes: boolean;
}

/**
 * The response as bytes. `method` is that of the request it answers now: a HEAD gets the headers
 * only. `http10`: the request was HTTP/1.0, whose clients do not know chunks.
 */
export function encodeResponse(
  response: HttpResponse,
  options: { method: string; http10: boolean },
): EncodedResponse {
  const line = `HTTP/${response.version} ${response.status} ${response.reason}`;
  const { status, headers, trailers } = response;
  const closes = tokensOf(headers, 'connection').includes('close') || response.version === '1.0';
  if (options.method === 'HEAD' || status === 204 || status === 304 || status < 200) {
    return { bytes: head(line, headers), closes };
  }
  const body = bodyBytes(response.body);
  const chunked = tokensOf(headers, 'transfer-encoding').at(-1) === 'chunked';
  if (chunked && options.http10) {
    const plain = headers.filter(([name]) => !/^(transfer-encoding|trailer)$/i.test(name));
    return { bytes: Buffer.concat([head(line, plain), body]), closes: true };
  }
  if (chunked) {
    return { bytes: Buffer.concat([head(line, headers), ...chunks(body, trailers)]), closes };
  }
  const length = headerOf(headers, 'content-length');
  if (length === null) return { bytes: Buffer.concat([head(line, headers), body]), closes: true };
  const framed = length === String(body.length) ? headers : withLength(headers, body.length);
  return { bytes: Buffer.concat([head(line, framed), body]), closes };
}

function head(line: string, headers: readonly [string, string][]): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${line}\r\n${lines.join('')}\r\n`, 'latin1');
}

function withLength(headers: readonly [string, string][], length: number): [string, string][] {
  const others = headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  return [...others, ['Content-Length', String(length)]];
}

function chunks(body: Uint8Array, trailers: readonly [string, string][]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += chunkBytesMax) {
    const data = body.subarray(at, at + chunkBytesMax);
    pieces.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n'));
  }
  pieces.push(head('0', trailers));
  return pieces;
}

/** An exchange while it goes by: what is collected of it until it has ended. */

import type { Effect, Exchange, ExchangeEnd, ExchangePart } from '../../domain/exchange.ts';
import type { ConnectionHead } from '../protocol.ts';
import { bodyOf, type HttpRequest, type HttpResponse, hostOf, targetTitle } from './message.ts';
import type { RequestHead, ResponseHead } from './parser.ts';

/** One half of an open exchange. */
export class Half<Head> {
  head: Head | null = null;
  trailers: [string, string][] = [];
  done = false;
  startPos = 0;
  endPos = 0;
  startedAt = 0;
  endedAt = 0;
  pieces: Uint8Array[] = [];
  /** Some of its bytes are not held. */
  holed = false;

  begin(pos: number, at: number): void {
    this.startPos = pos;
    this.endPos = pos;
    this.startedAt = at;
    this.endedAt = at;
  }
}

export class OpenExchange {
  readonly request: Half<RequestHead> | null;
  response: Half<ResponseHead> | null = null;
  interim: ResponseHead[] = [];
  /** Something of it is not held, or not known to belong to it. */
  #incomplete = false;
  malformed = false;
  handedOver = false;
  /** Bytes of both bodies so far, held or not. */
  bodyBytes = 0;

  constructor(request: Half<RequestHead> | null) {
    this.request = request;
  }

  /** Keeps a piece of a body, or drops that body once both together are more than may be held. */
  add(half: Half<unknown>, bytes: Uint8Array, bodyBytesMax: number): void {
    this.bodyBytes += bytes.length;
    if (this.bodyBytes > bodyBytesMax) this.drop(half);
    if (!half.holed) half.pieces.push(new Uint8Array(bytes));
  }

  /** Bytes of a half are missing: it never counts as whole again. */
  drop(half: Half<unknown> | null): void {
    this.#incomplete = true;
    if (half === null) return;
    half.holed = true;
    half.pieces = [];
  }

  /** What it has become; `end` is used where the exchange itself does not say otherwise. */
  finish(head: ConnectionHead, ordinal: number, end: ExchangeEnd): Exchange {
    const request = this.request?.head ? this.#requestMeaning(this.request) : null;
    const response = this.response?.head ? this.#responseMeaning(this.response) : null;
    const status = response?.status ?? null;
    return {
      id: `${head.id}/${ordinal}`,
      connectionId: head.id,
      ordinal,
      direction: head.direction,
      protocol: 'http1',
      server: head.server,
      serverName: nameOf(head, request),
      request: this.request === null ? null : partOf(this.request, request),
      response: response === null ? null : partOf(this.response!, response),
      end: this.#endOf(end),
      effect: request === null ? 'unknown' : effectOf(request.method),
      error: status !== null && status >= 500 ? `${status} ${response!.reason}`.trim() : null,
      title: titleOf(request, response),
    };
  }

  #endOf(end: ExchangeEnd): ExchangeEnd {
    if (this.malformed) return 'malformed';
    if (this.#incomplete) return 'gap';
    return this.handedOver ? 'handed-over' : end;
  }

  #requestMeaning(half: Half<RequestHead>): HttpRequest {
    const { method, target, version, headers } = half.head!;
    const body = half.done && !half.holed ? bodyOf(joined(half.pieces)) : null;
    return { method, target, version, headers, trailers: half.trailers, body };
  }

  #responseMeaning(half: Half<ResponseHead>): HttpResponse {
    const { status, reason, version, headers } = half.head!;
    const body = half.done && !half.holed ? bodyOf(joined(half.pieces)) : null;
    const interim = this.interim.map((one) => ({
      status: one.status,
      reason: one.reason,
      headers: one.headers,
    }));
    return { version, status, reason, headers, trailers: half.trailers, body, interim };
  }
}

/** RFC 9110 section 9.2.1: the safe methods ask, all others may change something. */
export function effectOf(method: string): Effect {
  if (method === 'CONNECT') return 'control';
  return ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method) ? 'read' : 'write';
}

function partOf(half: Half<unknown>, meaning: unknown): ExchangePart {
  return {
    range: { start: half.startPos, end: half.endPos },
    startedAt: half.startedAt,
    endedAt: half.endedAt,
    meaning,
  };
}

function nameOf(head: ConnectionHead, request: HttpRequest | null): string | null {
  if (head.direction === 'inbound' || request === null) return head.serverName;
  return hostOf(request) ?? head.serverName;
}

function titleOf(request: HttpRequest | null, response: HttpResponse | null): string {
  const asked =
    request === null ? '(no request)' : `${request.method} ${targetTitle(request.target)}`;
  if (response === null) return `${asked} -> no answer`;
  const size = response.body === null ? '' : ` (${response.body.bytes} B)`;
  return `${asked} -> ${response.status}${size}`;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** HTTP exchanges of a recording as HAR 1.2, which browsers and other tools read; redacted. */
import type { Exchange } from '../domain/exchange.ts';
import type { Recording } from '../domain/recording.ts';
import { redact } from '../domain/redact.ts';
import { isoOf } from '../domain/time.ts';
import { endpointText } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { type HttpBody, headerOf, requestOf, responseOf } from '../protocols/http1/message.ts';

interface Named {
  name: string;
  value: string;
}

/** One exchange as an entry of http://www.softwareishard.com/blog/har-12-spec/. */
export interface HarEntry {
  startedDateTime: string;
  /** Milliseconds; so are the timings. */
  time: number;
  request: {
    method: string;
    url: string;
    httpVersion: string;
    cookies: Named[];
    headers: Named[];
    queryString: Named[];
    headersSize: number;
    bodySize: number;
    postData?: { mimeType: string; text: string; comment?: string };
  };
  response: {
    /** 0 when there was no answer. */
    status: number;
    statusText: string;
    httpVersion: string;
    cookies: Named[];
    headers: Named[];
    content: { size: number; mimeType: string; text?: string; comment?: string };
    redirectURL: string;
    headersSize: number;
    bodySize: number;
  };
  cache: object;
  timings: { send: number; wait: number; receive: number };
  serverIPAddress: string;
  connection: string;
  /** What it is to the recording, and what is missing of it. */
  comment: string;
}

export interface Har {
  log: {
    version: '1.2';
    creator: { name: string; version: string };
    entries: HarEntry[];
    comment: string;
  };
}

/** `boot` tells the names of hosts. Exchanges of other protocols are counted in the comment. */
export function harOf(
  recording: Recording,
  options: { boot: Recording | null; version: string },
): Har {
  const exchanges = exchangesOf(recording, { namesFrom: options.boot?.connections ?? [] });
  const http = exchanges.filter((exchange) => requestOf(exchange) !== null);
  const others = exchanges.length - http.length;
  const { completeness, id, kind, app } = recording;
  const said = [
    `Recording ${id}: ${kind} of ${app}`,
    others === 0 ? '' : `${others} exchanges of other protocols are left out`,
    ...completeness.reasons,
  ];
  return {
    log: {
      version: '1.2',
      creator: { name: 'Fixpoint', version: options.version },
      entries: http.map((exchange) => entryOf(exchange, recording)),
      comment: redact(said.filter((text) => text !== '').join('; ')),
    },
  };
}

function entryOf(exchange: Exchange, recording: Recording): HarEntry {
  const request = requestOf(exchange)!;
  const response = responseOf(exchange);
  const sent = exchange.request!;
  const got = exchange.response;
  const ms = (from: number, to: number) => Math.max(0, (to - from) / 1000);
  const send = ms(sent.startedAt, sent.endedAt);
  const wait = got === null ? 0 : ms(sent.endedAt, got.startedAt);
  const receive = got === null ? 0 : ms(got.startedAt, got.endedAt);
  const url = urlOf(exchange, request.target, headerOf(request.headers, 'host'));
  const body = textOf(request.body);
  return {
    startedDateTime: isoOf(sent.startedAt),
    time: send + wait + receive,
    request: {
      ...{ method: request.method, url: redact(url), httpVersion: `HTTP/${request.version}` },
      ...{ cookies: [], headers: named(request.headers), queryString: queryOf(url) },
      ...{ headersSize: -1, bodySize: request.body?.bytes ?? -1 },
      ...(request.body?.bytes === 0
        ? {}
        : { postData: { mimeType: typeOf(request.headers), text: '', ...body } }),
    },
    response: {
      ...{ status: response?.status ?? 0, statusText: response?.reason ?? '' },
      ...{ httpVersion: `HTTP/${response?.version ?? request.version}` },
      ...{ cookies: [], headers: named(response?.headers ?? []) },
      content: {
        ...{ size: response?.body?.bytes ?? 0, mimeType: typeOf(response?.headers ?? []) },
        ...textOf(response?.body ?? null),
      },
      redirectURL: redact(headerOf(response?.headers ?? [], 'location') ?? ''),
      ...{ headersSize: -1, bodySize: response?.body?.bytes ?? -1 },
    },
    cache: {},
    timings: { send, wait, receive },
    serverIPAddress: exchange.server.address,
    connection: exchange.connectionId,
    comment: partOf(exchange, recording),
  };
}

function partOf({ id, end, direction }: Exchange, recording: Recording): string {
  const part =
    id === recording.triggerExchangeId
      ? 'the request that the recording is about'
      : recording.callExchangeIds.includes(id)
        ? 'a call of it'
        : direction === 'inbound'
          ? 'another request'
          : 'another call';
  return end === 'complete' ? part : `${part}; not whole: ${end}`;
}

function urlOf(exchange: Exchange, target: string, host: string | null): string {
  if (/^https?:\/\//i.test(target)) return target;
  const named = exchange.serverName;
  const at = host ?? (named === null ? endpointText(exchange.server) : named);
  return `http://${at}${target.startsWith('/') ? target : `/${target}`}`;
}

function queryOf(url: string): Named[] {
  const query = url.split('#')[0]!.split('?').slice(1).join('?');
  return [...new URLSearchParams(query)].map(([name, value]) => {
    return { name, value: redact(`${name}=${value}`).slice(name.length + 1) };
  });
}

/** With their names before them, because a name may say that its value is secret. */
function named(headers: readonly [string, string][]): Named[] {
  return headers.map(([name, value]) => {
    return { name, value: redact(`${name}: ${value}`).slice(name.length + 2) };
  });
}

/** Bytes that are no text cannot be redacted, so they are left out. */
function textOf(body: HttpBody | null): { text?: string; comment?: string } {
  if (body === null) return { comment: 'its bytes are not held' };
  if (body.bytes === 0) return {};
  if (body.encoding === 'utf8') return { text: redact(body.data) };
  return { comment: `${body.bytes} bytes that are no text are left out` };
}

function typeOf(headers: readonly [string, string][]): string {
  return headerOf(headers, 'content-type') ?? 'application/octet-stream';
}

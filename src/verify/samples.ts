/** Recordings and replays as samples: requests, answers and calls that can be compared. */
import type { Exchange } from '../domain/exchange.ts';
import type { Answer, Observed } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { headerOf, jsonOf, requestOf, responseOf } from '../protocols/http1/message.ts';
import { protocols } from '../protocols/protocols.ts';
import { callsOf } from './calls.ts';
import type { Sample, SampleCall } from './outcome-sane.ts';
import { endingsOf } from './transactions.ts';

/** The trigger of a recording with its calls; null when it is not an HTTP exchange. */
export function sampleOf(recording: Recording): Sample | null {
  const exchanges = exchangesOf(recording.connections);
  const trigger = exchanges.find((exchange) => exchange.id === recording.triggerExchangeId);
  const request = trigger === undefined ? null : requestOf(trigger);
  if (trigger === undefined || request === null) return null;
  const response = responseOf(trigger);
  const calls = new Set(recording.callExchangeIds);
  const own = exchanges.filter(({ id }) => calls.has(id));
  return {
    request: requestValue(request, recording.route),
    status: response?.status ?? 0,
    contentType: headerOf(response?.headers ?? [], 'content-type') ?? '',
    location: headerOf(response?.headers ?? [], 'location'),
    body: response === null ? null : (jsonOf(response) ?? response.body?.data ?? ''),
    bodyBytes: response?.body?.bytes ?? 0,
    calls: own.flatMap(callOf),
    endings: endingsOf(own.filter(({ effect }) => effect === 'control').map(({ title }) => title)),
  };
}

/** What a replay's app answered, with the calls it made. */
export function sampleOfObserved(observed: Observed, request: unknown): Sample | null {
  const { answer } = observed;
  if (answer === null) return null;
  const contentType = headerOf(answer.headers, 'content-type') ?? '';
  return {
    request,
    status: answer.status,
    contentType,
    location: headerOf(answer.headers, 'location'),
    body: bodyValue(answer, contentType),
    bodyBytes: answer.body.length,
    calls: callsOf(observed.served).map((call) => ({
      formKey: call.formKey,
      effect: call.effect,
      title: call.title,
      parameters: [],
      answer: null,
    })),
  };
}

/** What the app said to databases while it started, as text of queries. */
export function statementsOf(boot: Recording): string[] {
  return exchangesOf(boot).flatMap((exchange) => {
    const protocol = protocols.find((candidate) => candidate.name === exchange.protocol);
    return protocol?.question(exchange)?.fields.sql ?? [];
  });
}

function bodyValue(answer: Answer, contentType: string): unknown {
  const text = new TextDecoder().decode(answer.body);
  if (!/\bjson\b/i.test(contentType)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function callOf(exchange: Exchange): SampleCall[] {
  const protocol = protocols.find((candidate) => candidate.name === exchange.protocol);
  const question = protocol?.question(exchange) ?? null;
  if (question === null || question.effect === 'control') return [];
  const response = responseOf(exchange);
  const answer =
    response === null
      ? (exchange.response?.meaning ?? null)
      : { status: response.status, body: jsonOf(response) ?? response.body?.data ?? null };
  return [
    {
      formKey: question.formKey,
      effect: question.effect,
      title: question.title,
      parameters: Object.values(question.fields),
      fields: question.fields,
      answer,
    },
  ];
}

/** Headers whose presence or form a handler may depend on. */
const meaningfulHeaders = ['content-type', 'accept', 'authorization', 'cookie', 'x-api-key'];

function requestValue(
  request: { method: string; target: string; headers: [string, string][]; body: unknown },
  route: string | null,
): unknown {
  const url = new URL(request.target, 'http://app');
  const template = (route ?? '').split(' ')[1]?.split('/') ?? [];
  const segments = url.pathname.split('/');
  const parameters = segments.filter((segment, at) => template[at]?.startsWith(':') && segment);
  const headers = meaningfulHeaders.flatMap((name) => {
    const value = headerOf(request.headers, name);
    return value === null ? [] : [[name, name === 'content-type' ? value : 'present']];
  });
  const http = request as Parameters<typeof jsonOf>[0];
  return {
    path: Object.fromEntries(parameters.map((value, at) => [`parameter ${at + 1}`, value])),
    query: Object.fromEntries(url.searchParams),
    header: Object.fromEntries(headers),
    body: jsonOf(http) ?? http.body?.data ?? '',
  };
}

// From a case to its recording: the trigger with its calls, what came before it, and an honest
// account of what is missing.
import { randomUUID } from 'node:crypto';
import type { Exchange } from '../domain/exchange.ts';
import type { Causality, Recording, RecordingKind } from '../domain/recording.ts';
import { routeTemplate } from '../domain/route.ts';
import type { Instant } from '../domain/time.ts';
import type { Connection } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { requestOf, responseOf } from '../protocols/http1/message.ts';
import { superset } from './ambiguity.ts';
import { completenessOf } from './completeness.ts';
import { bytesBack, cut, type Range } from './cut.ts';
import type { Flight } from './flight.ts';
import type { LogWindow } from './log-window.ts';
import type { Losses } from './losses.ts';
import { inFlight, type Span, spansOf, startOfLast } from './spans.ts';
import type { RecordLimits } from './types.ts';

/** What evidence is taken from. */
export interface Source {
  flight: Flight;
  log: LogWindow;
  losses: Losses;
  limits: RecordLimits;
}

/** Messages of a whole instance that a sample's grace takes in. */
const graceMessagesMax = 200;

export interface Wanted {
  kind: RecordingKind;
  span: Span;
  /** Position of the failing answer in the server's stream, where there is one. */
  answerPos: number | null;
  /** The instant of the symptom; counts as the end where the trigger has none. */
  at: Instant;
  prefixExchangesMax: number;
}

export interface Evidence {
  recording: Recording;
  /** Null when its bytes could not be read. */
  trigger: Exchange | null;
  status: number | null;
}

/** Cuts and reads what belongs to a request. */
export function evidenceOf(source: Source, wanted: Wanted): Evidence {
  const { flight, limits } = source;
  const { span } = wanted;
  const graceUs = limits.graceMs * 1000;
  const end = Number.isFinite(span.endAt) ? Math.max(span.endAt, wanted.at) : wanted.at;
  const to = wanted.kind === 'sample' ? graceEnd(flight, end, graceUs) : end + graceUs;
  const spans = spansOf(flight, {
    from: span.startAt - limits.answerWaitMs * 1000,
    // Only those matter that were in flight at the same time.
    ...{ to, aliveFrom: span.startAt },
  });
  const from = prefixStart(source, wanted);
  // Earlier requests may be the cause of a failure; what a sample shows is its own request's.
  const requestsOf = wanted.kind === 'sample' ? span.tracked : undefined;
  const connections = cut(flight, { from, to, requestsTo: end, requestsOf });
  const exchanges = exchangesOf(connections, { bodyBytesMax: limits.bodyBytesMax });
  const trigger = triggerIn(exchanges, wanted);
  const about: Range = { from: span.startAt, to };
  const calls = callsOf({ exchanges, span, spans, to, end });
  const request = trigger === null ? null : requestOf(trigger);
  const reasons = source.losses.during(flight, about);
  if (trigger === null) reasons.push('the request is not held or cannot be read');
  const recording: Recording = {
    id: randomUUID(),
    kind: wanted.kind,
    ...{ app: flight.instance.app, releaseNumber: flight.instance.releaseNumber },
    ...{ instanceId: flight.instance.id, from, to, connections },
    hosts: flight.instance.hosts ?? {},
    triggerExchangeId: trigger?.id ?? null,
    callExchangeIds: calls.map((exchange) => exchange.id),
    causality: causalityOf({ calls, span, spans }),
    prefixExchangeIds: prefixOf(exchanges, span, trigger),
    log: source.log.between(from, end + graceUs),
    exit: null,
    route: request === null ? null : routeTemplate(request.method, request.target),
    completeness: completenessOf({
      connections,
      all: exchanges,
      exchanges: trigger === null ? calls : [trigger, ...calls],
      ...about,
      reasons,
      gapsAt: (connection, range) => gapsDuring(flight, connection, range),
    }),
  };
  const status = trigger === null ? null : (responseOf(trigger)?.status ?? null);
  return { recording, trigger, status };
}

/**
 * The end of a sample's grace: bounded in messages too, because a busy app says thousands in that
 * time, and what a request still asks after its answer comes soon.
 */
function graceEnd(flight: Flight, end: Instant, graceUs: number): Instant {
  const to = end + graceUs;
  let messages = 0;
  for (const slab of flight.window.slabs(end, to)) {
    for (let index = 0; index < slab.count; index++) {
      const at = slab.at[index]!;
      if (at > end && at <= to && ++messages > graceMessagesMax) return at;
    }
  }
  return to;
}

/** Everything of an instance so far, as the recording of its start. */
export function bootEvidence(source: Source, to: Instant): Recording {
  const { flight, limits } = source;
  const range = { from: 0, to };
  const connections = cut(flight, range);
  const exchanges = exchangesOf(connections, { bodyBytesMax: limits.bodyBytesMax });
  const reasons = source.losses.during(flight, range);
  if (flight.window.lostBefore > 0) {
    reasons.push(`the start was larger than ${limits.bootBytesMax} bytes: its beginning is lost`);
  }
  const from = connections.reduce((least, each) => Math.min(least, each.openedAt), to);
  return {
    id: randomUUID(),
    kind: 'boot',
    ...{ app: flight.instance.app, releaseNumber: flight.instance.releaseNumber },
    ...{ instanceId: flight.instance.id, from, to, connections },
    hosts: flight.instance.hosts ?? {},
    triggerExchangeId: null,
    callExchangeIds: exchanges.filter((each) => each.direction === 'outbound').map(({ id }) => id),
    causality: 'exact',
    prefixExchangeIds: [],
    log: source.log.between(0, to),
    exit: null,
    route: null,
    completeness: completenessOf({
      ...{ connections, exchanges, all: exchanges, ...range, reasons },
      gapsAt: (connection, within) => gapsDuring(flight, connection, within),
    }),
  };
}

/** How far back the prefix reaches: bounded in requests and in bytes. */
function prefixStart(source: Source, wanted: Wanted): Instant {
  const start = wanted.span.startAt;
  const count = wanted.prefixExchangesMax;
  if (count === 0) return start;
  const first = startOfLast(source.flight, { before: start, count });
  const bytesMax = source.limits.prefixBytesMax;
  return Math.min(start, Math.max(first, bytesBack(source.flight, { to: start, bytesMax })));
}

function triggerIn(exchanges: readonly Exchange[], wanted: Wanted): Exchange | null {
  const { span, answerPos } = wanted;
  const own = exchanges.filter((each) => each.connectionId === span.tracked.id);
  const found = own.find((each) => {
    const { request, response } = each;
    if (answerPos === null) return request?.range.start === span.startPos;
    return response !== null && response.range.start <= answerPos && answerPos < response.range.end;
  });
  return found ?? null;
}

/**
 * Outbound exchanges that began while the request was in flight. What began after its end counts
 * when nobody else was in flight: a late write is most likely its own.
 */
function callsOf(options: {
  exchanges: readonly Exchange[];
  span: Span;
  spans: readonly Span[];
  to: Instant;
  end: Instant;
}): Exchange[] {
  const { exchanges, span, spans, to, end } = options;
  return exchanges.filter((exchange) => {
    if (exchange.direction !== 'outbound') return false;
    const at = exchange.request?.startedAt ?? exchange.response?.startedAt ?? 0;
    if (at < span.startAt || at > to) return false;
    return at <= end || inFlight(spans, at).every((each) => each === span || same(each, span));
  });
}

function causalityOf(options: {
  calls: readonly Exchange[];
  span: Span;
  spans: readonly Span[];
}): Causality {
  const alone = options.calls.every((call) => {
    const at = call.request?.startedAt ?? call.response?.startedAt ?? 0;
    return inFlight(options.spans, at).every((each) => same(each, options.span));
  });
  return alone ? 'exact' : superset(options.calls);
}

function prefixOf(exchanges: readonly Exchange[], span: Span, trigger: Exchange | null): string[] {
  return exchanges
    .filter((each) => each.direction === 'inbound' && each.id !== trigger?.id)
    .filter((each) => each.request !== null && each.request.startedAt <= span.startAt)
    .filter((each) => each.end === 'complete' || each.end === 'unanswered')
    .sort((a, b) => a.request!.startedAt - b.request!.startedAt)
    .map((each) => each.id);
}

function same(a: Span, b: Span): boolean {
  return a.tracked === b.tracked && a.startPos === b.startPos;
}

function gapsDuring(flight: Flight, connection: Connection, range: Range) {
  const gaps = flight.byId(connection.id)?.gaps ?? [];
  return gaps.filter((gap) => gap.at >= range.from && gap.at <= range.to);
}

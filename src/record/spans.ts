// Who was in flight when: requests and their answers as far as the order of messages tells, read
// from the window's bookkeeping without reading a byte.
import type { Instant } from '../domain/time.ts';
import type { Tracked } from './connection.ts';
import type { Flight } from './flight.ts';
import { flag } from './slab.ts';

/** One turn of an inbound connection: mostly one exchange; several when requests are pipelined. */
export interface Span {
  tracked: Tracked;
  startAt: Instant;
  /** Position of the turn's first byte in the client's stream. */
  startPos: number;
  /** When the answer began; null while there is none. */
  answerAt: Instant | null;
  /** Last sign of it: of the answer, of the close, or infinite while it waits. */
  endAt: Instant;
}

/**
 * Spans that began at `from` or later, in order of their beginning. Those that ended before
 * `aliveFrom` may be left out: in a full window they are hundreds of thousands.
 */
export function spansOf(
  flight: Flight,
  range: { from: Instant; to: Instant; aliveFrom?: Instant },
): Span[] {
  const aliveFrom = range.aliveFrom ?? 0;
  const from = aliveFrom > range.from ? scanFrom(flight, range.from, aliveFrom) : range.from;
  const spans: Span[] = from > range.from ? waitingSince(flight, range.from, from) : [];
  const last = new Map<number, Span>();
  for (const slab of flight.window.slabs(from, range.to)) {
    for (let index = 0; index < slab.count; index++) {
      const at = slab.at[index]!;
      const flags = slab.flags[index]!;
      const connection = slab.connection[index]!;
      if ((flags & flag.turn) !== 0) {
        if (at < from || at > range.to) continue;
        const tracked = last.get(connection)?.tracked ?? flight.connections.get(connection);
        if (tracked === undefined || !isAsked(tracked)) continue;
        const startPos = slab.pos[index]!;
        const endAt = Number.POSITIVE_INFINITY;
        const before = last.get(connection);
        if (before !== undefined && before.endAt < aliveFrom) {
          Object.assign(before, { startAt: at, startPos, answerAt: null, endAt });
          continue;
        }
        const span = { tracked, startAt: at, startPos, answerAt: null, endAt };
        spans.push(span);
        last.set(connection, span);
      } else if ((flags & flag.client) === 0) {
        const span = last.get(connection);
        if (span === undefined) continue;
        span.answerAt ??= at;
        span.endAt = at;
      }
    }
  }
  for (const span of spans) {
    if (span.answerAt === null && span.tracked.closedAt !== null) {
      span.endAt = Math.max(span.startAt, span.tracked.closedAt);
    }
  }
  return spans.sort((a, b) => a.startAt - b.startAt);
}

/**
 * The least instant from which every request that was in flight at `aliveFrom` has its beginning,
 * but for those that said nothing since: found backwards, so that a busy window is not walked.
 */
function scanFrom(flight: Flight, least: Instant, aliveFrom: Instant): Instant {
  const sought = new Set<number>();
  for (const tracked of flight.connections.values()) {
    if (!isAsked(tracked) || tracked.openedAt > aliveFrom || tracked.lastAt < aliveFrom) continue;
    sought.add(tracked.index);
  }
  let from = aliveFrom;
  for (const slab of flight.window.slabs(least, aliveFrom).reverse()) {
    for (let index = slab.count - 1; index >= 0; index--) {
      if (sought.size === 0) return from;
      const at = slab.at[index]!;
      if ((slab.flags[index]! & flag.turn) === 0 || at >= aliveFrom) continue;
      if (sought.delete(slab.connection[index]!)) from = Math.min(from, at);
    }
  }
  return Math.max(least, from);
}

/** Requests that began in the time, and whose connection has been silent since. */
function waitingSince(flight: Flight, from: Instant, to: Instant): Span[] {
  const spans: Span[] = [];
  for (const tracked of flight.connections.values()) {
    const { turnAt: startAt, turnPos: startPos, lastAt, spoke } = tracked;
    if (spoke !== 1 || lastAt >= to || startAt < from || !isAsked(tracked)) continue;
    spans.push({ tracked, startAt, startPos, answerAt: null, endAt: Number.POSITIVE_INFINITY });
  }
  return spans;
}

/**
 * The span that begins at a known place, found without looking at those of others: a busy app has
 * tens of thousands of them in the time that one sample waits. `sequence` is that of the slab in
 * which it begins. Null when it is no longer held.
 */
export function spanAt(
  flight: Flight,
  begin: { tracked: Tracked; startAt: Instant; startPos: number; sequence: number },
): Span | null {
  const { tracked, startAt, startPos } = begin;
  const { index: connection } = tracked;
  if (begin.sequence < flight.window.oldestSequence) return null;
  const span = { tracked, startAt, startPos, answerAt: null, endAt: Number.POSITIVE_INFINITY };
  let found: Span | null = null;
  for (const slab of flight.window.slabs(startAt, Number.POSITIVE_INFINITY)) {
    if (slab.sequence < begin.sequence) continue;
    for (let index = 0; index < slab.count; index++) {
      if (slab.connection[index] !== connection) continue;
      const flags = slab.flags[index]!;
      if ((flags & flag.turn) !== 0) {
        if (found !== null) return found;
        if (slab.pos[index] === startPos && slab.at[index] === startAt) found = span;
      } else if ((flags & flag.client) === 0 && found !== null) {
        found.answerAt ??= slab.at[index]!;
        found.endAt = slab.at[index]!;
      }
    }
  }
  if (found !== null && found.answerAt === null && tracked.closedAt !== null) {
    found.endAt = Math.max(startAt, tracked.closedAt);
  }
  return found;
}

/** When the last so many requests before an instant began; the instant when there are none. */
export function startOfLast(flight: Flight, options: { before: Instant; count: number }): Instant {
  let start = options.before;
  let left = options.count;
  for (const slab of flight.window.slabs(0, options.before).reverse()) {
    for (let index = slab.count - 1; index >= 0; index--) {
      if (left === 0) return start;
      if ((slab.flags[index]! & flag.turn) === 0 || slab.at[index]! >= options.before) continue;
      const tracked = flight.connections.get(slab.connection[index]!);
      if (tracked === undefined || !isAsked(tracked)) continue;
      start = slab.at[index]!;
      left--;
    }
  }
  return start;
}

function isAsked(tracked: Tracked): boolean {
  return tracked.inbound && !tracked.internal && tracked.transport === 'tcp';
}

/** Those in flight at an instant. */
export function inFlight(spans: readonly Span[], at: Instant): Span[] {
  return spans.filter((span) => span.startAt <= at && span.endAt >= at);
}

/**
 * The request that a line of the log belongs to: the one in flight, the last begun of several
 * (`others` are the rest). A line may be stamped late, then it is the last one that ended.
 */
export function ownerOf(
  spans: readonly Span[],
  at: Instant,
  lateUs: number,
): { span: Span | null; others: Span[] } {
  let fitting = inFlight(spans, at);
  if (fitting.length === 0) {
    const ended = spans.filter((each) => each.endAt < at && each.endAt >= at - lateUs);
    fitting = ended.sort((a, b) => a.endAt - b.endAt).slice(-1);
  }
  const span = fitting.at(-1) ?? null;
  return { span, others: fitting.filter((each) => each !== span) };
}

/** The turn that holds a position of the server's stream, by the time at which it was sent. */
export function spanOfAnswer(
  spans: readonly Span[],
  answer: { tracked: Tracked; at: Instant },
): Span | null {
  const found = spans.findLast(
    (span) => span.tracked === answer.tracked && span.startAt <= answer.at,
  );
  return found ?? null;
}

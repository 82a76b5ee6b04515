// Which signs belong to one request: a failing answer, exceptions on the log, the death of the
// process. One request is one case, however many signs it gave.
import type { ProcessExit } from '../domain/app.ts';
import type { Instant } from '../domain/time.ts';
import type { LoggedTrace } from '../symptoms/log.ts';
import type { Tracked } from './connection.ts';
import { ownerOf, type Span, spanOfAnswer } from './spans.ts';

/** An answer with 5xx, as the hot path noticed it. */
export interface FailingAnswer {
  tracked: Tracked;
  pos: number;
  at: Instant;
  status: number;
  /** The slab in which its request begins: when that is given up, the evidence is gone. */
  sequence: number;
}

/** What happened to one request, or to none. */
export interface Case {
  at: Instant;
  span: Span | null;
  answer: FailingAnswer | null;
  traces: LoggedTrace[];
  exit: ProcessExit | null;
  /** Other requests that were in flight when the sign came that has no answer of its own. */
  others: Span[];
}

export interface JoinOptions {
  answers: readonly FailingAnswer[];
  traces: readonly LoggedTrace[];
  exit: ProcessExit | null;
  spans: readonly Span[];
  /** How much later than its request's end a line may be stamped, microseconds. */
  lateUs: number;
}

export function join(options: JoinOptions): Case[] {
  const { spans, exit, lateUs } = options;
  const cases = options.answers.map((answer): Case => {
    const span = spanOfAnswer(spans, answer);
    return { at: answer.at, span, answer, traces: [], exit: null, others: [] };
  });
  const rest: LoggedTrace[] = [];
  for (const trace of options.traces) {
    const home = answerFor(cases, trace, lateUs);
    if (home === null) rest.push(trace);
    else home.traces.push(trace);
  }
  if (exit !== null) cases.push(...deathOf({ exit, cases, rest, spans, lateUs }));
  for (const trace of rest) {
    if (trace.severity === 'low') continue;
    const home = ownerOf(spans, trace.at, lateUs);
    const known = cases.find((each) => each.span !== null && each.span === home.span);
    if (known !== undefined) known.traces.push(trace);
    else {
      const { span, others } = home;
      cases.push({ at: trace.at, span, answer: null, traces: [trace], exit: null, others });
    }
  }
  return cases.sort((a, b) => a.at - b.at);
}

/** The failing answer that a trace explains: of those it may belong to, the nearest without one. */
function answerFor(cases: readonly Case[], trace: LoggedTrace, lateUs: number): Case | null {
  const fitting = cases.filter(({ span, answer }) => {
    const from = span?.startAt ?? answer!.at - lateUs;
    return trace.at >= from && trace.at <= answer!.at + lateUs;
  });
  const distance = ({ answer }: Case) => Math.abs(answer!.at - trace.at);
  const best = (some: Case[]) => some.sort((a, b) => distance(a) - distance(b))[0] ?? null;
  return best(fitting.filter((each) => each.traces.length === 0)) ?? best(fitting);
}

/**
 * The case of a process that died. Its trigger is the unanswered request that began last before
 * the exception was printed; where none waited, the one that was answered last: handlers go on
 * working after they have answered. Traces taken up are removed from `rest`.
 */
function deathOf(options: {
  exit: ProcessExit;
  cases: Case[];
  rest: LoggedTrace[];
  spans: readonly Span[];
  lateUs: number;
}): Case[] {
  const { exit, cases, rest, spans, lateUs } = options;
  const last = rest.filter((each) => each.at >= exit.at - lateUs && each.at <= exit.at + lateUs);
  const uncaught = last.filter((each) => each.trace.uncaught);
  const traces = uncaught.length > 0 ? uncaught : last.slice(-1);
  for (const trace of traces) rest.splice(rest.indexOf(trace), 1);
  const at = traces[0]?.at ?? exit.at;
  const waiting = spans.filter(
    (each) => each.answerAt === null && each.startAt <= exit.at && each.endAt >= exit.at - lateUs,
  );
  const before = waiting.filter((each) => each.startAt <= at);
  const span = before.at(-1) ?? waiting.at(-1) ?? null;
  const others = waiting.filter((each) => each !== span);
  if (span === null) {
    // Answered 5xx, then died: one request, one case.
    const answered = cases.filter((each) => Math.abs(each.at - exit.at) <= lateUs).at(-1);
    if (answered !== undefined) {
      answered.exit = exit;
      answered.traces.push(...traces);
      return [];
    }
    const home = ownerOf(spans, at, lateUs);
    return [{ at: exit.at, span: home.span, answer: null, traces, exit, others: home.others }];
  }
  return [{ at: exit.at, span, answer: null, traces, exit, others }];
}

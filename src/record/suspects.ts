// Waits until a failing request is over, gathers its signs, and makes one suspicion of it. A flood
// of failures is counted whole and looked into in part.
import type { ProcessExit } from '../domain/app.ts';
import type { Instant } from '../domain/time.ts';
import { type LoggedTrace, tracesIn } from '../symptoms/log.ts';
import type { Suspicion, Symptoms } from '../symptoms/symptoms.ts';
import { type Evidence, evidenceOf, type Source } from './evidence.ts';
import { type Case, type FailingAnswer, join } from './join.ts';
import { Repeats } from './repeats.ts';
import { turnRoute } from './routes.ts';
import { type Span, spanOfAnswer, spansOf } from './spans.ts';

/** A trace is read once its lines have stopped coming for so long. */
const quietUs = 150_000;
/** Failing answers that wait at once; further ones are counted. */
const pendingMax = 200;
const handledMax = 500;

export class Suspects {
  readonly #source: Source;
  readonly #repeats: Repeats;
  #answers: FailingAnswer[] = [];
  #traces: LoggedTrace[] = [];
  #exit: { exit: ProcessExit; seenAt: Instant } | null = null;
  /** Cut early because the window was about to give them up. */
  readonly #secured = new Map<FailingAnswer, Evidence>();
  /** Requests that were reported: what is said of them later is no news. */
  #handled: string[] = [];

  constructor(source: Source) {
    this.#source = source;
    this.#repeats = new Repeats(source.limits);
  }

  get pending(): boolean {
    const { log } = this.#source;
    return (
      this.#answers.length > 0 ||
      this.#traces.length > 0 ||
      this.#exit !== null ||
      log.hinted ||
      this.#repeats.pending
    );
  }

  /** Of the first sign that was not handed on yet; infinite when there is none. */
  get pendingSince(): Instant {
    const signs = [...this.#answers, ...this.#traces].map(({ at }) => at);
    return Math.min(
      ...signs,
      this.#exit?.exit.at ?? Number.POSITIVE_INFINITY,
      this.#source.log.hintedAt,
      this.#repeats.pendingSince,
    );
  }

  /** Called from the hot path: cheap, and bounded in a flood. */
  answered(answer: FailingAnswer): void {
    const look = lookOf(answer);
    if (this.#answers.length < pendingMax && this.#repeats.admit(look, answer.at)) {
      this.#answers.push(answer);
    } else this.#repeats.count(look, answer.at);
  }

  /** Cuts what waits and begins in a slab up to `sequence`: those are given up next. */
  secure(sequence: number): void {
    const { flight, limits } = this.#source;
    for (const answer of this.#answers) {
      if (answer.sequence > sequence || this.#secured.has(answer)) continue;
      const from = answer.at - limits.answerWaitMs * 1000;
      const range = { from, to: answer.at, aliveFrom: answer.at };
      const span = spanOfAnswer(spansOf(flight, range), answer);
      if (span !== null) this.#secured.set(answer, this.#evidenceFor(span, answer, answer.at));
    }
  }

  exited(exit: ProcessExit, seenAt: Instant): void {
    this.#exit = { exit, seenAt };
  }

  /** Forgets the signs so far: the instance was not in service yet. */
  clear(): void {
    this.#answers = [];
    this.#traces = [];
    this.#secured.clear();
    this.#source.log.takeNew();
  }

  /** What is due at `at`. Everything that the sensor and the log hold must have been taken in. */
  due(at: Instant, all = false): Suspicion[] {
    this.#readLog(at, all);
    const found: Suspicion[] = [];
    if (this.#answers.length + this.#traces.length > 0 || this.#exit !== null) {
      for (const each of this.#cases(at)) {
        if (!all && !this.#isDue(each, at)) continue;
        const suspicion = this.#suspicionOf(each, at, all);
        if (suspicion !== null) found.push(suspicion);
      }
    }
    const { app, releaseNumber, id } = this.#source.flight.instance;
    for (const { symptoms, count } of this.#repeats.take(at, all)) {
      const of = { app, releaseNumber, instanceId: id };
      found.push({ ...of, symptoms, recording: null, repeats: count - 1 });
    }
    return found;
  }

  #readLog(at: Instant, all: boolean): void {
    const { log } = this.#source;
    if (!log.hinted || (!all && !log.quietSince(at - quietUs))) return;
    this.#traces.push(...tracesIn(log.takeNew()));
  }

  #cases(at: Instant): Case[] {
    const { flight, limits } = this.#source;
    const signs = [...this.#answers, ...this.#traces].map((sign) => sign.at);
    if (this.#exit !== null) signs.push(this.#exit.exit.at);
    const first = Math.min(...signs);
    const from = first - limits.answerWaitMs * 1000;
    const lateUs = limits.traceWaitMs * 1000;
    return join({
      answers: this.#answers,
      traces: this.#traces,
      exit: this.#exit?.exit ?? null,
      spans: spansOf(flight, { from, to: at, aliveFrom: first - lateUs }),
      lateUs,
    });
  }

  #isDue(each: Case, at: Instant): boolean {
    const { graceMs, traceWaitMs, answerWaitMs } = this.#source.limits;
    if (this.#exit !== null && each.answer === null) {
      // Logs may come later than the news of the end; they say more than the exit code.
      const waitMs = each.traces.length > 0 ? 2 * graceMs : Math.max(2 * graceMs, traceWaitMs);
      return each.exit !== null && at >= this.#exit.seenAt + waitMs * 1000;
    }
    const waited = (at - each.at) / 1000;
    if (each.answer !== null) {
      // Lines that may be its trace are still coming.
      if (each.traces.length === 0 && this.#source.log.hinted) return false;
      return waited >= (each.traces.length > 0 ? graceMs : Math.max(graceMs, traceWaitMs));
    }
    if (waited < Math.max(graceMs, traceWaitMs)) return false;
    // Its request may still be answered with 5xx: then both are one case.
    return each.span === null || Number.isFinite(each.span.endAt) || waited >= answerWaitMs;
  }

  #suspicionOf(each: Case, at: Instant, all: boolean): Suspicion | null {
    const { limits } = this.#source;
    const known = each.span !== null && this.#handled.includes(spanKey(each.span));
    if (each.answer === null && each.exit === null) {
      const absorbed = known || this.#repeats.absorb(each.at);
      if (absorbed) return this.#drop(each);
    }
    if (each.answer === null && !this.#admitted(each)) return this.#drop(each);
    const evidence = this.#evidence(each);
    const secured = each.answer !== null && this.#secured.has(each.answer);
    const over =
      secured || evidence === null || evidence.trigger?.end !== 'unanswered' || each.exit !== null;
    const waited = (at - each.at) / 1000;
    if (!over && !all && each.span?.tracked.closedAt === null && waited < limits.answerWaitMs) {
      return null;
    }
    this.#drop(each);
    const alarm = each.answer !== null && evidence?.status !== null && evidence !== null;
    // Text in a body that looked like an answer: nothing failed, unless the log says so.
    if (alarm && evidence.status! < 500 && each.traces.length === 0 && !each.exit) return null;
    if (each.span !== null) this.#remember(each.span);
    return this.#suspicion(each, evidence);
  }

  #suspicion(each: Case, evidence: Evidence | null): Suspicion {
    const { flight } = this.#source;
    const symptoms: Symptoms = {
      at: each.at,
      status: evidence?.status ?? each.answer?.status ?? null,
      route: evidence?.recording.route ?? null,
      log: each.traces.flatMap((trace) => trace.lines),
      exit: each.exit,
    };
    const look = each.answer === null ? traceLook(each) : lookOf(each.answer);
    const repeats = this.#repeats.handled(look, symptoms);
    const { app, releaseNumber, id } = flight.instance;
    const recording = evidence === null ? null : { ...evidence.recording, exit: each.exit };
    return { app, releaseNumber, instanceId: id, symptoms, recording, repeats };
  }

  #evidence(each: Case): Evidence | null {
    const { answer, span } = each;
    const secured = answer === null ? undefined : this.#secured.get(answer);
    if (secured !== undefined) return secured;
    if (span === null) return null;
    const evidence = this.#evidenceFor(span, answer, each.at);
    // Others were in flight: any of them may be the one, and the prefix holds them.
    const { recording } = evidence;
    if (each.others.length > 0 && recording.causality === 'exact') {
      recording.causality = 'candidates';
    }
    return evidence;
  }

  #evidenceFor(span: Span, answer: FailingAnswer | null, at: Instant): Evidence {
    const { prefixExchangesMax } = this.#source.limits;
    const answerPos = answer?.pos ?? null;
    const wanted = { kind: 'failure' as const, span, answerPos, at, prefixExchangesMax };
    return evidenceOf(this.#source, wanted);
  }

  #admitted(each: Case): boolean {
    if (each.exit !== null) return true;
    const look = traceLook(each);
    if (this.#repeats.admit(look, each.at)) return true;
    this.#repeats.count(look, each.at, false);
    return false;
  }

  #remember(span: Span): void {
    this.#handled.push(spanKey(span));
    if (this.#handled.length > handledMax) this.#handled.splice(0, handledMax / 2);
  }

  /** Takes a case's signs off the lists. */
  #drop(each: Case): null {
    this.#answers = this.#answers.filter((answer) => answer !== each.answer);
    if (each.answer !== null) this.#secured.delete(each.answer);
    this.#traces = this.#traces.filter((trace) => !each.traces.includes(trace));
    if (each.exit !== null) this.#exit = null;
    return null;
  }
}

function spanKey(span: Span): string {
  return `${span.tracked.id} ${span.startPos}`;
}

function lookOf(answer: FailingAnswer): string {
  return `${answer.status} ${turnRoute(answer.tracked) ?? '?'}`;
}

function traceLook(each: Case): string {
  const trace = each.traces[0]?.trace;
  const place = trace?.places[0];
  return `${trace?.type ?? 'exit'} ${place?.file ?? ''}:${place?.line ?? ''}`;
}

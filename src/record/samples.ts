// A sample of successes per route and release, as the regression corpus: chosen by the first line
// of a request, before anything is read, and kept only when it is whole.
import type { LogLine } from '../domain/app.ts';
import type { RecordingSummary } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';
import { tracesIn } from '../symptoms/log.ts';
import { Budget, Duty } from './budget.ts';
import type { Tracked } from './connection.ts';
import { type Evidence as Cut, evidenceOf, type Source } from './evidence.ts';
import { turnRoute } from './routes.ts';
import { ownerOf, type Span, spanAt, spansOf } from './spans.ts';
import type { Keeping, RecordLimits } from './types.ts';

const triesForExact = 10;

interface Kept {
  id: string;
  exact: boolean;
}

/** What is kept of one route, and how many were seen to choose from (reservoir sampling). */
interface Reservoir {
  kept: Kept[];
  waiting: number;
  seen: number;
}

/** The reservoirs of one release, shared by its instances. */
export class Corpus {
  readonly #limits: RecordLimits;
  readonly #routes = new Map<string, Reservoir>();

  constructor(limits: RecordLimits, before: readonly RecordingSummary[]) {
    this.#limits = limits;
    for (const { id, route, causality } of before) {
      if (route === null) continue;
      const reservoir = this.of(route);
      reservoir?.kept.push({ id, exact: causality === 'exact' });
      if (reservoir !== null) reservoir.seen++;
    }
  }

  /** Null when there are too many routes: then something is wrong with the routes. */
  of(route: string): Reservoir | null {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    if (this.#routes.size >= this.#limits.routesMax) return null;
    const made = { kept: [], waiting: 0, seen: 0 };
    this.#routes.set(route, made);
    return made;
  }

  /** Whether one more is wanted: always at first, then the rarer the more were seen. */
  wants(reservoir: Reservoir): boolean {
    const max = this.#limits.samplesPerRoute;
    reservoir.seen++;
    if (reservoir.kept.length + reservoir.waiting < max) return true;
    // One whose calls are surely its own is worth more tries; on a busy app it may never come.
    const tries = reservoir.kept.some((each) => !each.exact) ? triesForExact : 1;
    return Math.random() < (tries * max) / reservoir.seen;
  }
}

interface Candidate {
  tracked: Tracked;
  startPos: number;
  startAt: Instant;
  /** The slab in which it begins. */
  sequence: number;
  reservoir: Reservoir;
  /** Cut early because the window was about to give it up. */
  evidence: Evidence | null;
}

interface Evidence extends Cut {
  span: Span;
}

/** How long a chosen request may take before it is forgotten, microseconds. */
const waitUs = 10_000_000;
const candidatesMax = 100;

export class Samples {
  readonly #source: Source;
  readonly #corpus: Corpus;
  readonly #recordings: Keeping;
  readonly #peeks: Budget;
  readonly #cuts: Budget;
  /** On a busy app one sample takes reading thousands of messages of others, too. */
  readonly #duty: Duty;
  #candidates: Candidate[] = [];

  constructor(options: { source: Source; corpus: Corpus; recordings: Keeping }) {
    this.#source = options.source;
    this.#corpus = options.corpus;
    this.#recordings = options.recordings;
    const { limits } = options.source;
    const { samplePeeksPerSecond: peeks, sampleCutsPerSecond: cuts } = limits;
    this.#peeks = new Budget({ burst: peeks, perSecond: peeks });
    this.#cuts = new Budget({ burst: cuts, perSecond: cuts });
    this.#duty = new Duty({ burstMs: limits.sampleBurstMs, share: limits.sampleProcessorShare });
  }

  get pending(): boolean {
    return this.#candidates.length > 0;
  }

  /** A request begins. Called from the hot path. */
  turn(tracked: Tracked): void {
    if (this.#candidates.length >= candidatesMax || !this.#peeks.take(tracked.turnAt)) return;
    const route = turnRoute(tracked);
    const reservoir = route === null ? null : this.#corpus.of(route);
    if (reservoir === null || !this.#corpus.wants(reservoir)) return;
    if (!this.#cuts.take(tracked.turnAt) || !this.#duty.hasRoom) return;
    reservoir.waiting++;
    const { turnPos: startPos, turnAt: startAt, turnSequence: sequence } = tracked;
    this.#candidates.push({ tracked, startPos, startAt, sequence, reservoir, evidence: null });
  }

  /** Cuts what waits and begins in a slab up to `sequence`: those are given up next. */
  secure(sequence: number): void {
    const endangered = this.#candidates.filter(
      (each) => each.evidence === null && each.sequence <= sequence,
    );
    for (const candidate of endangered) {
      if (!this.#duty.hasRoom) return;
      const span = this.#duty.run(() => spanAt(this.#source.flight, candidate));
      if (span !== null) candidate.evidence = this.#evidence(span);
    }
  }

  /** Cuts and keeps the chosen requests that are over. */
  async due(at: Instant, all = false): Promise<void> {
    const graceUs = 2 * this.#source.limits.graceMs * 1000;
    const ripe = this.#candidates.filter((each) => all || each.startAt <= at - graceUs);
    if (ripe.length === 0 || (!all && !this.#duty.hasRoom)) return;
    for (const candidate of ripe) {
      if (!all && candidate.evidence === null && !this.#duty.hasRoom) return;
      const found = () => spanAt(this.#source.flight, candidate);
      const span = candidate.evidence?.span ?? this.#duty.run(found);
      const settled = span !== null && span.endAt <= at - graceUs / 2;
      if (!all && !settled && span !== null && candidate.startAt > at - waitUs) continue;
      const isAffordable = candidate.evidence !== null || this.#duty.hasRoom;
      if (!all && !isAffordable) return;
      this.#candidates.splice(this.#candidates.indexOf(candidate), 1);
      candidate.reservoir.waiting--;
      if (span === null || !Number.isFinite(span.endAt) || !isAffordable) continue;
      await this.#keep(candidate.evidence ?? this.#evidence(span), candidate.reservoir);
    }
  }

  #evidence(span: Span): Evidence {
    const wanted = { kind: 'sample' as const, span, answerPos: null, at: span.endAt };
    const cut = () => evidenceOf(this.#source, { ...wanted, prefixExchangesMax: 0 });
    return { ...this.#duty.run(cut), span };
  }

  async #keep(evidence: Evidence, reservoir: Reservoir): Promise<void> {
    const { span, recording, trigger, status } = evidence;
    const { completeness, causality } = recording;
    if (trigger?.end !== 'complete' || status === null || status < 200 || status >= 400) return;
    if (completeness.reasons.length > 0 || completeness.seenBytes < completeness.totalBytes) return;
    if (this.#threw(span, recording.log)) return;
    const exact = causality === 'exact';
    const replaced = this.#replaced(reservoir, exact);
    if (replaced === null) return;
    await this.#recordings.keep(recording);
    reservoir.kept.push({ id: recording.id, exact });
    if (replaced === undefined) return;
    reservoir.kept.splice(reservoir.kept.indexOf(replaced), 1);
    await this.#recordings.remove(replaced.id);
  }

  /** Whether the log shows an exception that may be its own. */
  #threw(span: Span, log: readonly LogLine[]): boolean {
    const traces = tracesIn(log);
    if (traces.length === 0) return false;
    const lateUs = this.#source.limits.traceWaitMs * 1000;
    const to = traces.reduce((last, each) => Math.max(last, each.at), span.endAt);
    const spans = spansOf(this.#source.flight, { from: span.startAt, to });
    const isIt = (each: Span) => each.tracked === span.tracked && each.startPos === span.startPos;
    return traces.some(({ at }) => {
      const owner = ownerOf(spans, at, lateUs);
      return [...(owner.span === null ? [] : [owner.span]), ...owner.others].some(isIt);
    });
  }

  /** Which one gives way: undefined when there is room, null when the new one is not wanted. */
  #replaced(reservoir: Reservoir, exact: boolean): Kept | undefined | null {
    const { kept } = reservoir;
    if (kept.length < this.#source.limits.samplesPerRoute) return undefined;
    const vague = kept.find((each) => !each.exact);
    if (vague !== undefined) return exact ? vague : null;
    return exact ? kept[Math.floor(Math.random() * kept.length)] : null;
  }
}

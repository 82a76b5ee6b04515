// Failures that look alike: some are looked into, all are counted. The look (status and route, or
// type and place of an exception) is cheap; that the like is the same is an assumption, and a
// stated one.
import type { Instant } from '../domain/time.ts';
import type { Symptoms } from '../symptoms/symptoms.ts';
import { Budget } from './budget.ts';
import type { RecordLimits } from './types.ts';

interface Look {
  budget: Budget;
  /** Counted since the last suspicion of this look. */
  count: number;
  /** When the first and the last of them failed. */
  firstAt: Instant;
  lastAt: Instant;
  /** Symptoms of the last one that was looked into. */
  symptoms: Symptoms | null;
}

const looksMax = 500;
/** What was counted is handed on after so long without another of its look being looked into. */
const restUs = 2_000_000;
/** An instance as a whole may cost as much as so many looks. */
const looksAtOnce = 4;

export class Repeats {
  readonly #limits: RecordLimits;
  readonly #all: Budget;
  readonly #looks = new Map<string, Look>();
  /** Counted answers whose traces are still to come, and when the last one was counted. */
  #credits = 0;
  #creditsAt: Instant = 0;

  constructor(limits: RecordLimits) {
    this.#limits = limits;
    const { failuresBurst, failuresPerSecond } = limits;
    const burst = failuresBurst * looksAtOnce;
    this.#all = new Budget({ burst, perSecond: failuresPerSecond * looksAtOnce });
  }

  get pending(): boolean {
    for (const look of this.#looks.values()) if (look.count > 0) return true;
    return false;
  }

  /** When the first failed that was counted and not handed on; infinite when there is none. */
  get pendingSince(): Instant {
    let first = Number.POSITIVE_INFINITY;
    for (const { count, symptoms, firstAt } of this.#looks.values()) {
      if (count > 0 && symptoms !== null) first = Math.min(first, firstAt);
    }
    return first;
  }

  /** Whether this one is looked into. */
  admit(name: string, at: Instant): boolean {
    return this.#look(name).budget.take(at) && this.#all.take(at);
  }

  /** Counts one that is not; `traced`: its trace on the log will be absorbed. */
  count(name: string, at: Instant, traced = true): void {
    const look = this.#look(name);
    if (look.count === 0) look.firstAt = at;
    look.count++;
    look.lastAt = at;
    if (!traced) return;
    this.#credits++;
    this.#creditsAt = at;
  }

  /** Whether a trace that nobody claims is one of a counted failure. */
  absorb(at: Instant): boolean {
    if (at - this.#creditsAt > this.#limits.traceWaitMs * 2000) this.#credits = 0;
    if (this.#credits === 0) return false;
    this.#credits--;
    return true;
  }

  /** One was looked into: returns how many of its look were counted since the one before. */
  handled(name: string, symptoms: Symptoms): number {
    const look = this.#look(name);
    const { count } = look;
    look.count = 0;
    look.symptoms = symptoms;
    return count;
  }

  /** Counts that would otherwise wait for a next one. */
  take(at: Instant, all: boolean): { symptoms: Symptoms; count: number }[] {
    const found: { symptoms: Symptoms; count: number }[] = [];
    for (const look of this.#looks.values()) {
      if (look.count === 0 || look.symptoms === null) continue;
      if (!all && at - look.lastAt < restUs) continue;
      found.push({ symptoms: { ...look.symptoms, at: look.lastAt }, count: look.count });
      look.count = 0;
    }
    return found;
  }

  #look(name: string): Look {
    const key = this.#looks.has(name) || this.#looks.size < looksMax ? name : '*';
    const known = this.#looks.get(key);
    if (known !== undefined) return known;
    const { failuresBurst: burst, failuresPerSecond: perSecond } = this.#limits;
    const budget = new Budget({ burst, perSecond });
    const made = { budget, count: 0, firstAt: 0, lastAt: 0, symptoms: null };
    this.#looks.set(key, made);
    return made;
  }
}

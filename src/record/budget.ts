// What something costly may cost: how often it is done, in bursts and per second, or how much of
// the processor it takes.
import type { Instant } from '../domain/time.ts';

export class Budget {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #at: Instant = 0;

  constructor(options: { burst: number; perSecond: number }) {
    this.#burst = options.burst;
    this.#perSecond = options.perSecond;
    this.#tokens = options.burst;
  }

  /** Takes one if there is one. */
  take(at: Instant): boolean {
    if (this.#at === 0) this.#at = at;
    const passed = Math.max(0, at - this.#at) / 1e6;
    this.#at = Math.max(this.#at, at);
    this.#tokens = Math.min(this.#burst, this.#tokens + passed * this.#perSecond);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** Bounds work by the time it took: so much at once, and in the long run a share of a processor. */
export class Duty {
  readonly #burstMs: number;
  readonly #share: number;
  #debtMs = 0;
  #atMs = performance.now();

  constructor(options: { burstMs: number; share: number }) {
    this.#burstMs = options.burstMs;
    this.#share = options.share;
  }

  /** Whether more may be done now. */
  get hasRoom(): boolean {
    const nowMs = performance.now();
    this.#debtMs = Math.max(0, this.#debtMs - (nowMs - this.#atMs) * this.#share);
    this.#atMs = nowMs;
    return this.#debtMs < this.#burstMs;
  }

  run<T>(work: () => T): T {
    const startedMs = performance.now();
    try {
      return work();
    } finally {
      this.#debtMs += performance.now() - startedMs;
    }
  }
}

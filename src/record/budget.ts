// Token buckets: how often something costly may be done, told in bursts and per second.
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

// Connections that could not be opened: they have no bytes, so no slab remembers them. A replay has
// to refuse them with the same error. Bounded: an app may try again without a pause.
import type { Instant } from '../domain/time.ts';
import type { Tracked } from './connection.ts';

/** Of one instance; the oldest are forgotten first. */
const refusedMax = 1000;

export class Refused {
  #all: Tracked[] = [];

  add(tracked: Tracked): void {
    this.#all.push(tracked);
    if (this.#all.length > 2 * refusedMax) this.#all.splice(0, this.#all.length - refusedMax);
  }

  between(from: Instant, to: Instant): Tracked[] {
    return this.#all.filter(({ openedAt }) => openedAt >= from && openedAt <= to);
  }

  /** Gives up those that were opened before an instant. */
  forget(before: Instant): void {
    const first = this.#all.findIndex(({ openedAt }) => openedAt >= before);
    if (first !== 0) this.#all.splice(0, first < 0 ? this.#all.length : first);
  }
}

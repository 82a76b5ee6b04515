/** One piece of work per issue at a time, and whoever wants to know how it goes. */
import type { Work } from '../pipeline.ts';

type Say = (text: string) => void;

/** Work on issues that goes on in this process. */
export class Pursuits {
  readonly #running = new Map<number, Promise<unknown>>();
  readonly #listeners = new Map<number, Set<Say>>();

  isBusy(issueId: number): boolean {
    return this.#running.has(issueId);
  }

  get busy(): number[] {
    return [...this.#running.keys()];
  }

  /** Hears what is said of an issue, now and later; returns how to stop. */
  listen(issueId: number, say: Say): () => void {
    const listeners = this.#listeners.get(issueId) ?? new Set();
    this.#listeners.set(issueId, listeners.add(say));
    return () => {
      listeners.delete(say);
      if (listeners.size === 0 && this.#listeners.get(issueId) === listeners) {
        this.#listeners.delete(issueId);
      }
    };
  }

  /** Waits for its turn on the issue, then works; everybody who listens is told. */
  async run<T>(issueId: number, signal: AbortSignal, work: (work: Work) => Promise<T>): Promise<T> {
    for (let before = this.#running.get(issueId); before; before = this.#running.get(issueId)) {
      await before.catch(() => {});
    }
    const say = (text: string) => {
      for (const listener of this.#listeners.get(issueId) ?? []) listener(text);
    };
    const promise = work({ say, signal });
    this.#running.set(issueId, promise);
    try {
      return await promise;
    } finally {
      if (this.#running.get(issueId) === promise) this.#running.delete(issueId);
    }
  }
}

/** Lets work on one thing wait for its turn. */

export interface Turns {
  /** Runs `work` when fewer than the limit run for `key`, in order of calls. */
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
  isBusy(key: string): boolean;
  /** Resolves once nothing runs or waits. */
  idle(): Promise<void>;
}

/** At most `atOnce` pieces of work of one key run together. */
export function turns(atOnce: number): Turns {
  const queues = new Map<string, { running: number; waiting: (() => void)[] }>();
  const all = new Set<Promise<unknown>>();

  async function take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const queue = queues.get(key) ?? { running: 0, waiting: [] };
    queues.set(key, queue);
    if (queue.running < atOnce) queue.running += 1;
    // Whoever ends hands its place over, so that nobody can come in between.
    else await new Promise<void>((resolve) => queue.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = queue.waiting.shift();
      if (next) next();
      else if (--queue.running === 0) queues.delete(key);
    }
  }

  return {
    run(key, work) {
      const mine = take(key, work);
      const ended: Promise<unknown> = mine.catch(() => undefined).finally(() => all.delete(ended));
      all.add(ended);
      return mine;
    },
    isBusy: (key) => queues.has(key),
    async idle() {
      while (all.size > 0) await Promise.all(all);
    },
  };
}

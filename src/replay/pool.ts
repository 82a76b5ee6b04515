/** Keeps sandboxes open in advance, since opening one costs more than most replays. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from './sandbox.ts';

export interface PoolOptions {
  open: () => Promise<Sandbox>;
  /** How many wait; 0 opens each when it is asked for. */
  size: number;
  /** How often opening is tried before its error is given to who asked. */
  attemptsMax: number;
  retryDelayMs: number;
}

export class SandboxPool {
  readonly #options: PoolOptions;
  #waiting: Promise<Sandbox>[] = [];
  readonly #closing = new Set<Promise<void>>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Begins to open as many as shall wait. */
  fill(): void {
    while (!this.#closed && this.#waiting.length < this.#options.size) {
      const opening = this.#open();
      opening.catch(() => {});
      this.#waiting.push(opening);
    }
  }

  /** A fresh sandbox for one replay. Rejects when none could be opened. */
  async take(): Promise<Sandbox> {
    if (this.#closed) throw new Error('the replayer is closed');
    const waiting = this.#waiting.shift();
    const sandbox = await (waiting ?? this.#open());
    // One that died while it waited is of no use.
    if (sandbox.link.isLost) {
      this.release(sandbox);
      return this.take();
    }
    return sandbox;
  }

  /** Removes a sandbox in the background; it is never used twice. */
  release(sandbox: Sandbox): void {
    const closing = sandbox.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    closing.catch(() => {});
  }

  /** Removes everything. Rejects when something could not be removed. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiting = await Promise.allSettled(this.#waiting);
    this.#waiting = [];
    for (const opened of waiting) if (opened.status === 'fulfilled') this.release(opened.value);
    await Promise.all(this.#closing);
  }

  async #open(): Promise<Sandbox> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.open();
      } catch (error) {
        if (attempt >= this.#options.attemptsMax || this.#closed) throw error;
        await sleep(this.#options.retryDelayMs * attempt);
      }
    }
  }
}

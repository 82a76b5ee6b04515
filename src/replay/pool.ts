/** Keeps sandboxes open in advance, since opening one costs more than most replays. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from './sandbox.ts';

export interface PoolOptions {
  open: () => Promise<Sandbox>;
  /** How many wait; 0 opens each when it is asked for. */
  size: number;
  /** How many replays one is used for; it is cleared in between. */
  usesMax: number;
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

  /** A clear sandbox for one replay. Rejects when none could be opened. */
  async take(): Promise<Sandbox> {
    for (;;) {
      if (this.#closed) throw new Error('the replayer is closed');
      const waiting = this.#waiting.shift();
      if (waiting === undefined) return this.#open();
      const sandbox = await waiting.catch(() => null);
      if (sandbox !== null && !sandbox.link.isLost) return sandbox;
      if (sandbox !== null) this.#remove(sandbox);
    }
  }

  /** After a replay: keeps it for another one, cleared, or removes it in the background. */
  giveBack(sandbox: Sandbox, options: { isSound: boolean }): void {
    sandbox.uses += 1;
    const { size, usesMax } = this.#options;
    const isGood = options.isSound && !sandbox.link.isLost && sandbox.uses < usesMax;
    if (!isGood || this.#closed || this.#waiting.length >= size) {
      this.#remove(sandbox);
      this.fill();
      return;
    }
    const cleared = sandbox.clear().then(
      () => sandbox,
      (error: unknown) => {
        this.#remove(sandbox);
        throw error;
      },
    );
    cleared.catch(() => {});
    this.#waiting.push(cleared);
  }

  /** Removes everything. Rejects when something could not be removed. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiting = await Promise.allSettled(this.#waiting);
    this.#waiting = [];
    for (const opened of waiting) if (opened.status === 'fulfilled') this.#remove(opened.value);
    await Promise.all(this.#closing);
  }

  #remove(sandbox: Sandbox): void {
    const closing = sandbox.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    closing.catch(() => {});
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

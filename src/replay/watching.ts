/** Everything that is observed of the app while it runs in its sandbox. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine, ProcessExit } from '../domain/app.ts';
import type { Divergence, Observed, Served } from '../domain/outcome.ts';
import type { Instant } from '../domain/time.ts';
import type { Engine } from '../engine/engine.ts';
import type { WorldLink } from './world-link.ts';

/** How long the last lines of a process that ended may take to arrive. */
const logEndTimeoutMs = 3000;
/** How long the first line about a failed answer may take, and the next one after it. */
const traceTimeoutMs = 1000;
const lineGapMs = 40;

/** What a Node that is watched says when it ends; not the app's own words. */
const debuggerFarewell = 'Waiting for the debugger to disconnect...';

export class Watching {
  readonly log: LogLine[] = [];
  readonly served: Served[] = [];
  readonly divergences: Divergence[] = [];
  /** Set once the process ended by itself. */
  exit: ProcessExit | null = null;
  /** Resolves when the process ends; never when we remove it first. */
  readonly ended: Promise<ProcessExit>;
  logWasCut = false;
  #logBytes = 0;
  #stopFollowing: () => void = () => {};
  #logEnded: Promise<void> = Promise.resolve();
  #setEnded!: (exit: ProcessExit) => void;

  constructor(link: WorldLink) {
    this.ended = new Promise((resolve) => {
      this.#setEnded = resolve;
    });
    link.onServed = (served) => this.served.push(served);
    link.onDiverged = (divergence) => this.divergences.push(divergence);
  }

  /** Begins with a container that was just started. */
  async follow(engine: Engine, id: string, logBytesMax: number): Promise<void> {
    void engine.wait(id).then(
      (exit) => {
        this.exit = exit;
        this.#setEnded(exit);
      },
      () => {}, // removed by us
    );
    let onEnd = () => {};
    this.#logEnded = new Promise((resolve) => {
      onEnd = resolve;
    });
    this.#stopFollowing = await engine.follow(id, {
      onEnd,
      onLine: (line) => {
        if (line.text === debuggerFarewell) return;
        this.#logBytes += line.text.length;
        if (this.#logBytes <= logBytesMax) this.log.push(line);
        else this.logWasCut = true;
      },
    });
  }

  /** After the process ended: waits for the rest of what it wrote. */
  async untilLogEnded(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, logEndTimeoutMs);
    });
    await Promise.race([this.#logEnded, timeUp]);
    clearTimeout(timer);
  }

  /** After a failed answer: the engine may be slow to hand on what was printed of it. */
  async untilLogged(since: Instant): Promise<void> {
    const deadlineMs = performance.now() + traceTimeoutMs;
    const isLogged = () => this.log.some((line) => line.at >= since);
    while (!isLogged() && performance.now() < deadlineMs) await sleep(20);
    for (let count = -1; count < this.log.length && performance.now() < deadlineMs; ) {
      count = this.log.length;
      await sleep(lineGapMs);
    }
  }

  stop(): void {
    this.#stopFollowing();
  }

  /** What was observed from one instant to another, exclusive. */
  between(from: Instant, to: Instant): Pick<Observed, 'log' | 'served' | 'divergences'> {
    const within = (one: { at: Instant }) => one.at >= from && one.at < to;
    return {
      log: this.log.filter(within),
      served: this.served.filter(within),
      divergences: this.divergences.filter(within),
    };
  }
}

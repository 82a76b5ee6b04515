/** Watches the exceptions that an app raises, through a file that is mounted into its container. */
import { randomUUID } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Raised } from '../domain/outcome.ts';
import type { Locate } from '../symptoms/symptoms.ts';
import { raisedOf, readWatchFile } from './raised.ts';

const readyTimeoutMs = 5000;

export class ExceptionWatch {
  /** On the host; mounted into the app's container. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a file of its own in a sandbox's folder. */
  static async prepare(directory: string): Promise<ExceptionWatch> {
    const path = join(directory, `raised-${randomUUID()}.ndjson`);
    await writeFile(path, '');
    await chmod(path, 0o666); // the app may run as any user
    return new ExceptionWatch(path);
  }

  /**
   * Whether every Node that was started is watched; waits until it is, since the debugger
   * attaches beside the start and a request must not overtake it.
   */
  async untilWatched(): Promise<boolean> {
    const deadlineMs = performance.now() + readyTimeoutMs;
    while (performance.now() < deadlineMs) {
      const { started, ready } = await readWatchFile(this.path);
      if (started === 0) return false;
      if (ready >= started) return true;
      await sleep(10);
    }
    return false;
  }

  /**
   * Whether all that was raised can be in the file: every Node is watched, nothing is cut, and
   * nobody took away what stood there.
   */
  async isWhole(): Promise<boolean> {
    const { started, ready, isCut } = await readWatchFile(this.path);
    return started > 0 && ready >= started && !isCut;
  }

  /** How many exceptions were raised so far. */
  async count(): Promise<number> {
    return (await readWatchFile(this.path)).raised.length;
  }

  /** Those from one count to another, exclusive, which were raised in the app's own code. */
  async between(from: number, until: number, locate: Locate): Promise<Raised[]> {
    const { raised } = await readWatchFile(this.path);
    return raisedOf(raised.slice(from, until), locate);
  }
}

// What was not recorded, beside the gaps of connections: times without a sensor, sockets that did
// not fit its table, processes that do what cannot be seen. Every recording of such a time says
// so.
import type { Instant } from '../domain/time.ts';
import { isoOf } from '../domain/time.ts';
import type { Range } from './cut.ts';
import type { Flight } from './flight.ts';

interface Loss extends Range {
  text: string;
}

/** Losses remembered; they matter as long as windows reach back. */
const lossesMax = 1000;

export class Losses {
  #losses: Loss[] = [];
  /** Since when nothing has been recorded, while that lasts. */
  #stopped: Loss | null = null;

  /** Returns false when it was known already: a restart that failed says so again. */
  stopped(from: Instant, reason: string): boolean {
    if (this.#stopped !== null) return false;
    const text = `nothing is recorded since ${isoOf(from)}: ${reason}`;
    this.#stopped = { from, to: Number.POSITIVE_INFINITY, text };
    return true;
  }

  interval(range: Range, reason: string): void {
    this.#stopped = null;
    const span = `from ${isoOf(range.from)} to ${isoOf(range.to)}`;
    this.#add({ ...range, text: `nothing was recorded ${span}: ${reason}` });
  }

  /** `seconds`: the loss happened within this long before `at`. */
  dropped(options: { at: Instant; seconds: number; text: string }): void {
    const { at, seconds, text } = options;
    this.#add({ from: at - seconds * 1e6, to: at, text });
  }

  /** What has to be said of a time, in words. */
  during(flight: Flight, range: Range): string[] {
    const losses = this.#stopped === null ? this.#losses : [...this.#losses, this.#stopped];
    const texts = losses
      .filter((loss) => loss.from <= range.to && loss.to >= range.from)
      .map((loss) => loss.text);
    const unseen = [...flight.connections.values()]
      .filter((each) => each.unseenBytes > 0 && each.openedAt <= range.to)
      .filter((each) => each.closedAt === null || each.closedAt >= range.from)
      .map((each) => `${each.unseenBytes} bytes of connection ${each.id} passed unseen`);
    if (flight.usesIoUring && flight.hasUnseen) {
      unseen.push('a process moves bytes through io_uring, which cannot be recorded');
    }
    return [...new Set([...texts, ...flight.caveats, ...unseen])];
  }

  #add(loss: Loss): void {
    this.#losses.push(loss);
    if (this.#losses.length > lossesMax) this.#losses = this.#losses.slice(-lossesMax / 2);
  }
}

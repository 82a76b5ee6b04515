// Recent lines of an instance, bounded in bytes, and whether any of them may show an exception.
import type { LogLine } from '../domain/app.ts';
import { type Instant, now } from '../domain/time.ts';
import { hintsTrace } from '../symptoms/log.ts';

/** Longest line that is kept whole. */
const lineCharsMax = 64 * 1024;

export class LogWindow {
  readonly #bytesMax: number;
  #lines: LogLine[] = [];
  #bytes = 0;
  /** Index of the first line that was not looked through. */
  #newFrom = 0;
  #firstHintAt: Instant = 0;
  #lastHintAt: Instant = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(line: LogLine): void {
    const text = line.text.slice(0, lineCharsMax);
    this.#lines.push({ ...line, text });
    this.#bytes += text.length;
    if (hintsTrace(text)) {
      this.#lastHintAt = now();
      if (this.#firstHintAt === 0) this.#firstHintAt = this.#lastHintAt;
    }
    if (this.#bytes > this.#bytesMax) this.#shrink();
  }

  /** Whether a line came that may show an exception and was not looked at. */
  get hinted(): boolean {
    return this.#firstHintAt > 0;
  }

  /** When the first of them came; infinite when none did. */
  get hintedAt(): Instant {
    return this.#firstHintAt > 0 ? this.#firstHintAt : Number.POSITIVE_INFINITY;
  }

  /** Whether the exceptions that came seem to be whole: no line of one since, or long enough. */
  quietSince(instant: Instant): boolean {
    return this.#lastHintAt <= instant || this.#firstHintAt <= instant - 1_000_000;
  }

  /** The lines that were not taken before. */
  takeNew(): LogLine[] {
    const lines = this.#lines.slice(this.#newFrom);
    this.#newFrom = this.#lines.length;
    this.#firstHintAt = 0;
    return lines;
  }

  between(from: Instant, to: Instant): LogLine[] {
    return this.#lines.filter((line) => line.at >= from && line.at <= to);
  }

  #shrink(): void {
    let drop = 0;
    while (this.#bytes > this.#bytesMax / 2 && drop < this.#lines.length) {
      this.#bytes -= this.#lines[drop++]!.text.length;
    }
    this.#lines.splice(0, drop);
    this.#newFrom = Math.max(0, this.#newFrom - drop);
  }
}

/**
 * Turns frames of `logs?timestamps=1` into lines. Each frame is one message of the log driver and
 * begins with a time stamp (RFC 3339, nanoseconds); lines above 16 kB come in several messages of
 * which only the last ends with a newline.
 */
import type { LogLine } from '../domain/app.ts';
import type { Instant } from '../domain/time.ts';
import type { StreamName } from './frames.ts';

/** A longer line is handed on in pieces of this size, so that memory stays bounded. */
export const lineBytesMax = 1 << 20;

/** How far back a reader that connects again asks, since streams are not ordered by stamp. */
export const overlapMicros = 20_000;

/** Puts lines together and drops those that a connection before this one has already given. */
export class LineReader {
  readonly #onLine: (line: LogLine) => void;
  readonly #open: Record<StreamName, { at: Instant; parts: Buffer[]; bytes: number } | null> = {
    stdout: null,
    stderr: null,
  };
  /** Raw stamps and texts of the last `overlapMicros`, to recognise them when they come again. */
  #recent: { at: Instant; key: string }[] = [];
  #seenBefore = new Map<string, number>();
  #latest: Instant | null = null;

  constructor(onLine: (line: LogLine) => void) {
    this.#onLine = onLine;
  }

  frame(stream: StreamName, payload: Buffer): void {
    const space = payload.indexOf(0x20);
    if (space < 0) return;
    const stamp = payload.toString('latin1', 0, space);
    const at = instantOfStamp(stamp);
    const text = payload.subarray(space + 1);
    if (this.#repeats(stream, stamp, at, text)) return;
    const open = this.#open[stream] ?? { at, parts: [], bytes: 0 };
    this.#open[stream] = open;
    const ends = text.at(-1) === 0x0a;
    // The frame's memory belongs to a larger buffer: copy what waits.
    open.parts.push(ends ? text.subarray(0, -1) : Buffer.from(text));
    open.bytes += text.length;
    if (ends || open.bytes >= lineBytesMax) this.#emit(stream);
  }

  /** What has no newline yet is a line, too, once the output has ended. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) if (this.#open[stream]) this.#emit(stream);
  }

  /** `since` for the next connection; null before the first line. */
  resume(): Instant | null {
    this.#seenBefore = new Map();
    for (const { key } of this.#recent) {
      this.#seenBefore.set(key, (this.#seenBefore.get(key) ?? 0) + 1);
    }
    return this.#latest === null ? null : this.#latest - overlapMicros;
  }

  #emit(stream: StreamName): void {
    const open = this.#open[stream]!;
    this.#open[stream] = null;
    const text = Buffer.concat(open.parts).toString('utf8').replace(/\r$/, '');
    this.#onLine({ at: open.at, stream, text });
  }

  #repeats(stream: StreamName, stamp: string, at: Instant, text: Buffer): boolean {
    const key = `${stream} ${stamp} ${text.length} ${text.toString('latin1', 0, 64)}`;
    const times = this.#seenBefore.get(key) ?? 0;
    if (times > 0) {
      this.#seenBefore.set(key, times - 1);
      return true;
    }
    this.#latest = Math.max(this.#latest ?? 0, at);
    this.#recent.push({ at, key });
    const oldest = this.#latest - 2 * overlapMicros;
    if (this.#recent[0]!.at < oldest) {
      this.#recent = this.#recent.filter((line) => line.at >= oldest);
    }
    return false;
  }
}

/** `2026-11-26T01:22:54.014712345Z` as an instant; 0 when it is no time stamp. */
export function instantOfStamp(stamp: string): Instant {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(stamp);
  if (!match) return 0;
  const seconds = Date.parse(`${match[1]}${match[3]}`) / 1000;
  return seconds * 1_000_000 + Number((match[2] ?? '').padEnd(6, '0').slice(0, 6));
}

/** An instant in the form that the engine's `since` takes: seconds with a fraction. */
export function sinceText(instant: Instant): string {
  const micros = Math.max(0, Math.floor(instant));
  return `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}000`;
}

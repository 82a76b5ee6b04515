/** Time as every part writes it down: one integer that sorts, subtracts and survives JSON. */

/** Microseconds since the Unix epoch, an integer below 2^53 (good until the year 2255). */
export type Instant = number;

/** The present instant by the wall clock, with microseconds where the runtime has them. */
export function now(): Instant {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** An instant as ISO 8601 in UTC with milliseconds, for people and logs. */
export function isoOf(instant: Instant): string {
  return new Date(instant / 1000).toISOString();
}

/** The three answers that a check can give, with the sentence that a maintainer reads. */
import type { Check } from '../domain/fix.ts';

export type Answer = Pick<Check, 'answer' | 'reason'>;

export function pass(reason: string): Answer {
  return { answer: 'pass', reason };
}

export function fail(reason: string): Answer {
  return { answer: 'fail', reason };
}

export function unknown(reason: string): Answer {
  return { answer: 'unknown', reason };
}

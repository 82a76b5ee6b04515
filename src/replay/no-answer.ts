/** What it means that a request got no answer, or that the app ended over it. */
import type { ProcessExit } from '../domain/app.ts';
import type { Failure } from '../domain/failure.ts';
import type { Instant } from '../domain/time.ts';
import { messageOf } from '../symptoms/failures.ts';
import { fingerprintOf } from '../symptoms/fingerprint.ts';
import type { SendResult } from '../world/messages.ts';

/** Why there is none, in words; null when there is one, or nothing was sent. */
export function noAnswerOf(result: SendResult | null, hasEnded: boolean): string | null {
  if (result?.answer) return null;
  return hasEnded ? 'process exited' : (result?.noAnswer ?? null);
}

/**
 * What fails without a word: a request that gets no answer has not succeeded, and a server that
 * ends by itself has not either, however calmly (status 0): nobody asked it to.
 */
export function silentFailures(options: {
  at: Instant;
  noAnswer: string | null;
  exit: ProcessExit | null;
  route: string | null;
}): Failure[] {
  const { at, noAnswer, exit, route } = options;
  const common = { trace: null, status: null, route, at };
  if (noAnswer !== null) {
    const message = `no answer: ${noAnswer}`;
    return [named({ ...common, kind: 'server-error', exit: null, message })];
  }
  if (exit === null) return [];
  return [named({ ...common, kind: 'crash', exit, message: messageOf({ ...common, exit }) })];
}

function named(failure: Omit<Failure, 'fingerprint'>): Failure {
  return { ...failure, fingerprint: fingerprintOf(failure) };
}

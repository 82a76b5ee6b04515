/** What it means that a request got no answer. */
import type { Failure } from '../domain/failure.ts';
import type { Instant } from '../domain/time.ts';
import { fingerprintOf } from '../symptoms/fingerprint.ts';
import type { SendResult } from '../world/messages.ts';

/** Why there is none, in words; null when there is one, or nothing was sent. */
export function noAnswerOf(result: SendResult | null, hasEnded: boolean): string | null {
  if (result?.answer) return null;
  return hasEnded ? 'process exited' : (result?.noAnswer ?? null);
}

/** A request that gets no answer has not succeeded, whatever else was seen. */
export function unansweredFailure(options: {
  at: Instant;
  noAnswer: string;
  route: string | null;
}): Failure {
  const parts = {
    ...{ kind: 'server-error' as const, trace: null, status: null, exit: null },
    ...{ route: options.route, message: `no answer: ${options.noAnswer}` },
  };
  return { ...parts, at: options.at, fingerprint: fingerprintOf(parts) };
}

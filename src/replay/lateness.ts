/** How long to listen after an answer, by how late the failure came when it was recorded. */
import type { Recording } from '../domain/recording.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { hintsTrace } from '../symptoms/log.ts';

/** Nobody waits longer for what may not come. */
const waitMaxMs = 10_000;
/** A loaded machine takes its time for what production did at once. */
const slownessFactor = 3;

/**
 * Milliseconds from the answer of the recorded trigger to the last sign of its failure (a trace on
 * the log, the end of the process), with room to spare; 0 when the failure came first.
 */
export function waitFor(recording: Recording): number {
  const signs = recording.log.filter(({ text }) => hintsTrace(text)).map(({ at }) => at);
  if (recording.exit !== null) signs.push(recording.exit.at);
  if (recording.triggerExchangeId === null || signs.length === 0) return 0;
  const [connectionId] = recording.triggerExchangeId.split('/');
  const own = recording.connections.filter(({ id }) => id === connectionId);
  const trigger = exchangesOf(own).find(({ id }) => id === recording.triggerExchangeId);
  const answeredAt = trigger?.response?.endedAt;
  if (answeredAt === undefined) return 0;
  const lateMs = (Math.max(...signs) - answeredAt) / 1000;
  return lateMs <= 0 ? 0 : Math.min(waitMaxMs, Math.ceil(lateMs * slownessFactor));
}

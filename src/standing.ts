/** Where an issue stands with maintainers, and whether it is worth another try. */
import type { Issue, IssueStatus } from './domain/failure.ts';
import type { ChangeRequest } from './domain/fix.ts';
import type { Store } from './store/store.ts';

/** The change request that waits for a maintainer, if any. */
export async function openChange(store: Store, issueId: number): Promise<ChangeRequest | null> {
  const [open] = await store.changes.list({ issueId, status: 'open' });
  return open ?? null;
}

/** Attempts whose change request was closed: a maintainer does not want them, or they conflict. */
export async function declinedAttempts(store: Store, issueId: number): Promise<Set<number>> {
  const closed = await store.changes.list({ issueId, status: 'closed' });
  return new Set(closed.map((change) => change.attemptNumber));
}

const ends: IssueStatus[] = ['not-replayable', 'not-reproduced', 'no-fix'];

/** An issue that came to nothing is tried again in a new release, or with a better recording. */
export async function deservesAnotherTry(
  store: Store,
  issue: Issue,
  recordingId: string | null,
): Promise<boolean> {
  if (!ends.includes(issue.status) || recordingId === null) return false;
  const { recordings, reproductions } = store;
  const known = await reproductions.get(issue.id);
  const fresh = await recordings.summary(recordingId);
  const tried = known?.recordingId == null ? null : await recordings.summary(known.recordingId);
  const isNewer = (fresh?.releaseNumber ?? 0) > (tried?.releaseNumber ?? 0);
  const isWhole = issue.status === 'not-replayable' && fresh?.completeness.reasons.length === 0;
  if (!isNewer && !isWhole) return false;
  await reproductions.forget(issue.id);
  return true;
}

/** Ends change requests that nobody can use any more: merged elsewhere, overtaken, or needless. */
import type { App } from '../domain/app.ts';
import type { ChangeRequest } from '../domain/fix.ts';
import { now } from '../domain/time.ts';
import type { Forge } from '../forge/forge.ts';
import { fixpointAuthor, type Repository } from '../git/repository.ts';
import { filesOf } from '../source/patch.ts';
import type { Store } from '../store/store.ts';

export interface StaleOptions {
  app: App;
  repository: Repository;
  forge: Forge;
  store: Pick<Store, 'changes' | 'issues' | 'attempts'>;
}

/** Looks at every open change request of an app; returns those that were ended, with the reason. */
export async function closeStale(
  options: StaleOptions,
): Promise<{ change: ChangeRequest; reason: string }[]> {
  const { app, repository, forge, store } = options;
  const head = await repository.resolve(`refs/heads/${app.defaultBranch}`);
  const ended: { change: ChangeRequest; reason: string }[] = [];
  for (const change of await store.changes.list({ app: app.name, status: 'open' })) {
    const end = head === null ? null : await endOf(options, change, head);
    if (end === null) continue;
    if (end.status === 'closed') await forge.close(change, end.reason);
    const changes = { status: end.status, endedAt: now() };
    await store.changes.update(change.id, changes);
    ended.push({ change: { ...change, ...changes }, reason: end.reason });
  }
  return ended;
}

type End = { status: 'merged' | 'closed'; reason: string };

async function endOf(
  { app, repository, store }: StaleOptions,
  change: ChangeRequest,
  head: string,
): Promise<End | null> {
  const attempts = await store.attempts.list(change.issueId);
  const attempt = attempts.find(({ number }) => number === change.attemptNumber);
  const diff = attempt?.verdict?.diff ?? attempt?.candidate.diff ?? '';
  if (diff === '') return null;
  if (await isContained(repository, { diff, commit: change.commit, head })) {
    return { status: 'merged', reason: `${app.defaultBranch} holds the patch already` };
  }
  const issue = await store.issues.get(change.issueId);
  if (issue?.status === 'resolved') {
    return { status: 'closed', reason: `issue ${change.issueId} is resolved without it` };
  }
  const author = fixpointAuthor;
  const tried = await repository.commitPatch({ base: head, diff, message: 'try', author });
  if (tried.kind === 'committed') return null;
  const reason = `the patch does not apply to ${app.defaultBranch} any more`;
  return { status: 'closed', reason };
}

/** Whether every file of the patch is on the branch as the patch leaves it. */
async function isContained(
  repository: Repository,
  { diff, commit, head }: { diff: string; commit: string; head: string },
): Promise<boolean> {
  for (const { path } of filesOf(diff)) {
    const wanted = await repository.read(commit, path);
    const there = await repository.read(head, path);
    if (wanted === null || there === null || Buffer.compare(wanted, there) !== 0) return false;
  }
  return true;
}

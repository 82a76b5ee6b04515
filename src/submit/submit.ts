/** Turns a verified attempt into a branch and a change request, once per issue. */
import type { App, Release } from '../domain/app.ts';
import type { Issue, Occurrence } from '../domain/failure.ts';
import type { Attempt, ChangeRequest } from '../domain/fix.ts';
import type { Recording } from '../domain/recording.ts';
import { redact } from '../domain/redact.ts';
import { now } from '../domain/time.ts';
import type { Forge } from '../forge/forge.ts';
import { type Author, fixpointAuthor, type Repository } from '../git/repository.ts';
import type { Store } from '../store/store.ts';
import { bodyOf, titleOf } from './body.ts';

export interface SubmitOptions {
  app: App;
  issue: Issue;
  /** The occurrence that was reproduced. */
  occurrence: Occurrence;
  release: Release;
  /** Its verdict must be `verified`. */
  attempt: Attempt;
  recording: Recording | null;
  siblings: readonly Recording[];
  repository: Repository;
  forge: Forge;
  store: Pick<Store, 'changes'>;
  author?: Author;
}

/** The branch of an issue's change request. */
export function branchOf(issueId: number): string {
  return `fixpoint/issue-${issueId}`;
}

/**
 * Opens the change request, or returns the one that is open already. May be repeated after a crash
 * at any point: a branch that holds this very patch is recognised, whoever's commit it is.
 *
 * @throws when the attempt is not verified or its patch does not apply to its own release
 */
export async function submit(options: SubmitOptions): Promise<ChangeRequest> {
  const { app, issue, release, attempt, occurrence, repository, forge, store } = options;
  const { verdict } = attempt;
  if (verdict?.kind !== 'verified') {
    throw new Error(`attempt ${attempt.number} of issue ${issue.id} is not verified`);
  }
  const [open] = await store.changes.list({ issueId: issue.id, status: 'open' });
  if (open !== undefined) return open;
  const branch = branchOf(issue.id);
  const title = titleOf(issue, occurrence);
  const body = bodyOf({ issue, occurrence, release, attempt, verdict, branch });
  const commit = await commitOn(repository, {
    branch,
    base: release.commit,
    diff: verdict.diff,
    message: messageOf({ title, attempt, issue }),
    author: options.author ?? fixpointAuthor,
  });
  const { url } = await forge.open({
    ...{ app: app.name, issueId: issue.id, branch, commit, title, body },
    baseCommit: release.commit,
    baseBranch: app.defaultBranch,
  });
  return store.changes.add({
    ...{ app: app.name, issueId: issue.id, attemptNumber: attempt.number, forge: forge.name },
    ...{ branch, commit, title, body, url },
    status: 'open',
    createdAt: now(),
    endedAt: null,
  });
}

interface Wanted {
  branch: string;
  base: string;
  diff: string;
  message: string;
  author: Author;
}

/** The branch with one commit that holds the patch; an equal one that is there already is kept. */
async function commitOn(repository: Repository, wanted: Wanted): Promise<string> {
  const { branch, ...patch } = wanted;
  const made = await repository.commitPatch(patch);
  if (made.kind === 'refused') throw new Error(`the verified patch is refused: ${made.reason}`);
  const there = await repository.resolve(`refs/heads/${branch}`);
  if (there !== null && (await isSame(repository, there, made.commit, wanted))) return there;
  if (await repository.setBranch(branch, made.commit, there)) return made.commit;
  throw new Error(`branch ${branch} was moved by somebody else meanwhile`);
}

/** Equal trees and the same subject: the commit of a submission that was cut short. */
async function isSame(
  repository: Repository,
  there: string,
  made: string,
  { message }: Wanted,
): Promise<boolean> {
  if ((await repository.diff(there, made)) !== '') return false;
  const { subject } = await repository.describe(there);
  return subject === message.split('\n')[0];
}

function messageOf({
  title,
  attempt,
  issue,
}: {
  title: string;
  attempt: Attempt;
  issue: Issue;
}): string {
  const { explanation, rootCause } = attempt.candidate;
  const paragraphs = [title, rootCause, explanation].map(oneLine).filter((text) => text !== '');
  return `${paragraphs.join('\n\n')}\n\nFixpoint-Issue: ${issue.id}\n`;
}

/** Model's words may not forge trailers of the commit message. */
function oneLine(text: string): string {
  return redact(text)
    .replace(/[\s\u0000-\u001f]+/g, ' ')
    .trim()
    .slice(0, 600);
}

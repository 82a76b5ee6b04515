/** The forge that every server has: branches in its own repositories, nothing outside. */
import type { ChangeRequest } from '../domain/fix.ts';
import type { Repository } from '../git/repository.ts';
import type { Forge, MergeResult, Proposal } from './forge.ts';

export interface BuiltinForgeOptions {
  repositoryOf(app: string): Promise<Repository>;
  /** Name of the branch that change requests are merged into. */
  baseBranchOf(app: string): Promise<string>;
  /** Where people see a change request; null when there is no such page. */
  urlOf?(proposal: { app: string; issueId: number }): string | null;
}

/**
 * The change request itself is stored by the stage `submit`; here its branch lives and dies. Every
 * step may be repeated: after a crash, `open`, `close` and `merge` end where they would have.
 */
export function builtinForge(options: BuiltinForgeOptions): Forge {
  return { name: 'builtin', open, close, merge };

  async function open(proposal: Proposal): Promise<{ url: string | null }> {
    const { app, branch, commit, issueId } = proposal;
    const repository = await options.repositoryOf(app);
    if ((await headOf(repository, branch)) !== commit) {
      throw new Error(`branch ${branch} of ${app} is not at ${commit}`);
    }
    return { url: options.urlOf?.({ app, issueId }) ?? null };
  }

  async function close(change: ChangeRequest): Promise<void> {
    const repository = await options.repositoryOf(change.app);
    await dropBranch(repository, change);
  }

  async function merge(
    change: ChangeRequest,
    author: { name: string; email: string },
  ): Promise<MergeResult> {
    if (change.status !== 'open') return { kind: 'not-open', status: change.status };
    const repository = await options.repositoryOf(change.app);
    const base = await options.baseBranchOf(change.app);
    const head = await headOf(repository, change.branch);
    if (head !== null && head !== change.commit) {
      throw new Error(`branch ${change.branch} was moved: it is not what was verified any more`);
    }
    // The branch is gone when a merge was cut short behind it: it is made again and found merged.
    if (head === null) await repository.setBranch(change.branch, change.commit, null);
    const message = `Merge ${change.branch}: ${change.title}\n`;
    const merged = await repository.merge({ base, branch: change.branch, message, author });
    if (merged.kind === 'merged') await dropBranch(repository, change);
    return merged;
  }
}

/** Only while it is where it was left: a branch that somebody moved is theirs. */
async function dropBranch(repository: Repository, change: ChangeRequest): Promise<void> {
  const head = await headOf(repository, change.branch);
  if (head === change.commit) await repository.deleteBranch(change.branch);
}

function headOf(repository: Repository, branch: string): Promise<string | null> {
  return repository.resolve(`refs/heads/${branch}`);
}

/** A diff on top of the deployed commit, as a commit that no branch leads to. */
import { type ApplyResult, fixpointAuthor } from '../git/repository.ts';
import type { VerifyOptions } from './verify.ts';

export function candidateCommit(
  { repository, release }: Pick<VerifyOptions, 'repository' | 'release'>,
  diff: string,
): Promise<ApplyResult> {
  const options = { base: release.commit, diff, message: 'Candidate', author: fixpointAuthor };
  return repository.commitPatch(options);
}

/** For tests: a real bare repository in a folder of its own, with a first commit. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository } from '../git/bare.ts';
import type { Repository } from '../git/repository.ts';
import { unifiedDiff } from '../source/write.ts';

export const tester = { name: 'Tester', email: 'tester@example.org' };

export interface TestRepository extends Repository {
  /** Commits new texts of files on a branch and moves it; null makes the branch from nothing. */
  write(branch: string, files: Record<string, string>): Promise<string>;
  remove(): Promise<void>;
}

export async function makeTestRepository(files: Record<string, string>): Promise<TestRepository> {
  const folder = await mkdtemp(join(tmpdir(), 'fixpoint-forge-'));
  const repository = await createRepository(join(folder, 'app.git'));
  const empty = await emptyCommit(repository.directory);
  await repository.setBranch('main', empty, null);
  const made: TestRepository = {
    ...repository,
    async write(branch, texts) {
      const base = (await repository.resolve(branch))!;
      const changes = await Promise.all(
        Object.entries(texts).map(async ([path, after]) => {
          const bytes = await repository.read(base, path);
          return { path, before: bytes === null ? null : new TextDecoder().decode(bytes), after };
        }),
      );
      const diff = unifiedDiff(changes);
      const result = await repository.commitPatch({ base, diff, message: 'write', author: tester });
      if (result.kind !== 'committed') throw new Error(result.reason);
      await repository.setBranch(branch, result.commit, base);
      return result.commit;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
  await made.write('main', files);
  return made;
}

async function emptyCommit(directory: string): Promise<string> {
  const { git } = await import('../git/run.ts');
  const env = {
    GIT_AUTHOR_NAME: 'T',
    GIT_AUTHOR_EMAIL: 't@t',
    GIT_COMMITTER_NAME: 'T',
    GIT_COMMITTER_EMAIL: 't@t',
  };
  const tree = await git(['mktree'], { directory, input: '' });
  const argv = ['commit-tree', '-m', 'empty', tree.stdout.toString().trim()];
  return (await git(argv, { directory, env })).stdout.toString().trim();
}

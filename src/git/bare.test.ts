// Exists to hold the repository seam to what git itself says, on throw-away repositories.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRepository, openRepository, treeEntriesOf } from './bare.ts';
import type { Repository } from './repository.ts';
import { git } from './run.ts';

const author = { name: 'Ada', email: 'ada@example.org' };
let folder: string;
let repository: Repository;
let first: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-git-'));
  repository = await createRepository(join(folder, 'app.git'));
  first = await commitOf({
    'src/a.js': 'one\ntwo\nthree\n',
    'left out.txt': 'kept\n',
    '.gitattributes': '*.txt export-ignore\n',
  });
  expect(await repository.setBranch('main', first, null)).toBe(true);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('repository', () => {
  it('resolves what is there and nothing else', async () => {
    expect(await repository.resolve('main')).toBe(first);
    expect(await repository.resolve(first.slice(0, 10))).toBe(first);
    expect(await repository.resolve('nope')).toBeNull();
    expect(await repository.resolve('--all')).toBeNull();
    expect(await repository.branches()).toEqual([{ name: 'main', commit: first }]);
    await expect(openRepository(folder)).rejects.toThrow(/no git repository/);
    expect((await openRepository(repository.directory)).directory).toBe(repository.directory);
  });

  it('reads trees and files', async () => {
    const paths = (await repository.tree(first)).map(({ path, bytes }) => `${path} ${bytes}`);
    expect(paths).toEqual(['.gitattributes 20', 'left out.txt 5', 'src/a.js 14']);
    expect(String(await repository.read(first, './src/a.js'))).toBe('one\ntwo\nthree\n');
    for (const path of ['src', 'nope', '../x', 'src/*']) {
      expect(await repository.read(first, path), path).toBeNull();
    }
    await expect(repository.tree('--help')).rejects.toThrow(/not a full commit id/);
    expect(treeEntriesOf('160000 commit ab -\tsub\0')).toEqual([]);
  });

  it('archives everything that was pushed, whatever attributes say', async () => {
    const tar = await buffer(repository.archive(first));
    // A member's name begins at a multiple of 512.
    expect(tar.indexOf('left out.txt') % 512).toBe(0);
    const missing = repository.archive('0'.repeat(40));
    await expect(buffer(missing)).rejects.toThrow(/git archive/);
  });

  it('commits a patch without a work tree, or says why not', async () => {
    const changed = await commitOf({ 'src/a.js': 'one\n2\nthree\n' }, first);
    const diff = await repository.diff(first, changed);
    const message = 'Change two\n\nbecause';
    const made = await repository.commitPatch({ base: first, diff, message, author });
    if (made.kind !== 'committed') throw new Error(made.reason);
    expect(await repository.diff(made.commit, changed)).toBe('');
    expect(await repository.describe(made.commit)).toMatchObject({ author, subject: 'Change two' });
    expect(await repository.resolve('main')).toBe(first);
    const again = { base: made.commit, diff, message, author };
    expect(await repository.commitPatch(again)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('src/a.js'),
    });
    const outside = diff.replaceAll('src/a.js', '../../etc/x');
    const refused = await repository.commitPatch({ base: first, diff: outside, message, author });
    expect(refused.kind).toBe('refused');
    const empty = await repository.commitPatch({ base: first, diff: '', message, author });
    expect(empty.kind).toBe('refused');
  });

  it('moves branches only from where they are expected', async () => {
    const second = await commitOf({ b: 'b' }, first);
    expect(await repository.setBranch('work', first, null)).toBe(true);
    expect(await repository.setBranch('work', second, null)).toBe(false);
    expect(await repository.setBranch('work', second, second)).toBe(false);
    expect(await repository.setBranch('work', second, first)).toBe(true);
    expect(await repository.setBranch('other', second, first)).toBe(false);
    await repository.deleteBranch('work');
    expect(await repository.resolve('work')).toBeNull();
    await expect(repository.setBranch('bad..name', second)).rejects.toThrow();
  });

  it('merges, or names the files in conflict and changes nothing', async () => {
    const ours = await commitOf({ 'src/a.js': 'ONE\ntwo\nthree\n' }, first);
    const theirs = await commitOf({ 'src/a.js': 'one\ntwo\nTHREE\n', 'new.js': 'n\n' }, first);
    const clash = await commitOf({ 'src/a.js': 'eins\ntwo\nthree\n' }, first);
    await repository.setBranch('base', ours);
    await repository.setBranch('topic', theirs);
    await repository.setBranch('clash', clash);
    const message = 'Merge';
    const conflict = await repository.merge({ base: 'base', branch: 'clash', message, author });
    expect(conflict).toEqual({ kind: 'conflict', files: ['src/a.js'] });
    expect(await repository.resolve('base')).toBe(ours);
    const merged = await repository.merge({ base: 'base', branch: 'topic', message, author });
    if (merged.kind !== 'merged') throw new Error('conflict');
    expect(await repository.resolve('base')).toBe(merged.commit);
    expect(String(await repository.read(merged.commit, 'src/a.js'))).toBe('ONE\ntwo\nTHREE\n');
    const again = await repository.merge({ base: 'base', branch: 'topic', message, author });
    expect(again).toEqual(merged);
  });
});

/** A commit made by plumbing, independent of what is tested. */
async function commitOf(files: Record<string, string>, parent?: string): Promise<string> {
  const { directory } = repository;
  const env = {
    GIT_INDEX_FILE: join(folder, `index-${Math.random()}`),
    GIT_AUTHOR_NAME: 'T',
    GIT_AUTHOR_EMAIL: 't@example.org',
    GIT_COMMITTER_NAME: 'T',
    GIT_COMMITTER_EMAIL: 't@example.org',
  };
  const run = async (argv: string[], input?: string) =>
    (await git(argv, { directory, env, input })).stdout.toString().trim();
  if (parent) await run(['read-tree', parent]);
  for (const [path, text] of Object.entries(files)) {
    const blob = await run(['hash-object', '-w', '--stdin'], text);
    await run(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`]);
  }
  const tree = await run(['write-tree']);
  return await run(['commit-tree', tree, ...(parent ? ['-p', parent] : [])], 'made');
}

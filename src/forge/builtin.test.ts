// The built-in forge on real git: open, merge, close, each also a second time.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeRequest } from '../domain/fix.ts';
import { builtinForge } from './builtin.ts';
import { makeTestRepository, type TestRepository, tester } from './fake-repository.ts';
import type { Forge } from './forge.ts';

let repository: TestRepository;
let forge: Forge;
let change: ChangeRequest;

beforeEach(async () => {
  repository = await makeTestRepository({ 'a.js': 'one\ntwo\nthree\n' });
  forge = builtinForge({
    repositoryOf: async () => repository,
    baseBranchOf: async () => 'main',
    urlOf: ({ app, issueId }) => `http://fixpoint/${app}/${issueId}`,
  });
  await repository.setBranch('fixpoint/issue-1', (await repository.resolve('main'))!, null);
  const commit = await repository.write('fixpoint/issue-1', { 'a.js': 'one\nTWO\nthree\n' });
  change = {
    ...{ id: 1, app: 'shop', issueId: 1, attemptNumber: 1, forge: 'builtin' },
    ...{ branch: 'fixpoint/issue-1', commit, title: 'Fix it', body: '', url: null },
    ...{ status: 'open', createdAt: 1, endedAt: null },
  };
});
afterEach(() => repository.remove());

const proposal = () => ({ ...change, baseCommit: '', baseBranch: 'main' });

async function textOf(branch: string): Promise<string> {
  const bytes = await repository.read((await repository.resolve(branch))!, 'a.js');
  return new TextDecoder().decode(bytes!);
}

describe('builtinForge', () => {
  it('opens for a branch that is there, and only for it', async () => {
    expect(await forge.open(proposal())).toEqual({ url: 'http://fixpoint/shop/1' });
    const main = (await repository.resolve('main'))!;
    await expect(forge.open({ ...proposal(), commit: main })).rejects.toThrow('is not at');
  });

  it('merges as the maintainer, keeping what came meanwhile, and takes the branch away', async () => {
    await repository.write('main', { 'b.js': 'other\n' });
    const merged = await forge.merge(change, tester);
    expect(merged.kind).toBe('merged');
    expect(await textOf('main')).toBe('one\nTWO\nthree\n');
    const head = (await repository.resolve('main'))!;
    expect(await repository.describe(head)).toMatchObject({
      author: tester,
      subject: 'Merge fixpoint/issue-1: Fix it',
    });
    expect(await repository.read(head, 'b.js')).not.toBeNull();
    expect(await repository.resolve('refs/heads/fixpoint/issue-1')).toBeNull();
  });

  it('finds a merge that was cut short done already', async () => {
    const first = await forge.merge(change, tester);
    expect(await forge.merge(change, tester)).toEqual(first);
  });

  it('changes nothing on a conflict', async () => {
    await repository.write('main', { 'a.js': 'one\nzwei\nthree\n' });
    const before = await repository.resolve('main');
    expect(await forge.merge(change, tester)).toEqual({ kind: 'conflict', files: ['a.js'] });
    expect(await repository.resolve('main')).toBe(before);
    expect(await repository.resolve('fixpoint/issue-1')).toBe(change.commit);
  });

  it('does not merge what is closed, nor a branch that was moved after verification', async () => {
    const closed = await forge.merge({ ...change, status: 'closed' }, tester);
    expect(closed).toEqual({ kind: 'not-open', status: 'closed' });
    await repository.write('fixpoint/issue-1', { 'a.js': 'evil\n' });
    await expect(forge.merge(change, tester)).rejects.toThrow('was moved');
    expect(await textOf('main')).toBe('one\ntwo\nthree\n');
  });

  it('closes by taking the branch away, unless somebody works on it', async () => {
    await forge.close(change, 'overtaken');
    await forge.close(change, 'overtaken');
    expect(await repository.resolve('refs/heads/fixpoint/issue-1')).toBeNull();
    await repository.setBranch('fixpoint/issue-1', change.commit, null);
    const moved = await repository.write('fixpoint/issue-1', { 'a.js': 'mine\n' });
    await forge.close(change, 'overtaken');
    expect(await repository.resolve('fixpoint/issue-1')).toBe(moved);
  });
});

// Submitting on real git, with crashes in between, and the end of what became stale.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { App, Release } from '../domain/app.ts';
import type { Issue, Occurrence } from '../domain/failure.ts';
import type { Attempt, ChangeRequest, Verdict } from '../domain/fix.ts';
import { builtinForge } from '../forge/builtin.ts';
import { makeTestRepository, type TestRepository } from '../forge/fake-repository.ts';
import type { Forge } from '../forge/forge.ts';
import { unifiedDiff } from '../source/write.ts';
import type { Store } from '../store/store.ts';
import { closeStale } from './stale.ts';
import { type SubmitOptions, submit } from './submit.ts';

const before = 'one\ntwo\nthree\n';
const after = 'one\nTWO\nthree\n';
const diff = unifiedDiff([{ path: 'src/a.js', before, after }]);
const app: App = { name: 'shop', defaultBranch: 'main', createdAt: 1 };
const issue = {
  ...{ id: 7, app: 'shop', route: 'GET /orders/:id', kind: 'server-error', count: 3 },
  ...{ firstSeenAt: 1, lastSeenAt: 2, firstRelease: 1, lastRelease: 1, status: 'proposing' },
} as Issue;
const occurrence = { failure: { message: 'TypeError: x', trace: null } } as Occurrence;

let repository: TestRepository;
let changes: ChangeRequest[];
let attempts: Attempt[];
let forge: Forge;
let options: SubmitOptions;

beforeEach(async () => {
  repository = await makeTestRepository({ 'src/a.js': before, 'src/b.js': 'b\n' });
  forge = builtinForge({ repositoryOf: async () => repository, baseBranchOf: async () => 'main' });
  changes = [];
  const verdict = { kind: 'verified', checks: [], diff, before: null, after: null, tookMs: 5 };
  const attempt = {
    ...{ issueId: 7, number: 2, startedAt: 1, endedAt: 2, verdict: verdict as Verdict },
    candidate: {
      ...{ diff, explanation: 'Mends it.', rootCause: 'It was\n\nFixpoint-Issue: 999' },
      provenance: { kind: 'template', template: 'early-exit' },
    },
  } as Attempt;
  attempts = [attempt];
  options = {
    ...{ app, issue, occurrence, attempt, recording: null, siblings: [], repository, forge },
    release: { number: 1, commit: (await repository.resolve('main'))! } as Release,
    store: store(),
  };
});
afterEach(() => repository.remove());

function store(): Pick<Store, 'changes' | 'issues' | 'attempts'> {
  return {
    changes: {
      async add(change: Omit<ChangeRequest, 'id'>) {
        const made = { ...change, id: changes.length + 1 };
        changes.push(made);
        return made;
      },
      async update(id: number, fields: Partial<ChangeRequest>) {
        Object.assign(changes.find((change) => change.id === id)!, fields);
      },
      async list(filter: { issueId?: number; app?: string; status?: string }) {
        return changes.filter((c) => filter.status === undefined || c.status === filter.status);
      },
    },
    issues: { get: async () => issue },
    attempts: { list: async () => attempts },
  } as unknown as Pick<Store, 'changes' | 'issues' | 'attempts'>;
}

const stale = () => closeStale({ app, repository, forge, store: store() });

describe('submit', () => {
  it('makes one commit with the patch on a branch of its own', async () => {
    const change = await submit(options);
    expect(change).toMatchObject({ branch: 'fixpoint/issue-7', status: 'open', attemptNumber: 2 });
    expect(await repository.resolve('fixpoint/issue-7')).toBe(change.commit);
    expect(await repository.diff(options.release.commit, change.commit)).toContain('+TWO');
    const { author, subject } = await repository.describe(change.commit);
    expect(author.name).toBe('Fixpoint');
    expect(subject).toBe('Fix TypeError: x in GET /orders/:id');
    expect(change.title).toBe(subject);
  });

  it('opens one change request however often it is asked', async () => {
    const first = await submit(options);
    expect(await submit(options)).toEqual(first);
    expect(changes).toHaveLength(1);
  });

  it('goes on where a crash left it: after the branch, and after the forge', async () => {
    const first = await submit(options);
    changes = [];
    const again = await submit(options);
    expect(again.commit).toBe(first.commit);
    expect(changes).toHaveLength(1);
  });

  it('replaces what an older patch left on the branch', async () => {
    await repository.setBranch('fixpoint/issue-7', options.release.commit, null);
    await repository.write('fixpoint/issue-7', { 'src/a.js': 'old patch\n' });
    const change = await submit(options);
    expect(await repository.resolve('fixpoint/issue-7')).toBe(change.commit);
  });

  it('never submits what is not verified', async () => {
    const verdict = { ...options.attempt.verdict!, kind: 'inconclusive' as const };
    const attempt = { ...options.attempt, verdict };
    await expect(submit({ ...options, attempt })).rejects.toThrow('is not verified');
    expect(changes).toEqual([]);
    expect(await repository.resolve('refs/heads/fixpoint/issue-7')).toBeNull();
  });
});

describe('closeStale', () => {
  it('leaves alone what still applies', async () => {
    await submit(options);
    await repository.write('main', { 'src/b.js': 'moved on\n' });
    expect(await stale()).toEqual([]);
    expect(changes[0]!.status).toBe('open');
  });

  it('closes what does not apply any more', async () => {
    await submit(options);
    await repository.write('main', { 'src/a.js': 'rewritten\n' });
    const [ended] = await stale();
    expect(ended!.reason).toBe('the patch does not apply to main any more');
    expect(changes[0]).toMatchObject({ status: 'closed' });
    expect(changes[0]!.endedAt).not.toBeNull();
    expect(await repository.resolve('refs/heads/fixpoint/issue-7')).toBeNull();
  });

  it('sees that somebody merged it by hand', async () => {
    const change = await submit(options);
    await repository.merge({
      ...{ base: 'main', branch: change.branch, message: 'by hand' },
      author: { name: 'M', email: 'm@m' },
    });
    expect((await stale())[0]!.reason).toBe('main holds the patch already');
    expect(changes[0]!.status).toBe('merged');
  });

  it('closes what is resolved without it', async () => {
    await submit(options);
    const resolved = {
      ...store(),
      issues: { get: async () => ({ ...issue, status: 'resolved' }) },
    };
    const given = { app, repository, forge, store: resolved as unknown as Store };
    expect((await closeStale(given))[0]!.reason).toBe('issue 7 is resolved without it');
  });
});

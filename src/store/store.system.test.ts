/** The store's tables on a real PostgreSQL, with text as hostile as recorded text is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Deployment, Instance, Release } from '../domain/app.ts';
import type { Failure } from '../domain/failure.ts';
import type { Candidate, ChangeRequest, Verdict } from '../domain/fix.ts';
import { openTestStore } from './fake.ts';
import type { Store } from './store.ts';

const hostile = `'; DROP TABLE app; -- \u0000\u0001 "quoted" {"a":1} \ud83d\ude00 \\u0000 \u2028`;
let store: Store;
let serial = 0;

beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store?.close());

async function makeApp(): Promise<string> {
  serial += 1;
  const name = `app-${serial}`;
  await store.apps.create({ name, defaultBranch: 'main', createdAt: 1_700_000_000_000_000 });
  return name;
}

function failureOf(changes: Partial<Failure>): Failure {
  return {
    kind: 'exception',
    at: 1_700_000_000_000_001,
    message: hostile,
    trace: null,
    status: 500,
    exit: null,
    route: 'GET /x/:id',
    fingerprint: 'v1:abc',
    ...changes,
  };
}

const candidate: Candidate = {
  diff: `--- a/x\n+++ b/x\n${hostile}`,
  explanation: hostile,
  rootCause: 'x',
  provenance: { kind: 'template', template: 'guard' },
};
const verdict: Verdict = {
  kind: 'rejected',
  checks: [{ name: 'error-gone', answer: 'fail', reason: hostile }],
  diff: '',
  before: { status: 500, body: hostile },
  after: null,
  tookMs: 12.5,
};

describe('apps and their configuration', () => {
  it('creates a name once', async () => {
    const app = { name: 'once', defaultBranch: 'trunk', createdAt: 5 };
    expect(await store.apps.create(app)).toEqual(app);
    expect(await store.apps.create({ ...app, defaultBranch: 'other' })).toBeNull();
    expect(await store.apps.get('once')).toEqual(app);
    expect(await store.apps.get('never')).toBeNull();
  });

  it('makes a version of every change, and keeps the old ones', async () => {
    const app = await makeApp();
    expect(await store.env.current(app)).toEqual({ version: 0, values: {} });
    expect(await store.env.set(app, { A: '1', B: hostile })).toBe(1);
    expect(await store.env.set(app, { A: null, C: '' })).toBe(2);
    expect(await store.env.current(app)).toEqual({ version: 2, values: { B: hostile, C: '' } });
    expect(await store.env.get(app, 1)).toEqual({ A: '1', B: hostile });
    expect(await store.env.get(app, 0)).toEqual({});
    await expect(store.env.get(app, 9)).rejects.toThrow(/no version 9/);
  });

  it('numbers concurrent changes one after the other', async () => {
    const app = await makeApp();
    const names = Array.from({ length: 12 }, (_, index) => `N${index}`);
    const versions = await Promise.all(names.map((name) => store.env.set(app, { [name]: 'x' })));
    expect(versions.sort((a, b) => a - b)).toEqual(names.map((_, index) => index + 1));
    expect(Object.keys((await store.env.current(app)).values).sort()).toEqual(names.sort());
  });
});

describe('releases, deployments, instances', () => {
  it('numbers releases within their app', async () => {
    const [one, two] = [await makeApp(), await makeApp()];
    const release = (app: string): Omit<Release, 'number'> => ({
      app,
      commit: 'c0ffee',
      imageId: 'sha256:1',
      config: {
        port: 3000,
        healthPath: '/',
        healthTimeoutMs: 1,
        drainMs: 1,
        memoryBytesMax: 2 ** 40,
        processesMax: 1,
        workdir: '/app',
      },
      envVersion: 0,
      createdAt: 7,
    });
    const added = await Promise.all([1, 2, 3].map(() => store.releases.add(release(one))));
    expect(added.map((each) => each.number).sort()).toEqual([1, 2, 3]);
    expect((await store.releases.add(release(two))).number).toBe(1);
    expect(await store.releases.get(one, 2)).toEqual({ ...release(one), number: 2 });
    expect((await store.releases.list(one)).map((each) => each.number)).toEqual([3, 2, 1]);
  });

  it('follows a deployment to its end, with its log', async () => {
    const app = await makeApp();
    const start: Omit<Deployment, 'id'> = {
      app,
      commit: 'abc',
      branch: 'main',
      releaseNumber: null,
      status: 'queued',
      reason: null,
      startedAt: 1,
      endedAt: null,
    };
    const { id } = await store.deployments.add(start);
    const preview = await store.deployments.add({ ...start, branch: 'try' });
    await store.deployments.update(preview.id, { status: 'serving' });
    expect(await store.deployments.serving(app)).toBeNull();
    await store.deployments.update(id, { status: 'serving', releaseNumber: 1, endedAt: 9 });
    expect(await store.deployments.serving(app)).toMatchObject({
      id,
      releaseNumber: 1,
      endedAt: 9,
    });
    expect((await store.deployments.list(app)).map((each) => each.id)).toEqual([preview.id, id]);
    await store.deployments.appendLog(id, 'Step 1');
    await store.deployments.appendLog(id, hostile);
    const shown = hostile.replaceAll('\u0000', '\ufffd');
    expect(await store.deployments.readLog(id, 0)).toEqual(['Step 1', shown]);
    expect(await store.deployments.readLog(id, 1)).toEqual([shown]);
  });

  it('knows which instances live', async () => {
    const app = await makeApp();
    const instance = (id: string): Instance => ({
      id,
      app,
      releaseNumber: 1,
      deploymentId: '1',
      containerId: 'c',
      anchorId: 'a',
      netns: 4_026_531_840,
      address: '172.17.0.2',
      port: 3000,
      startedAt: 1,
      healthyAt: null,
      endedAt: null,
    });
    await store.instances.add(instance('i1'));
    await store.instances.add(instance('i2'));
    await store.instances.update('i1', { healthyAt: 2, endedAt: 3 });
    expect(await store.instances.list({ app, live: true })).toEqual([instance('i2')]);
    expect(await store.instances.list({ app, live: false })).toHaveLength(1);
    expect(await store.instances.get('i1')).toMatchObject({ healthyAt: 2, endedAt: 3 });
  });
});

describe('issues', () => {
  const file = (app: string, releaseNumber: number, changes: Partial<Failure> = {}) =>
    store.issues.file({
      app,
      releaseNumber,
      instanceId: 'i',
      failure: failureOf(changes),
      title: 'TypeError',
      recordingId: null,
    });

  it('collects the occurrences of one fingerprint, also when they come at once', async () => {
    const app = await makeApp();
    const filed = await Promise.all([1, 2, 3, 4, 5].map((n) => file(app, 1, { at: 1000 + n })));
    expect(filed.filter((each) => each.news === 'new')).toHaveLength(1);
    expect(new Set(filed.map((each) => each.issue.id)).size).toBe(1);
    const id = filed[0]!.issue.id;
    expect(await store.issues.get(id)).toMatchObject({
      count: 5,
      firstSeenAt: 1001,
      lastSeenAt: 1005,
      status: 'open',
    });
    const latest = await store.issues.occurrences(id, 2);
    expect(latest.map((each) => each.at)).toEqual([1005, 1004]);
    expect(latest[0]!.failure).toEqual(failureOf({ at: 1005 }));
    expect((await file(app, 1, { fingerprint: 'other' })).news).toBe('new');
  });

  it('comes back in a later release only', async () => {
    const app = await makeApp();
    const { issue } = await file(app, 3);
    await store.issues.setStatus(issue.id, 'resolved', 'merged');
    const later = 9_000_000_000_000_000;
    expect((await file(app, 3, { at: later })).news).toBe('known');
    expect((await file(app, 4, { at: 1 })).news).toBe('known');
    expect((await store.issues.get(issue.id))?.status).toBe('resolved');
    const back = await file(app, 5, { at: later });
    expect(back.news).toBe('regressed');
    expect(back.issue).toMatchObject({ status: 'open', regressedIn: 5, count: 4 });
    expect((await file(app, 5, { at: later })).news).toBe('known');
    expect(await store.issues.list({ app, status: 'open' })).toHaveLength(1);
    expect(await store.issues.list({ app, status: 'resolved' })).toHaveLength(0);
  });

  it('keeps reproductions, attempts and one open change request', async () => {
    const app = await makeApp();
    const { id: issueId } = (await file(app, 1)).issue;
    const reproduction = {
      kind: 'not-replayable' as const,
      issueId,
      recordingId: null,
      reason: hostile,
    };
    await store.reproductions.save({ ...reproduction, reason: 'first' });
    await store.reproductions.save(reproduction);
    expect(await store.reproductions.get(issueId)).toEqual(reproduction);
    await store.reproductions.forget(issueId);
    expect(await store.reproductions.get(issueId)).toBeNull();

    const both = await Promise.all([1, 2].map(() => store.attempts.add(issueId, candidate)));
    expect(both.map((attempt) => attempt.number).sort()).toEqual([1, 2]);
    await store.attempts.finish(issueId, 1, verdict);
    const attempts = await store.attempts.list(issueId);
    expect(attempts.map((attempt) => attempt.verdict)).toEqual([verdict, null]);
    expect(attempts[0]!.candidate).toEqual(candidate);
    expect(attempts[0]!.endedAt).toBeGreaterThan(0);

    const change: Omit<ChangeRequest, 'id'> = {
      app,
      issueId,
      attemptNumber: 1,
      forge: 'builtin',
      branch: 'fixpoint/1',
      commit: 'abc',
      title: 'Fix',
      body: '# x',
      status: 'open',
      url: null,
      createdAt: 1,
      endedAt: null,
    };
    const added = await Promise.all([1, 2, 3].map(() => store.changes.add(change)));
    expect(new Set(added.map((each) => each.id)).size).toBe(1);
    await store.changes.update(added[0]!.id, { status: 'closed', endedAt: 2 });
    const next = await store.changes.add(change);
    expect(next.id).not.toBe(added[0]!.id);
    expect((await store.changes.list({ issueId })).map((each) => each.status)).toEqual([
      'open',
      'closed',
    ]);
  });
});

describe('interruptions', () => {
  it('ends the one that was open', async () => {
    await store.interruptions.add({ from: 100, to: null, reason: 'sensor killed' });
    await store.interruptions.add({ from: 100, to: 200, reason: 'sensor killed' });
    await store.interruptions.add({ from: 10, to: 20, reason: 'old' });
    expect(await store.interruptions.list(150)).toEqual([
      { from: 100, to: 200, reason: 'sensor killed' },
    ]);
  });
});

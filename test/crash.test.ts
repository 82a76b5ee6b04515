// kill -9 of the server in each stage: after a restart everything ends as if nothing had happened, once.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type {
  Attempt,
  Change,
  Deployment,
  Issue,
  IssueDetail,
  Recording,
  Status,
} from '../src/api/contract.ts';
import { type Platform, startPlatform, until } from './parts/platform.ts';
import { shelf } from './parts/shelf.ts';

const app = 'shelf';
const timeoutMs = 180_000;
let platform: Platform;
let folder: string;
/** Each stage begins where the one before ended. */
let broken = false;

beforeAll(async () => {
  platform = await startPlatform({ settings: { FIXPOINT_DEPLOY_DRAIN_MS: '1s' } });
  folder = await platform.repositoryOf(shelf);
  await platform.json('apps', 'create', app);
});

afterAll(() => platform?.stop());

beforeEach(({ skip }) => skip(broken, 'an earlier stage came to nothing'));
afterEach(({ task }) => {
  broken ||= task.result?.state === 'fail';
});

describe('a server that is killed while it deploys', () => {
  it('builds and starts what was pushed when it is back', async () => {
    const pushed = platform.push(folder, app);
    await killedOnce(async () => (await newest())?.status === 'building');
    await pushed;
    await platform.up();
    await servedOnce(1);
  });

  it('keeps the old release serving, and ends with the new one', async () => {
    await platform.commit(folder, { 'README.md': 'A shelf of things.\n' });
    const pushed = platform.push(folder, app);
    await killedOnce(async () => (await newest())?.status === 'starting');
    await pushed;
    await answers();
    await platform.up();
    await servedOnce(2);
    const { deployments } = await platform.get<{ deployments: Deployment[] }>(
      `/apps/${app}/deployments`,
    );
    expect(deployments.filter(({ status }) => status === 'interrupted')).toHaveLength(2);
  });
});

describe('a server that is killed while it works on an issue', () => {
  it('has told of the time in which nothing was recorded', async () => {
    const status = await platform.json<Status>('status');
    expect(status.interruptions.length).toBeGreaterThan(0);
    for (const { from, to, reason } of status.interruptions) {
      expect(reason).toBe('the server was not running');
      expect(to).toBeGreaterThan(from);
    }
    expect((await platform.cli('status')).stdout).toContain('NOT RECORDED FROM');
  });

  it('goes on when the issue was just filed', async () => {
    // The release that runs was started by a server that is dead: its failures count all the same.
    expect((await platform.ask(app, 'GET', '/rooms/1')).status).toBe(200);
    expect((await platform.ask(app, 'GET', '/rooms/2')).status).toBe(200);
    await until(async () => (await samplesOf('GET /rooms/:id')) === 2, {
      timeoutMs,
      says: 'its successes are not recorded',
    });
    expect((await platform.ask(app, 'GET', '/rooms/7')).status).toBe(500);
    await killedAt((detail) => detail !== null);
  });

  it('goes on while it reproduces', () =>
    killedAt((detail) => detail?.issue.status === 'reproducing'));

  it('goes on when it has reproduced', () => killedAt((detail) => detail?.reproduction != null));

  it('goes on while a candidate is verified', () =>
    killedAt((detail) => detail?.attempts.some(({ verdict }) => verdict === null)));

  it('goes on when a candidate was verified', () => killedAt((detail) => proven(detail) !== null));

  it('goes on while it submits, and proposes one change', async () => {
    // Where it was killed before may have been beyond the branch already.
    if (!existsSync(branchFile()) && (await changes()).length === 0) {
      const up = platform.up().catch(() => null);
      await killedOnce(async () => existsSync(branchFile()));
      await up;
    }
    await platform.up();
    const detail = await until(
      async () => {
        const found = await issue();
        return found?.issue.status === 'proposed' ? found : null;
      },
      { timeoutMs, says: 'the issue is not proposed', detail: () => platform.log.slice(-3000) },
    );
    expect(await changes()).toMatchObject([{ status: 'open', branch: 'fixpoint/issue-1' }]);
    expect(await branches()).toEqual(['fixpoint/issue-1', 'main']);
    expect(detail.issue.count).toBe(1);
    expect(detail.reproduction?.kind).toBe('reproduced');
    expectDistinct(detail.attempts);
    expect(detail.attempts.filter(({ verdict }) => verdict?.kind === 'verified')).toHaveLength(1);
    const { issues } = await platform.get<{ issues: Issue[] }>('/issues');
    expect(issues).toHaveLength(1);
  });
});

describe('a server that is killed while it merges', () => {
  it('goes on when the branch was merged', async () => {
    const before = mainHead();
    const merging = platform.cli('merge', '1');
    await killedOnce(async () => mainHead() !== before);
    const { code, stderr } = await merging;
    expect(code).toBe(3);
    expect(stderr).toMatch(/The server went away|No server answers/);
    expect((await platform.ask(app, 'GET', '/rooms/7')).status).toBe(500);
  });

  it('goes on while the fix is deployed, and deploys it once', async () => {
    const up = platform.up().catch(() => null);
    await killedOnce(async () => {
      const { status, commit } = (await newest()) ?? {};
      return commit === mainHead() && (status === 'building' || status === 'starting');
    });
    await up;
    await answers();
    await platform.up();
    await until(async () => (await issue())?.issue.status === 'resolved', {
      timeoutMs,
      says: 'the issue is not resolved',
      detail: () => platform.log.slice(-3000),
    });
    await servedOnce(3);
    expect(await changes()).toMatchObject([{ status: 'merged' }]);
    expect(await branches()).toEqual(['main']);
    const answer = await platform.ask(app, 'GET', '/rooms/7');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ id: '7', name: 'rooms seven', owner: null });
    expect((await platform.git(folder, 'fetch', platform.remote(app), 'main')).code).toBe(0);
    const log = await platform.git(folder, 'log', '--format=%s', '--merges', 'FETCH_HEAD');
    expect(log.stdout.trim().split('\n')).toHaveLength(1);
  });

  it('leaves nothing behind that no deployment needs', async () => {
    const parts = await until(
      async () => {
        const status = await platform.get<Status>('/status');
        const recorder = status.parts.find(({ name }) => name === 'recorder');
        return recorder?.says.startsWith('1 instances') ? status.parts : null;
      },
      { timeoutMs, says: 'the replaced instance is not gone' },
    );
    expect(parts.every(({ state }) => state === 'ok')).toBe(true);
    expect(parts.find(({ name }) => name === 'pipeline')?.says).toBe('idle');
  });
});

/** Kills the server at the moment when the issue is as asked, shows that the app goes on; ups it. */
async function killedAt(
  moment: (detail: IssueDetail | null) => boolean | undefined,
): Promise<void> {
  const up = platform.running ? null : platform.up().catch(() => null);
  await killedOnce(async () => {
    const detail = await issue();
    if (proven(detail) === null && detail?.issue.status === 'no-fix') {
      throw new Error(`it came to nothing: ${JSON.stringify(detail.attempts, null, 1)}`);
    }
    return moment(detail) === true;
  });
  await up;
  await answers();
}

/** Looks as often as it can; while no server answers, the moment has not come. */
async function killedOnce(moment: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const come = await moment().catch((error: Error) => {
      if (error.message.startsWith('it came to nothing')) throw error;
      return false;
    });
    if (come) return platform.kill();
    if (!platform.running) throw new Error(`the server ended by itself\n${platform.log}`);
    if (Date.now() > deadline) throw new Error(`it never came\n${platform.log.slice(-3000)}`);
    await sleep(2);
  }
}

async function answers(): Promise<void> {
  const answer = await platform.ask(app, 'GET', '/people/1');
  expect(answer).toMatchObject({ status: 200, body: '{"id":"1","name":"ADA"}' });
}

/** The release with this number serves alone. */
async function servedOnce(releaseNumber: number): Promise<void> {
  const { deployments } = await until(
    async () => {
      const found = await platform.get<{ deployments: Deployment[] }>(`/apps/${app}/deployments`);
      return found.deployments[0]?.status === 'serving' ? found : null;
    },
    { timeoutMs, says: 'nothing is served', detail: () => platform.log.slice(-3000) },
  );
  const serving = deployments.filter(({ status }) => status === 'serving');
  expect(serving).toMatchObject([{ commit: mainHead() }]);
  const ended = deployments.filter(({ commit, status }) => {
    return commit === mainHead() && status !== 'interrupted';
  });
  expect(ended).toHaveLength(1);
  expect(serving[0]?.releaseNumber).toBeGreaterThanOrEqual(releaseNumber);
  await answers();
}

async function newest(): Promise<Deployment | undefined> {
  const { deployments } = await platform.get<{ deployments: Deployment[] }>(
    `/apps/${app}/deployments`,
  );
  return deployments[0];
}

async function samplesOf(route: string): Promise<number> {
  const path = `/recordings?app=${app}&kind=sample`;
  const { recordings } = await platform.get<{ recordings: Recording[] }>(path);
  return recordings.filter((one) => one.route === route).length;
}

async function issue(): Promise<IssueDetail | null> {
  const { issues } = await platform.get<{ issues: Issue[] }>('/issues');
  const [first] = issues;
  return first === undefined ? null : platform.get<IssueDetail>(`/issues/${first.id}`);
}

async function changes(): Promise<Change[]> {
  if (!platform.running) return [];
  return (await platform.get<{ changes: Change[] }>('/changes')).changes;
}

function proven(detail: IssueDetail | null): Attempt | null {
  return detail?.attempts.find(({ verdict }) => verdict?.kind === 'verified') ?? null;
}

function expectDistinct(attempts: Attempt[]): void {
  const numbers = attempts.map(({ number }) => number);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(attempts.map((_, index) => index + 1));
  expect(new Set(attempts.map(({ candidate }) => candidate.diff)).size).toBe(attempts.length);
  expect(attempts.every(({ verdict }) => verdict !== null)).toBe(true);
}

function gitFile(path: string): string {
  return join(platform.dataDir, 'git', `${app}.git`, path);
}

function branchFile(): string {
  return gitFile('refs/heads/fixpoint/issue-1');
}

function mainHead(): string {
  return readFileSync(gitFile('refs/heads/main'), 'utf8').trim();
}

async function branches(): Promise<string[]> {
  const found = await platform.git(folder, 'ls-remote', '--heads', platform.remote(app));
  return found.stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/^.*refs\/heads\//, ''))
    .toSorted();
}

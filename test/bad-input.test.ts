// Whatever is wrong is said in words that help, nothing false is called proven, and nothing is lost.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  Attempt,
  Deployment,
  Issue,
  Part,
  Recording,
  Reproduction,
  Status,
} from '../src/api/contract.ts';
import { type Platform, type Result, startPlatform, until } from './parts/platform.ts';
import { freePort } from './parts/ports.ts';
import { dockerfile, unsteady } from './parts/shelf.ts';

const timeoutMs = 120_000;
const root = join(import.meta.dirname, '..');
let platform: Platform;
let folder: string;

beforeAll(async () => {
  platform = await startPlatform({ settings: { FIXPOINT_FIX_AUTOMATIC: 'no' } });
  await platform.json('apps', 'create', 'front');
  folder = await platform.repositoryOf({ 'README.md': 'Nothing to run.\n' });
});

afterAll(() => platform?.stop());

describe('a push that cannot be deployed', () => {
  const hello = (port: number) =>
    `require('node:http').createServer((_, res) => res.end('hello')).listen(${port});\n`;
  const push = async (files: Record<string, string>) => {
    await platform.commit(folder, files);
    return (await platform.push(folder, 'front')).stderr.replace(/^remote: /gm, '');
  };

  it('is refused without a Dockerfile, with what was looked for', async () => {
    const said = (await platform.push(folder, 'front')).stderr;
    expect(said).toMatch(/Refused: .*Looked for Dockerfile and Containerfile/);
    expect(said).toContain('Nothing is serving this app.');
    expect(await deployments()).toMatchObject([{ status: 'refused', releaseNumber: null }]);
    expect(await front()).toBe(404);
  });

  it('is deployed as soon as it has one', async () => {
    const said = await push({ Dockerfile: dockerfile, 'server.js': hello(3000) });
    expect(said).toMatch(/Live at http:\/\/front\.localhost/);
    expect(await front()).toBe(200);
  });

  it('is refused for a setting that does not exist, with the nearest', async () => {
    const said = await push({ 'fixpoint.json': '{"prot": 80}' });
    expect(said).toMatch(/Refused: .*no setting "prot"; the nearest is "port"/);
    expectServedOn(said);
  });

  it('shows what a failing build printed, and how it ended', async () => {
    const lines = `${dockerfile}RUN echo the compiler says no && exit 3\n`;
    const said = await push({ 'fixpoint.json': '{"healthTimeoutMs": 2000}', Dockerfile: lines });
    expect(said).toContain('the compiler says no');
    expect(said).toMatch(/Failed: the build failed: .*3/);
    expectServedOn(said);
  });

  it('names the port that the app listens on instead', async () => {
    const said = await push({ Dockerfile: dockerfile, 'server.js': hello(4000) });
    expect(said).toMatch(/Failed: not healthy within 2\.0 s: GET \/ on port 3000: ECONNREFUSED/);
    expect(said).toMatch(/4000/);
    expectServedOn(said);
  });

  it('shows exit code and last lines of an app that ends at once', async () => {
    const program = `console.error('cannot find my settings');\nprocess.exit(7);\n`;
    const said = await push({ 'server.js': program });
    expect(said).toContain('its process ended with exit code 7 before it was healthy');
    expect(said).toMatch(/Its last lines:\s+cannot find my settings/);
    expectServedOn(said);
  });

  it('says when it was the memory', async () => {
    const program = `const all = [];\nfor (;;) all.push(Buffer.alloc(1 << 20, 1));\n`;
    const settings = { healthTimeoutMs: 60_000, memoryBytesMax: 64 << 20 };
    const said = await push({ 'server.js': program, 'fixpoint.json': JSON.stringify(settings) });
    expect(said).toMatch(/its process ended with .*: it needed more memory than its 64 MiB/);
    expectServedOn(said);
  });

  it('is stored and not deployed on another branch', async () => {
    const before = (await deployments()).length;
    const { code, stderr } = await platform.push(folder, 'front', 'draft');
    expect(code).toBe(0);
    expect(stderr).toContain('Stored draft. Only main is deployed');
    expect(await deployments()).toHaveLength(before);
  });

  it('is refused with a wrong token, and for an app that does not exist', async () => {
    const wrong = platform.remote('front').replace(/:[^:@/]+@/, ':wrong@');
    const refused = await platform.git(folder, 'push', wrong, 'HEAD:refs/heads/main');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/Authentication failed|401|could not read/);
    const unknown = await platform.push(folder, 'nobody');
    expect(unknown.code).not.toBe(0);
    expect(unknown.stderr).toMatch(/no app nobody|not found/);
  });

  it('has left the first release serving, and every deployment in the list', async () => {
    expect(await front()).toBe(200);
    const ends = (await deployments()).map(({ status }) => status);
    const failed = ['failed', 'failed', 'failed', 'failed'];
    expect(ends).toEqual([...failed, 'refused', 'serving', 'refused']);
  });

  async function front(): Promise<number> {
    return (await platform.ask('front', 'GET', '/')).status;
  }

  function expectServedOn(said: string): void {
    expect(said).toMatch(/Release 1 goes on serving at http:\/\/front\.localhost/);
  }
});

describe('a command', () => {
  it.each([
    ['issue', '99'],
    ['reproduce', '99'],
    ['fix', '99'],
    ['verify', '99', '--branch', 'main'],
    ['merge', '99'],
    ['change', '99'],
  ])('%s %s says that there is none', async (...argv) => {
    const { code, stderr } = await platform.cli(...argv);
    expect(stderr).toMatch(/There is no (issue|change request) 99/);
    expect(code).toBe(1);
  });

  it('is refused with a wrong token, and for an app that does not exist', async () => {
    const wrong = await platform.cli('--token', 'wrong', 'apps');
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('token') });
    const unknown = await platform.cli('logs', 'nobody');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('no app nobody') });
  });
});

describe('a server that cannot start', () => {
  it('refuses settings that do not exist, with the nearest', async () => {
    const [variable, flag] = await Promise.all([
      up({ FIXPOINT_ROUTR_PORT: '1' }),
      up({}, '--api-prot', '1'),
    ]);
    expect(variable.stderr).toMatch(/no setting FIXPOINT_ROUTR_PORT.*FIXPOINT_ROUTER_PORT/);
    expect(flag.stderr).toMatch(/no option --api-prot; the nearest is --api-port/);
    expect([variable.code, flag.code]).toEqual([2, 2]);
  });

  it('refuses a data directory that another one works on', async () => {
    const { code, stderr } = await up({ FIXPOINT_DATA: platform.dataDir });
    expect(stderr).toContain(`Another Fixpoint server (process ${platform.pid},`);
    expect(stderr).toContain(platform.dataDir);
    expect(code).toBe(1);
  });

  it('says that no engine answers, and where it looked', async () => {
    const { code, stderr } = await up({ FIXPOINT_ENGINE_SOCKET: '/nowhere/docker.sock' });
    expect(stderr).toMatch(/\/nowhere\/docker\.sock/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(1);
  });

  it('names a port that is in use, with its setting', async () => {
    const { apiPort, routerPort } = platform;
    const api = await up({ FIXPOINT_API_PORT: String(apiPort) });
    expect(api.stderr).toMatch(new RegExp(`Port ${apiPort} .*in use.*FIXPOINT_API_PORT`, 's'));
    const router = await up({ FIXPOINT_ROUTER_PORT: String(routerPort) });
    expect(router.stderr).toMatch(new RegExp(`${routerPort}.*FIXPOINT_ROUTER_PORT`, 's'));
    expect([api.code, router.code]).toEqual([1, 1]);
  });

  it('has not disturbed the one that runs', async () => {
    const { pid, parts } = await platform.json<Status>('status');
    expect(pid).toBe(platform.pid);
    expect(parts.every(({ state }) => state === 'ok')).toBe(true);
    expect((await platform.ask('front', 'GET', '/')).status).toBe(200);
  });
});

describe('a failure that cannot be proven', () => {
  beforeAll(async () => {
    await platform.json('apps', 'create', 'unsteady');
    folder = await platform.repositoryOf(unsteady);
    const { stderr } = await platform.push(folder, 'unsteady');
    if (!stderr.includes('Live at')) throw new Error(stderr);
  });

  it('is not reproduced when it does not come back, with what differed', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 41; index += 1) {
      statuses.push((await platform.ask('unsteady', 'GET', '/count')).status);
    }
    expect(statuses.lastIndexOf(200)).toBe(39);
    const { id } = await issueOf('/count');
    const result = await platform.cli('reproduce', String(id), '--json');
    const reproduction = JSON.parse(result.stdout) as Reproduction;
    expect(reproduction).toMatchObject({
      kind: 'not-reproduced',
      reason: 'the request was answered with 200 instead of failing',
    });
    expect(result.code).toBe(1);
    expect(await issueOf('/count')).toMatchObject({ status: 'not-reproduced' });
  });

  it('is not replayable when the sensor died while it happened', async () => {
    const held = platform.ask('unsteady', 'GET', '/held');
    await until(async () => (await platform.ask('unsteady', 'GET', '/holds')).body === 'yes', {
      timeoutMs,
      says: 'the request did not arrive',
    });
    const pid = Number(/\d+/.exec((await sensor()).says)?.[0]);
    process.kill(pid, 'SIGKILL');
    const degraded = await until(async () => seen(await sensor(), pid), {
      timeoutMs,
      says: 'the death of the sensor is not told',
    });
    if (degraded.state === 'degraded') expect(degraded.says).toContain('SIGKILL');
    await until(async () => (await sensor()).state === 'ok', {
      timeoutMs,
      says: 'the sensor is not started again',
    });
    expect((await sensor()).says).toContain('started again 1 times');
    await platform.ask('unsteady', 'POST', '/release');
    expect((await held).status).toBe(500);
    const { id } = await issueOf('/held');
    const reproduction = await reproduced(id);
    expect(reproduction.kind).toBe('not-replayable');
    expect('reason' in reproduction && reproduction.reason).toContain('sensor ended with SIGKILL');
    const { interruptions } = await platform.json<Status>('status');
    expect(interruptions[0]?.reason).toContain('SIGKILL');
    expect(interruptions[0]?.to).toBeGreaterThan(interruptions[0]?.from ?? 0);
  });
});

describe('a patch pushed as a branch', () => {
  const fix = { from: 'found.maker.name', to: '(found.maker?.name ?? null)' };
  let id: number;

  beforeAll(async () => {
    for (const path of ['/things/1', '/things/2', '/places/1', '/places/2']) {
      expect((await platform.ask('unsteady', 'GET', path)).status).toBe(200);
    }
    await until(
      async () => {
        const path = '/recordings?app=unsteady&kind=sample';
        const { recordings } = await platform.get<{ recordings: Recording[] }>(path);
        return recordings.filter(({ route }) => route?.endsWith('/:id')).length === 4;
      },
      { timeoutMs, says: 'the successes are not kept' },
    );
    expect((await platform.ask('unsteady', 'GET', '/things/7')).status).toBe(500);
    id = (await issueOf('/things')).id;
  });

  it('is not judged when there is no such branch', async () => {
    const { code, stderr } = await platform.cli('verify', String(id), '--branch', 'nothing');
    expect(stderr).toContain('unsteady has no branch nothing: push it first.');
    expect(code).toBe(1);
  });

  it('is inconclusive when it asks for what was never recorded, and says what', async () => {
    const asking = `(await fetch('http://audit.internal/')).ok ? 1 : ${fix.to}`;
    const attempt = await judged('asking', { ...fix, to: asking });
    expect(attempt.verdict?.kind).not.toBe('verified');
    const reasons = attempt.verdict?.checks.map(({ reason }) => reason).join('\n');
    expect(reasons).toContain('audit.internal');
  });

  it('is inconclusive when nobody can tell whether a thing is there', async () => {
    expect((await platform.ask('unsteady', 'GET', '/places/9')).status).toBe(500);
    const absent = await issueOf('/places');
    const nulls = { from: 'place: place.name', to: 'place: place?.name ?? null' };
    const attempt = await judged('nulls', nulls, absent.id);
    expect(attempt.verdict?.kind).not.toBe('verified');
    const sane = attempt.verdict?.checks.find(({ name }) => name === 'outcome-sane');
    expect(sane?.reason).toContain('nothing shows that "9" is there');
  });

  it('is verified without tests of its own when it is right, and that is said', async () => {
    const attempt = await judged('right', fix);
    expect(attempt.verdict).toMatchObject({ kind: 'verified' });
    const own = attempt.verdict?.checks.find(({ name }) => name === 'own-tests');
    expect(own?.reason).toContain('has no tests of its own');
  });

  it('has left everything stored as it was', async () => {
    const { issues } = await platform.get<{ issues: Issue[] }>('/issues');
    const ends = issues.map(({ route, status }) => [route, status]);
    expect(ends).toContainEqual(['GET /count', 'not-reproduced']);
    expect(ends).toContainEqual(['GET /things/:id', 'reproduced']);
    expect(ends).toContainEqual(['GET /places/:id', 'reproduced']);
    expect(await deployments()).toHaveLength(7);
  });

  /** Other code in place of some, pushed and verified. */
  async function judged(
    branch: string,
    { from, to }: { from: string; to: string },
    issueId = id,
  ): Promise<Attempt> {
    expect(unsteady['server.js']).toContain(from);
    const server = unsteady['server.js'].replace(from, to);
    await platform.git(folder, 'checkout', '-q', '-B', branch, 'main');
    await platform.commit(folder, { 'server.js': server });
    const pushed = await platform.push(folder, 'unsteady', branch);
    expect(pushed.stderr).toContain(`Stored ${branch}.`);
    const { stdout, stderr } = await platform.cli(
      ...['verify', String(issueId), '--branch', branch, '--json'],
    );
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Attempt;
  }
});

async function deployments(): Promise<Deployment[]> {
  const path = '/apps/front/deployments';
  return (await platform.get<{ deployments: Deployment[] }>(path)).deployments;
}

async function issueOf(path: string): Promise<Issue> {
  return until(
    async () => {
      const { issues } = await platform.get<{ issues: Issue[] }>('/issues?app=unsteady');
      return issues.find((one) => one.route?.includes(path) || one.title.includes(path.slice(1)));
    },
    { timeoutMs, says: `no issue of ${path}`, detail: () => platform.log.slice(-3000) },
  );
}

async function reproduced(id: number): Promise<Reproduction> {
  const { stdout, stderr } = await platform.cli('reproduce', String(id), '--json');
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Reproduction;
}

async function sensor(): Promise<Part> {
  const { parts } = await platform.get<Status>('/status');
  const found = parts.find(({ name }) => name === 'sensor');
  if (found === undefined) throw new Error('the sensor is not in the status');
  return found;
}

/** Degraded, or already another process: a quick restart may come between two looks. */
function seen(part: Part, pid: number): Part | null {
  return part.state === 'degraded' || !part.says.startsWith(`process ${pid}`) ? part : null;
}

/** A second server with other settings and, unless it is given, a data directory of its own. */
async function up(settings: Record<string, string>, ...flags: string[]): Promise<Result> {
  const dataDir = mkdtempSync(join(tmpdir(), 'fixpoint-data-'));
  const ports = {
    FIXPOINT_API_PORT: String(await freePort()),
    FIXPOINT_ROUTER_PORT: String(await freePort()),
  };
  const env = { ...platform.env, FIXPOINT_DATA: dataDir, ...ports, ...settings };
  try {
    return await run(['up', ...flags], env);
  } finally {
    // Whatever ended before its router began has left nothing that runs.
    if (existsSync(join(dataDir, 'router'))) {
      await run(['down'], { ...platform.env, FIXPOINT_DATA: dataDir });
    }
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function run(argv: string[], env: Record<string, string>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'bin/fixpoint'), argv, { env, timeout: timeoutMs });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...said, code: code ?? -1 }));
  });
}

/** The command line as users run it: a process of its own against a real API server. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Planted } from '../api/fake.ts';
import { fakeApi, fakeToken, plant } from '../api/fake.ts';
import type { RunningApi } from '../api/server.ts';
import { startApi } from '../api/server.ts';
import { openTestStore } from '../store/fake.ts';
import type { Store } from '../store/store.ts';
import { runCli } from './cli.ts';

const bin = join(import.meta.dirname, '../../bin/fixpoint');
let store: Store;
let api: RunningApi;
let fake: ReturnType<typeof fakeApi>;
let planted: Planted;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-test-cli-'));
  await writeFile(join(folder, 'token'), `${fakeToken}\n`);
  store = await openTestStore();
  planted = await plant(store, 'shop');
  fake = fakeApi(store);
  api = await startApi({ ...fake.options, host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await api?.close();
  await store?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

function start(argv: string[], env: Record<string, string> = {}, program = bin) {
  const child = spawn(program, argv, {
    env: { PATH: process.env.PATH, FIXPOINT_URL: api.url, FIXPOINT_DATA: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ran.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ran.stderr += text;
  });
  const end = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ ...ran, code }));
  });
  return { child, ran, end };
}

const fixpoint = (...argv: string[]) => start(argv).end;

describe('the launcher', () => {
  it('works through a symbolic link, from anywhere', async () => {
    const link = join(folder, 'fp');
    await symlink(bin, link);
    const { code, stdout } = await start(['--help'], {}, link).end;
    expect(code).toBe(0);
    for (const command of ['up', 'doctor', 'verify', 'merge', 'recordings']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe('docs/cli.md', () => {
  it('names every command', async () => {
    const text = await readFile(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    const { stdout } = await fixpoint('--help');
    const listed = [...stdout.matchAll(/^ {2}([a-z]+) [[<]/gm)].map(([, name]) => name);
    const names = listed.filter((name) => name !== 'help');
    expect(names.length).toBeGreaterThan(15);
    const missing = names.filter((name) => !new RegExp(`^\\| \`${name}\\b`, 'm').test(text));
    expect(missing).toEqual([]);
  });
});

describe('exit status', () => {
  it('is 2 for what cannot be meant', async () => {
    const wrong = [
      ['issue'],
      ['issue', 'x'],
      ['isues'],
      ['merge'],
      ['merge', '1', '--change', '2'],
    ];
    wrong.push(
      ['env', 'shop', 'put', 'A=1'],
      ['env', 'shop', 'set', 'A'],
      ['issues', '--status', 'x'],
    );
    const results = await Promise.all(wrong.map((argv) => fixpoint(...argv)));
    expect(results.map((ran, at) => [wrong[at], ran.code])).toEqual(wrong.map((argv) => [argv, 2]));
    expect(results[2]!.stderr).toContain('Did you mean issues?');
  });

  it('is 3 when no server answers, and says what to do', async () => {
    const { code, stderr } = await start(['apps'], { FIXPOINT_URL: 'http://127.0.0.1:9' }).end;
    expect(code).toBe(3);
    expect(stderr).toMatch(/No server answers at http:\/\/127.0.0.1:9 .* Is "fixpoint up" running/);
    const noToken = await start(['apps'], { FIXPOINT_DATA: join(folder, 'none') }).end;
    expect(noToken.code).toBe(3);
    expect(noToken.stderr).toContain(join(folder, 'none', 'token'));
  });

  it('is 1 when the asked thing fails', async () => {
    expect((await fixpoint('issue', '9999')).code).toBe(1);
    expect((await start(['apps'], { FIXPOINT_TOKEN: 'wrong' }).end).code).toBe(1);
    const rejected = await fixpoint('verify', String(planted.issue.id), '--branch', 'bad');
    expect(rejected.code).toBe(1);
    expect(rejected.stdout).toMatch(/3 {2}fail {5}outcome-sane/);
  });
});

describe('commands', () => {
  it('make an app and say how to push', async () => {
    const { code, stdout } = await fixpoint('apps', 'create', 'fresh', '--json');
    expect(code).toBe(0);
    const { app, remote } = JSON.parse(stdout);
    expect(app.name).toBe('fresh');
    expect(remote).toBe(`http://${fakeToken}@127.0.0.1:7070/git/fresh.git`);
    expect((await fixpoint('apps', 'create', 'fresh')).code).toBe(1);
    expect((await fixpoint('apps')).stdout).toMatch(/^fresh +not deployed/m);
  });

  it('set, show and unset configuration', async () => {
    const set = await fixpoint('env', 'shop', 'set', 'A=1=2', 'B=', '--json');
    expect(JSON.parse(set.stdout)).toEqual({ version: 1, deployment: null });
    expect(set.stderr).toContain('Deploying again');
    expect((await fixpoint('env', 'shop')).stdout).toContain('A=********');
    expect((await fixpoint('env', 'unset', 'shop', 'B')).code).toBe(0);
    const shown = await fixpoint('env', 'shop', '--reveal', '--json');
    expect(JSON.parse(shown.stdout)).toEqual({ version: 2, values: { A: '1=2' } });
  });

  it('tell an issue on one page, without secrets or control characters', async () => {
    const { code, stdout } = await fixpoint('issue', `#${planted.issue.id}`);
    expect(code).toBe(0);
    const parts = ['FAILURE', 'src/orders.ts:41', 'VARIABLES', 'REQUEST', 'CALLS (2)'];
    parts.push('REPRODUCTION', 'ATTEMPTS', 'CHANGE REQUEST', '+  if (order.customer', 'PROOF');
    const places = parts.map((part) => stdout.indexOf(part));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(stdout).not.toContain('planted-secret');
    expect(stdout).not.toContain('\u001b');
    for (const line of stdout.split('\n')) expect([...line].length).toBeLessThanOrEqual(100);
  });

  it('answer with the contract as JSON', async () => {
    const { stdout } = await fixpoint('--json', 'issue', String(planted.issue.id));
    const detail = JSON.parse(stdout);
    expect(Object.keys(detail)).toEqual([
      'issue',
      'occurrences',
      'recording',
      'recordingProblem',
      'reproduction',
      'attempts',
      'changes',
    ]);
    const missing = await fixpoint('issue', '9999', '--json');
    expect(JSON.parse(missing.stdout)).toEqual({
      error: { code: 'not-found', message: 'There is no issue 9999.' },
    });
  });

  it('show progress on stderr and the result on stdout', async () => {
    const { code, stdout, stderr } = await fixpoint('reproduce', String(planted.issue.id));
    expect(code).toBe(0);
    expect(stderr.match(/Run \d of 3/g)).toHaveLength(3);
    expect(stdout).toBe('REPRODUCTION  failed the same way in 3 of 3 runs, 2.4 s\n');
    expect((await fixpoint('fix', String(planted.issue.id))).stdout).toContain('Change request');
  });

  it('print logs safely, and follow them until interrupted', async () => {
    const { stdout } = await fixpoint('logs', 'shop');
    expect(stdout).toContain('err red bell');
    expect(stdout).not.toMatch(/[\u001b\u0007]/);
    const lines = (await fixpoint('logs', 'shop', '--json')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).stream)).toEqual(['stdout', 'stderr']);
    const { child, ran, end } = start(['logs', 'shop', '--follow']);
    while (!ran.stdout.includes('red')) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect((await end).code).toBe(0);
  });

  it('read recordings, status, deployments and change requests', async () => {
    const recordings = await fixpoint('recordings', '--app', 'shop', '--json');
    expect(JSON.parse(recordings.stdout).recordings[0].id).toBe('shop-recording');
    const shown = await fixpoint('record', 'show', 'shop-recording');
    expect(shown.stdout).toContain('SELECT * FROM orders');
    expect(shown.stdout).not.toContain('planted-secret');
    expect((await fixpoint('status')).stdout).toContain('watches 1 instance');
    expect((await fixpoint('deployments', 'shop')).stdout).toMatch(/serving +1 +main/);
    expect((await fixpoint('change', String(planted.change.id))).stdout).toContain('PROOF');
    expect((await fixpoint('token')).stdout).toBe(`${fakeToken}\n`);
  });

  it('merge by the issue, or by the change request', async () => {
    const { issue, change } = await plant(store, 'merged');
    expect((await fixpoint('merge', String(issue.id))).stdout).toContain('is merged as ffffffffff');
    const again = await fixpoint('merge', '--change', String(change.id), '--json');
    expect(again.code).toBe(1);
    expect(JSON.parse(again.stdout)).toMatchObject({ kind: 'not-open', change: { id: change.id } });
  });
});

describe('what main.ts registers', () => {
  it('gets every setting of "up", and the diagnoses when no server answers', async () => {
    const seen: unknown[] = [];
    const local = {
      up: async (flags: Record<string, string | boolean>) => {
        seen.push(flags);
        return 1;
      },
      down: async () => 0,
      doctor: async () => [],
    };
    const argv = ['up', '--api-port', '7071', '--fix-automatic=no', '--data', '/d', '--verbose'];
    expect(await runCli(argv, local)).toBe(1);
    expect(seen).toEqual([{ 'api-port': '7071', 'fix-automatic': 'no', verbose: true }]);
    expect(process.env.FIXPOINT_DATA).toBe('/d');
    delete process.env.FIXPOINT_DATA;
    process.exitCode = 0;
  });
});

// Exists to prove pushes and fetches over HTTP with the git that people use.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRepository } from './bare.ts';
import { pushedRefsOf } from './hooks.ts';
import { type HttpBackend, httpBackend, type Push } from './http-backend.ts';
import type { Repository } from './repository.ts';
import { gitEnvironment } from './run.ts';

let folder: string;
let repository: Repository;
let backend: HttpBackend;
let server: Server;
let url: string;
let onPush: (push: Push, say: (line: string) => void) => Promise<void>;
const pushes: Push[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-http-'));
  repository = await createRepository(join(folder, 'shop.git'));
  pushes.length = 0;
  onPush = async (push, say) => {
    pushes.push(push);
    say(`hello ${push.user}\x1b[2J`);
  };
  backend = await httpBackend({
    folder: join(folder, 'state'),
    onPush: (push, say) => onPush(push, say),
    packBytesMax: 1 << 20,
  });
  server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://x').pathname.replace('/git/shop.git', '');
    const target = { directory: repository.directory, name: 'shop', user: 'ada', path };
    backend.handle(request, response, target);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/git/shop.git`;
  await mkdir(join(folder, 'work'));
  await run(['init', '-q', '-b', 'main']);
  await commit('one');
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await backend.close();
  await rm(folder, { recursive: true, force: true });
});

describe('push', () => {
  it('is stored, told, and shows the pusher what is said', async () => {
    const { status, stderr } = await run(['push', url, 'main']);
    expect(stderr).toMatch(/remote: hello ada\[2J/);
    expect(status).toBe(0);
    const to = await repository.resolve('main');
    expect(pushes).toEqual([
      { name: 'shop', user: 'ada', refs: [{ name: 'refs/heads/main', from: null, to }] },
    ]);
    const clone = await run(['clone', '-q', url, 'copy']);
    expect(clone).toMatchObject({ status: 0 });
    expect((await run(['-C', 'copy', 'rev-parse', 'HEAD'])).stdout.trim()).toBe(to);
  });

  it('streams lines while they are said, not at the end', async () => {
    let finish: () => void = () => undefined;
    onPush = async (_push, say) => {
      say('building');
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      say('live');
    };
    const { status, stderr } = await run(['push', url, 'main'], (text) => {
      if (text.includes('building')) finish();
    });
    expect(stderr).toMatch(/remote: building[\s\S]*remote: live/);
    expect(status).toBe(0);
  });

  it('goes on when the pusher hangs up', async () => {
    let done: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      done = resolve;
    });
    let hungUp: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      hungUp = resolve;
    });
    onPush = async (_push, say) => {
      say('building');
      await gone;
      for (let n = 0; n < 10_000; n++) say(`line ${n} that nobody reads any more`);
      done();
    };
    const child = gitChild(['push', url, 'main']);
    child.stderr.on('data', (bytes: Buffer) => {
      if (bytes.includes('building')) process.kill(-child.pid!, 'SIGKILL');
    });
    await new Promise((resolve) => child.on('close', resolve));
    hungUp();
    await ended;
    expect(await repository.resolve('main')).not.toBeNull();
  });

  it('of large bodies comes in chunks and gzipped questions are understood', async () => {
    await writeFile(join(folder, 'work', 'noise'), randomBytes(500_000));
    await commit('noise');
    const chunked = ['-c', 'http.postBuffer=65536'];
    expect(await run([...chunked, 'push', url, 'main'])).toMatchObject({ status: 0 });
    // Many haves make a fetch's body large enough for git to compress it.
    await run(['clone', '-q', url, 'copy']);
    for (let n = 0; n < 60; n++) {
      await run(['-C', 'copy', 'commit', '-q', '--allow-empty', '-m', `local ${n}`]);
    }
    await commit('two');
    expect(await run(['push', url, 'main'])).toMatchObject({ status: 0 });
    expect(await run(['-C', 'copy', 'fetch', '-q', 'origin'])).toMatchObject({ status: 0 });
    const both = ['rev-parse', 'main'];
    const fetched = await run(['-C', 'copy', 'rev-parse', 'origin/main']);
    expect(fetched.stdout).toBe((await run(both)).stdout);
  });

  it('is refused when it is too large, deletes the default branch or is no branch', async () => {
    await run(['push', url, 'main', 'main:side']);
    const gone = await run(['push', url, ':main']);
    expect(gone.stderr).toMatch(/deletion of the current branch prohibited/);
    expect(gone.status).not.toBe(0);
    const hidden = await run(['push', url, 'main:refs/other/x']);
    expect(hidden.stderr).toMatch(/refs\/other\/x is neither a branch nor a tag/);
    await writeFile(join(folder, 'work', 'noise'), randomBytes(2 << 20));
    await commit('too much');
    const large = await run(['push', url, 'main']);
    expect(large.stderr).toMatch(/pack exceeds maximum allowed size/);
    expect(large.status).not.toBe(0);
    // The quarantine was thrown away: nothing of it is in the repository.
    const refused = (await run(['rev-parse', 'main'])).stdout.trim();
    expect(await repository.resolve(refused)).toBeNull();
    expect(await run(['push', url, ':side'])).toMatchObject({ status: 0 });
  });

  it('is the only thing served beside fetches', async () => {
    for (const path of ['/HEAD', '/info/refs', '/objects/info/packs', '/info/refs?service=x']) {
      expect((await fetch(url + path)).status, path).toBe(404);
    }
    const wrong = await fetch(`${url}/git-upload-pack`, { method: 'GET' });
    expect(wrong.status).toBe(404);
  });
});

describe('refs', () => {
  it('are read from what git tells a hook', () => {
    const [a, zero] = ['a'.repeat(40), '0'.repeat(40)];
    expect(pushedRefsOf(`${zero} ${a} refs/heads/x\n${a} ${zero} refs/tags/y\n`)).toEqual([
      { name: 'refs/heads/x', from: null, to: a },
      { name: 'refs/tags/y', from: a, to: null },
    ]);
  });
});

function gitChild(argv: string[]) {
  return spawn('git', argv, {
    cwd: join(folder, 'work'),
    // A group of its own, as in a terminal: ending it ends git's helpers, too.
    detached: true,
    env: gitEnvironment({ 'user.name': 'T', 'user.email': 't@example.org' }),
  });
}

async function run(argv: string[], onError: (text: string) => void = () => undefined) {
  const child = gitChild(argv);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
    onError(text);
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

async function commit(message: string): Promise<void> {
  await run(['add', '-A', '.']);
  await run(['commit', '-q', '--allow-empty', '-m', message]);
}

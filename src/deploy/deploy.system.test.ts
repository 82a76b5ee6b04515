// Exists to prove deploying with the real engine, nginx, git and PostgreSQL, from push to serving.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestPlatform, testPlatform } from './fake.ts';

const dockerfile = `FROM node:24-bookworm-slim
WORKDIR /app
COPY . .
EXPOSE 3000
CMD ["node", "app.js"]
`;

/** An app whose answer is its version; told to, it dies, sleeps, or calls another app. */
const appAt = (version: string, before = '') => `
const http = require('node:http');
${before}
console.log('version ${version} starts');
http.createServer(async (request, response) => {
  if (request.url === '/die') { console.error('about to die'); process.exit(7); }
  if (request.url === '/slow') await new Promise((resolve) => setTimeout(resolve, 1500));
  if (request.url.startsWith('/call/')) {
    const answer = await fetch('http://' + request.url.slice(6), { headers: { connection: 'close' } });
    return response.end(await answer.text());
  }
  if (request.url === '/env') return response.end(String(process.env.GREETING));
  response.end('${version}');
}).listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0));
`;

let platform: TestPlatform;

beforeAll(async () => {
  platform = await testPlatform({
    imagesKept: 4,
    restart: { firstDelayMs: 50, delayMsMax: 200, calmAfterMs: 60_000, loopDeaths: 3 },
  });
});

afterAll(async () => {
  await platform?.close();
});

const push = async (folder: string, refspec = 'main') =>
  await platform.git(folder, ['push', 'fixpoint', refspec]);

const deploymentsOf = async (app: string) =>
  (await platform.store.deployments.list(app)).map((one) => `${one.branch} ${one.status}`);

const containersOf = async (app: string, role: string) =>
  await platform.engine.list({
    'fixpoint.owner': platform.settings.owner,
    'fixpoint.app': app,
    'fixpoint.role': role,
  });

describe('a push', () => {
  it('builds, starts, and serves, and the pusher sees it', async () => {
    const folder = await platform.app('shop');
    await platform.commit(folder, { Dockerfile: dockerfile, 'app.js': appAt('v1') });
    const { status, output } = await push(folder);
    expect(status, output).toBe(0);
    expect(output).toMatch(/remote: Deploying shop at [0-9a-f]{8}/);
    expect(output).toMatch(/remote: {3}\[.*COPY/);
    expect(output).toMatch(/remote: Starting release 1 on port 3000 \(EXPOSE/);
    expect(output).toMatch(/remote: Live at http:\/\/shop\.localhost:\d+\//);
    expect(await platform.get('shop')).toEqual({ status: 200, text: 'v1' });
    expect(await deploymentsOf('shop')).toEqual(['main serving']);
    const [deployment] = await platform.store.deployments.list('shop');
    const log = await platform.store.deployments.readLog(deployment!.id, 0);
    expect(log.at(-1)).toMatch(/^Live at/);
    expect(await platform.store.instances.list({ app: 'shop', live: true })).toMatchObject([
      { releaseNumber: 1, port: 3000, healthyAt: expect.any(Number) },
    ]);
  });

  it('is watched from before its first line of code', async () => {
    const { id, netns } = platform.deployer.current('shop')!;
    const told = platform.told.filter((one) => one.instance.id === id);
    const kinds = told.map((one) => one.kind);
    expect(kinds[0]).toBe('anchor');
    expect(kinds.indexOf('healthy')).toBeGreaterThan(0);
    expect(kinds.filter((kind) => kind !== 'log')).toEqual(['anchor', 'healthy']);
    await until(() => linesOf(id).includes('version v1 starts'));
    const [app] = await containersOf('shop', 'app');
    expect(app?.netns).toBe(netns);
  });

  it('of another branch is stored and says what to do with it', async () => {
    const folder = workFolder('shop');
    const { status, output } = await push(folder, 'main:fix');
    expect(status).toBe(0);
    expect(output).toMatch(/remote: Stored fix\. Only main is deployed/);
    expect(await deploymentsOf('shop')).toEqual(['main serving']);
  });

  it('without a Dockerfile is refused with what was looked for', async () => {
    const folder = await platform.app('plain');
    await platform.commit(folder, { 'compose.yaml': 'services: {}' });
    const { status, output } = await push(folder);
    expect(status).toBe(0);
    expect(output).toMatch(/remote: Refused: Looked for Dockerfile and Containerfile/);
    expect(output).toMatch(/compose\.yaml, which cannot be deployed yet/);
    await platform.commit(folder, { 'fixpoint.json': '{"prot": 1}' });
    expect((await push(folder)).output).toMatch(/no setting "prot"; the nearest is "port"/);
    expect(await platform.get('plain')).toMatchObject({ status: 404 });
  });

  it('whose build or start fails says why, and the old release goes on serving', async () => {
    const folder = workFolder('shop');
    await platform.commit(folder, { Dockerfile: `${dockerfile}RUN echo broken tool && exit 9\n` });
    const built = await push(folder);
    expect(built.output).toMatch(/remote: {5}broken tool/);
    expect(built.output).toMatch(/remote: Failed: the build failed: .*9/);
    expect(built.output).toMatch(/remote: Release 1 goes on serving at/);

    const dying = `console.error('cannot find the database'); process.exit(3);`;
    await platform.commit(folder, { Dockerfile: dockerfile, 'app.js': appAt('v2', dying) });
    const died = await push(folder);
    expect(died.output).toMatch(/remote: Failed: its process ended with exit code 3 before/);
    expect(died.output).toMatch(/remote: {3}cannot find the database/);
    expect(platform.told.filter((one) => one.kind === 'exit').at(-1)).toMatchObject({
      exit: { code: 3 },
    });

    const elsewhere = appAt('v3').replace('process.env.PORT', '4444');
    const impatient = '{"healthTimeoutMs": 3000}';
    await platform.commit(folder, { 'app.js': elsewhere, 'fixpoint.json': impatient });
    const silent = await push(folder);
    expect(silent.output).toMatch(/remote: Failed: not healthy within 3.0 s: GET \/ on port 3000/);
    expect(silent.output).toMatch(/It listens on port 4444, not on 3000/);
    expect(silent.output).toMatch(/remote: {3}version v3 starts/);

    const greedy = `let all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1));`;
    const small = '{"memoryBytesMax": 67108864}';
    await platform.commit(folder, { 'app.js': appAt('v4', greedy), 'fixpoint.json': small });
    expect((await push(folder)).output).toMatch(/signal 9 .*more memory than its 64 MiB/);

    expect(await platform.get('shop')).toEqual({ status: 200, text: 'v1' });
    expect(await containersOf('shop', 'app')).toHaveLength(1);
    expect(await containersOf('shop', 'anchor')).toHaveLength(1);
    expect(await deploymentsOf('shop')).toEqual([
      ...Array.from({ length: 4 }, () => 'main failed'),
      'main serving',
    ]);
  });

  it('goes on when the pusher hangs up', async () => {
    const folder = workFolder('shop');
    // It is silent for long enough that nobody who is impatient waits for its end.
    const silent = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000);';
    await platform.commit(folder, { 'app.js': appAt('v5', silent), 'fixpoint.json': '{}' });
    // git gives up as soon as the server says nothing for a second: it hangs up in the middle.
    const impatient = ['-c', 'http.lowSpeedLimit=1000000', '-c', 'http.lowSpeedTime=1'];
    const { status } = await platform.git(folder, [...impatient, 'push', 'fixpoint', 'main']);
    expect(status).not.toBe(0);
    await until(async () => (await platform.get('shop')).text === 'v5');
    await platform.deployer.settled();
    expect((await deploymentsOf('shop'))[0]).toBe('main serving');
  });
});

describe('a switch', () => {
  it('fails no request, from users or from other apps', async () => {
    const caller = await platform.app('caller');
    await platform.commit(caller, { Dockerfile: dockerfile, 'app.js': appAt('caller') });
    await push(caller);
    const call = '/call/shop:3000/';
    expect(await platform.get('caller', call)).toEqual({ status: 200, text: 'v5' });
    expect(await platform.get('caller', '/call/shop/')).toMatchObject({ text: 'v5' });

    const seen: Record<string, string[]> = { users: [], apps: [], slow: [] };
    let running = true;
    const loop = async (into: string, app: string, path: string) => {
      while (running) {
        const { status, text } = await platform.get(app, path).catch((error) => ({
          status: 0,
          text: String(error),
        }));
        seen[into]!.push(status === 200 ? text : `${status} ${text}`);
      }
    };
    const loops = [
      loop('users', 'shop', '/'),
      loop('users', 'shop', '/'),
      loop('apps', 'caller', call),
      loop('slow', 'shop', '/slow'),
    ];
    const folder = workFolder('shop');
    // It listens at once and is not healthy for a while: nobody may reach it before it is.
    const sleepy = `const born = Date.now(); const old = http.createServer; http.createServer = (f) =>
      old((q, r) => Date.now() - born < 1500 ? r.writeHead(500).end('asleep') : f(q, r));`;
    for (const version of ['v6', 'v7']) {
      await platform.commit(folder, { 'app.js': appAt(version, sleepy) });
      const { output } = await push(folder);
      expect(output).toMatch(/Live at/);
      expect(await platform.get('shop')).toMatchObject({ text: version });
      expect(await platform.get('caller', call)).toMatchObject({ text: version });
    }
    await platform.deployer.settled();
    running = false;
    await Promise.all(loops);
    for (const [who, answers] of Object.entries(seen)) {
      expect(new Set(answers), who).toEqual(new Set(['v5', 'v6', 'v7']));
    }
    expect(seen.users!.length).toBeGreaterThan(100);
    expect(await containersOf('shop', 'app')).toHaveLength(1);
  });

  it('to a new configuration builds nothing', async () => {
    await platform.store.env.set('shop', { GREETING: 'hello' });
    const lines: string[] = [];
    const deployment = await platform.deployer.redeploy('shop', (line) => lines.push(line));
    expect(deployment?.status, lines.join('\n')).toBe('serving');
    expect(lines.join('\n')).toMatch(/Using the image of release \d+/);
    expect(await platform.get('shop', '/env')).toMatchObject({ text: 'hello' });
  });

  it('is waited for by pushes, of which the newest wins', async () => {
    const folder = workFolder('shop');
    const commits = [];
    for (const version of ['w1', 'w2', 'w3']) {
      commits.push(await platform.commit(folder, { 'app.js': appAt(version) }));
    }
    await push(folder, 'main:elsewhere');
    const all = commits.map((commit) =>
      platform.deployer.deploy({ app: 'shop', branch: 'main', commit }),
    );
    const ended = (await Promise.all(all)).map((one) => one.status);
    expect(ended).toEqual(['serving', 'interrupted', 'serving']);
    expect(await platform.get('shop')).toMatchObject({ text: 'w3' });
    expect((await push(folder)).output).toMatch(/Using the image of release \d+/);
    expect((await deploymentsOf('shop')).filter((one) => one.endsWith('serving'))).toHaveLength(1);
    await platform.deployer.settled();
    const releases = await platform.store.releases.list('shop');
    const kept = releases.toSorted((a, b) => b.number - a.number).slice(0, 4);
    for (const { number, imageId } of releases) {
      const wanted = kept.some((one) => one.imageId === imageId);
      expect((await platform.engine.image(imageId)) !== null, `release ${number}`).toBe(wanted);
    }
  });
});

describe('a death', () => {
  it('is told after the last words, and the process is started again where it was', async () => {
    const before = platform.deployer.current('shop')!;
    await platform.get('shop', '/die');
    await until(async () => (await platform.get('shop')).text === 'w3');
    await until(() => platform.told.some((one) => one.kind === 'exit' && isOf(one, before.id)));
    const told = platform.told.filter((one) => isOf(one, before.id));
    const exit = told.findIndex((one) => one.kind === 'exit');
    expect(told[exit]).toMatchObject({ exit: { code: 7, signal: null, oomKilled: false } });
    const words = told.slice(0, exit).map((one) => (one.kind === 'log' ? one.line.text : ''));
    expect(words).toContain('about to die');
    expect(platform.deployer.current('shop')).toEqual(before);
    await until(() => linesOf(before.id).filter((line) => line === 'version w3 starts').length > 1);
    expect(linesOf(before.id).filter((line) => line === 'version w3 starts')).toHaveLength(2);
  });

  it('that comes again and again is declared a loop', async () => {
    const { id } = platform.deployer.current('shop')!;
    await until(async () => {
      await platform.get('shop', '/die');
      return platform.told.some((one) => one.kind === 'loop' && isOf(one, id));
    });
    await until(async () => (await platform.get('shop')).status === 200);
  });

  it('of the anchor is mended by another instance of the same release', async () => {
    const before = platform.deployer.current('shop')!;
    await platform.engine.remove(before.anchorId);
    await platform.engine.kill(before.containerId, 'SIGKILL');
    await until(async () => (await platform.get('shop')).text === 'w3');
    await until(() => platform.deployer.current('shop')?.id !== before.id);
    await platform.deployer.settled();
    const after = platform.deployer.current('shop')!;
    expect(after.releaseNumber).toBe(before.releaseNumber);
    expect(await containersOf('shop', 'app')).toHaveLength(1);
  });
});

describe('the next server', () => {
  it('takes up what runs, removes what does not belong, and leaves others alone', async () => {
    const before = platform.deployer.current('shop')!;
    const network = { kind: 'none' } as const;
    const image = 'debian:bookworm-slim';
    const labels = { 'fixpoint.owner': platform.settings.owner };
    const orphan = await platform.engine.create({ image, labels, network });
    const stranger = await platform.engine.create({ image, labels: {}, network });
    await platform.restart();
    platform.told.length = 0;
    await platform.deployer.restore();
    await platform.deployer.settled();
    expect(platform.deployer.current('shop')).toEqual(before);
    expect(platform.told.map((one) => one.kind)).toContain('adopted');
    expect(platform.told.filter((one) => one.kind === 'anchor')).toEqual([]);
    expect(await platform.engine.inspect(orphan)).toBeNull();
    expect(await platform.engine.inspect(stranger)).not.toBeNull();
    expect(await platform.get('shop')).toEqual({ status: 200, text: 'w3' });
    await platform.get('shop', '/die');
    await until(() => platform.told.some((one) => one.kind === 'exit' && isOf(one, before.id)));
    await until(async () => (await platform.get('shop')).text === 'w3');
  });

  it('starts what died meanwhile and repeats what was under way', async () => {
    const folder = workFolder('caller');
    const commit = await platform.commit(folder, { 'app.js': appAt('caller 2') });
    await platform.git(folder, ['push', 'fixpoint', 'main:later']);
    const shop = platform.deployer.current('shop')!;
    const caller = platform.deployer.current('caller')!;
    await platform.restart();
    platform.told.length = 0;
    await platform.engine.kill(shop.containerId, 'SIGKILL');
    await platform.engine.remove(caller.containerId);
    await platform.engine.remove(caller.anchorId);
    const running = await platform.store.deployments.add({
      app: 'caller',
      branch: 'main',
      commit,
      releaseNumber: null,
      status: 'building',
      reason: null,
      startedAt: Date.now() * 1000,
      endedAt: null,
    });
    await platform.deployer.restore();
    await platform.deployer.settled();
    expect(await platform.store.deployments.get(running.id)).toMatchObject({
      status: 'interrupted',
    });
    const exits = platform.told.filter((one) => one.kind === 'exit' && isOf(one, shop.id));
    expect(exits).toMatchObject([{ exit: { signal: 9 } }]);
    await until(async () => (await platform.get('shop')).text === 'w3');
    // What was under way was not the head of the branch: the head is what is deployed.
    expect(await platform.get('caller')).toMatchObject({ text: 'caller' });
    expect(await platform.get('caller', '/call/shop:3000/')).toMatchObject({ text: 'w3' });
  });

  it('repeats a deployment that broke off with the server', async () => {
    const folder = workFolder('caller');
    const late = `const until = Date.now() + 3000; while (Date.now() < until);`;
    await platform.commit(folder, { 'app.js': appAt('caller 3', late) });
    const pushing = push(folder);
    await until(async () => (await deploymentsOf('caller'))[0] === 'main starting');
    await platform.restart();
    expect(await deploymentsOf('caller').then((all) => all[0])).toBe('main interrupted');
    expect((await pushing).output).toMatch(/remote: Interrupted: the server stopped/);
    expect(await platform.get('caller')).toMatchObject({ status: 200, text: 'caller' });
    await platform.deployer.restore();
    await platform.deployer.settled();
    expect(await platform.get('caller')).toMatchObject({ text: 'caller 3' });
    expect(await containersOf('caller', 'app')).toHaveLength(1);
    expect(await containersOf('caller', 'anchor')).toHaveLength(1);
  });
});

function isOf(one: { instance: { id: string } }, id: string): boolean {
  return one.instance.id === id;
}

function linesOf(id: string): string[] {
  return platform.told.flatMap((one) =>
    one.kind === 'log' && one.instance.id === id ? [one.line.text] : [],
  );
}

function workFolder(app: string): string {
  return platform.workFolder(app);
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (await Promise.resolve(check()).catch(() => false)) return;
    await sleep(50);
  }
  throw new Error(`this never came true: ${check}`);
}

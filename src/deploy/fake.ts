/** For tests and benchmarks: a whole platform for deploying, with real parts, that cleans up. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Instance, LogLine, ProcessExit } from '../domain/app.ts';
import { silent } from '../domain/logger.ts';
import { now } from '../domain/time.ts';
import { dockerEngine } from '../engine/docker.ts';
import type { Engine } from '../engine/engine.ts';
import { createRepository, openRepository } from '../git/bare.ts';
import { type HttpBackend, httpBackend } from '../git/http-backend.ts';
import { gitEnvironment } from '../git/run.ts';
import { nginxRouter } from '../router/nginx.ts';
import type { Router } from '../router/router.ts';
import { openTestStore } from '../store/fake.ts';
import type { Store } from '../store/store.ts';
import { type DeploySettings, deploySettings, type InstanceHooks } from './context.ts';
import { type Deployer, deployer } from './deployer.ts';

/** What the hooks were told, in order. */
export type Told =
  | { kind: 'anchor' | 'healthy' | 'adopted' | 'stop'; instance: Instance }
  | { kind: 'log'; instance: Instance; line: LogLine }
  | { kind: 'exit'; instance: Instance; exit: ProcessExit }
  | { kind: 'loop'; instance: Instance; deaths: number };

export interface TestPlatform {
  engine: Engine;
  store: Store;
  router: Router;
  deployer: Deployer;
  settings: DeploySettings;
  told: Told[];
  /** Ends the deployer, which leaves every app as it is, and makes the next server's. */
  restart(): Promise<void>;
  /** Makes an app; its working copy is the folder that is returned. */
  app(name: string): Promise<string>;
  workFolder(app: string): string;
  commit(folder: string, files: Record<string, string>): Promise<string>;
  git(
    folder: string,
    argv: string[],
    onText?: (text: string) => void,
  ): Promise<{ status: number | null; output: string }>;
  /** GET through the router, as a user would. */
  get(app: string, path?: string): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

export async function testPlatform(more: Partial<DeploySettings> = {}): Promise<TestPlatform> {
  const owner = `test-${randomBytes(4).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), 'fixpoint-deploy-'));
  const engine = dockerEngine({ labels: { 'fixpoint.test': owner } });
  const store = await openTestStore();
  const port = await freePort();
  const router = nginxRouter({ folder: join(folder, 'router'), port, address: '127.0.0.1' });
  await router.start();
  const told: Told[] = [];
  const settings: DeploySettings = {
    ...deploySettings,
    owner,
    network: `fixpoint-${owner}`,
    domain: 'localhost',
    routerPort: port,
    defaults: {
      healthPath: '/',
      healthTimeoutMs: 60_000,
      drainMs: 5_000,
      memoryBytesMax: 256 << 20,
      processesMax: 100,
    },
    stopTimeoutMs: 2_000,
    ...more,
  };
  const repositoryPath = (app: string) => join(folder, 'git', `${app}.git`);
  const workFolder = (app: string) => join(folder, 'work', app);
  const start = () =>
    deployer({
      engine,
      router,
      store,
      settings,
      logger: silent,
      hooks: hooksInto(told),
      repositoryOf: (app) => openRepository(repositoryPath(app)),
    });
  let current = start();
  const backend = await httpBackend({
    folder: join(folder, 'hooks'),
    onPush: (push, say) => current.pushed(push, say),
  });
  const { server, url } = await serveGit(backend, repositoryPath);
  return {
    engine,
    store,
    router,
    settings,
    told,
    git: runGit,
    get deployer() {
      return current;
    },
    async restart() {
      await current.close();
      current = start();
    },
    workFolder,
    async app(name) {
      await store.apps.create({ name, defaultBranch: 'main', createdAt: now() });
      await createRepository(repositoryPath(name));
      const work = workFolder(name);
      await mkdir(work, { recursive: true });
      await runGit(work, ['init', '-q', '-b', 'main']);
      await runGit(work, ['remote', 'add', 'fixpoint', `${url}/${name}.git`]);
      return work;
    },
    async commit(work, files) {
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(work, path)), { recursive: true });
        await writeFile(join(work, path), text);
      }
      await runGit(work, ['add', '-A', '.']);
      await runGit(work, ['commit', '-q', '--allow-empty', '-m', `Change ${Object.keys(files)}`]);
      return (await runGit(work, ['rev-parse', 'HEAD'])).output.trim();
    },
    async get(app, path = '/') {
      // Not every resolver knows names under localhost: asked at the address, by the Host header.
      return await getFrom({ port, host: `${app}.localhost`, path });
    },
    async close() {
      const images = await imagesOf(store);
      await current.removeEverything();
      for (const container of await engine.list({ 'fixpoint.test': owner })) {
        await engine.remove(container.id);
      }
      for (const id of images) await engine.removeImage(id);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await backend.close();
      await router.stop();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function hooksInto(told: Told[]): InstanceHooks {
  return {
    onAnchor: async (instance) => void told.push({ kind: 'anchor', instance }),
    onHealthy: async (instance) => void told.push({ kind: 'healthy', instance }),
    onAdopted: async (instance) => void told.push({ kind: 'adopted', instance }),
    onStop: async (instance) => void told.push({ kind: 'stop', instance }),
    onLog: (instance, line) => void told.push({ kind: 'log', instance, line }),
    onExit: (instance, exit) => void told.push({ kind: 'exit', instance, exit }),
    onRestartLoop: (instance, deaths) => void told.push({ kind: 'loop', instance, deaths }),
  };
}

async function serveGit(backend: HttpBackend, repositoryPath: (app: string) => string) {
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://host');
    const [, name = '', path = ''] = /^\/([^/]+)\.git(\/.*)$/.exec(pathname) ?? [];
    const target = { directory: repositoryPath(name), name, user: 'test', path };
    backend.handle(request, response, target).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function runGit(cwd: string, argv: string[], onText: (text: string) => void = () => {}) {
  const env = gitEnvironment({ 'user.name': 'Test', 'user.email': 'test@example.org' });
  const child = spawn('git', argv, { cwd, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      onText(text);
    });
  }
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, output };
}

async function getFrom(from: { port: number; host: string; path: string }) {
  return await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const options = { ...from, host: '127.0.0.1', headers: { host: from.host }, agent: false };
    const asking = get(options, async (response) => {
      let text = '';
      try {
        for await (const part of response.setEncoding('utf8')) text += part;
        resolve({ status: response.statusCode ?? 0, text });
      } catch (error) {
        reject(error);
      }
    });
    // A request to an instance that vanished with its network is never answered.
    asking.setTimeout(10_000, () => asking.destroy(new Error('no answer within 10 s')));
    asking.on('error', reject);
  });
}

async function imagesOf(store: Store): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const { name } of await store.apps.list()) {
    for (const release of await store.releases.list(name)) ids.add(release.imageId);
  }
  return ids;
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

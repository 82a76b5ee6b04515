/** The Router seam on nginx: two of them, of which the one that users talk to never changes. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { edgeConfig, type RouterLimits, routerLimits, routesConfig } from './config.ts';
import { NginxMaster, removeStaleSockets } from './master.ts';
import type { Route, Router } from './router.ts';

export interface NginxRouterOptions {
  /** A folder of its own, for configurations, logs and process ids. */
  folder: string;
  port: number;
  /** Every address of the machine when absent. */
  address?: string;
  /** Named when the port is in use. */
  portSetting?: string;
  limits?: Partial<RouterLimits>;
  /** The nginx to run. */
  program?: string;
}

const switchTimeoutMs = 60_000;
const stopGraceMs = 3_000;

export function nginxRouter(options: NginxRouterOptions): Router {
  const program = options.program ?? 'nginx';
  const edge = new NginxMaster(join(options.folder, 'edge'), program);
  const back = new NginxMaster(join(options.folder, 'routes'), program);
  const limits = { ...routerLimits, ...options.limits };
  const sockets = socketFolderFor(options.folder);
  const routesSocket = join(sockets, 'routes.sock');
  const statusSocket = join(sockets, 'status.sock');
  let turn: Promise<unknown> = Promise.resolve();

  const configOf = (routes: Route[], generation: string) => {
    const { paths } = back;
    return routesConfig({ routes, routesSocket, statusSocket, generation, limits, paths });
  };

  async function startRoutes(): Promise<void> {
    if ((await back.pid()) !== null) return;
    await removeStaleSockets(sockets);
    // What served last serves again until it is told otherwise.
    if ((await back.config()) === '') await back.write(configOf([], randomUUID()));
    await back.start();
  }

  async function startEdge(): Promise<void> {
    const listen = listenOf(options);
    const config = edgeConfig({ listen, routesSocket, limits, paths: edge.paths });
    if ((await edge.pid()) !== null) {
      if ((await edge.config()) === config) return;
      await edge.stop(stopGraceMs);
    }
    await edge.write(config);
    await edge.start().catch((error: unknown) => {
      throw portError(error as Error, options);
    });
  }

  async function apply(routes: Route[]): Promise<void> {
    const generation = randomUUID();
    const before = await back.config();
    await back.write(configOf(routes, generation));
    let pid = await back.pid();
    if (pid === null) {
      await removeStaleSockets(sockets);
      await back.start();
      pid = await back.pid();
    } else {
      const old = await back.takingWorkers(pid);
      back.reload(pid);
      if (await switched({ pid, generation, old })) return;
      await back.write(before);
      back.reload(pid);
      throw new Error(`nginx did not take its new routes, see ${back.paths.errorLog}`);
    }
  }

  /** New workers answer, and the old ones no longer take connections. */
  async function switched(to: { pid: number; generation: string; old: number[] }) {
    const until = Date.now() + switchTimeoutMs;
    while (Date.now() < until) {
      const taking = await back.takingWorkers(to.pid);
      const done = taking.length > 0 && !taking.some((worker) => to.old.includes(worker));
      if (done && (await generationAt(statusSocket)) === to.generation) return true;
      await sleep(10);
    }
    return false;
  }

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  return {
    start: () =>
      inTurn(async () => {
        await makeSocketFolder(sockets);
        await startRoutes();
        await startEdge();
      }),
    apply: (routes) => inTurn(() => apply(routes)),
    stop: () =>
      inTurn(async () => {
        await edge.stop(stopGraceMs);
        await back.stop(stopGraceMs);
        await rm(sockets, { recursive: true, force: true });
      }),
  };
}

function listenOf({ address, port }: NginxRouterOptions): string[] {
  if (address) return [address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`];
  const both = existsSync('/proc/net/if_inet6');
  return both ? [`0.0.0.0:${port}`, `[::]:${port}`] : [`0.0.0.0:${port}`];
}

function portError(error: Error, { port, portSetting = 'port' }: NginxRouterOptions): Error {
  if (/bind\(\).*\(98:|Address already in use/.test(error.message)) {
    const words = `port ${port} is in use by another program: free it or change ${portSetting}`;
    return new Error(words, { cause: error });
  }
  if (/bind\(\).*\(13:|Permission denied/.test(error.message)) {
    const words = `no permission to listen on port ${port}: run as root or change ${portSetting}`;
    return new Error(words, { cause: error });
  }
  return new Error(`nginx did not start: ${error.message}`, { cause: error });
}

/** A short path that nginx's workers, which run as another user, can enter. */
function socketFolderFor(folder: string): string {
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  const base = process.getuid?.() === 0 && existsSync('/run') ? '/run' : tmpdir();
  return join(base, `fixpoint-router-${hash}`);
}

async function makeSocketFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${folder} is needed for sockets and belongs to somebody else`);
  }
}

function generationAt(socketPath: string): Promise<string> {
  return new Promise((resolve) => {
    const asking = request({ socketPath, path: '/generation', agent: false }, (response) => {
      text(response).then(resolve, () => resolve(''));
    });
    asking.setTimeout(2_000, () => asking.destroy());
    asking.on('error', () => resolve(''));
    asking.end();
  });
}

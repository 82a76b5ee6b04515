/** Picks the implementations of all parts, starts them in order, and stops them in reverse. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startApi } from '../api/server.ts';
import { loadToken } from '../api/token.ts';
import type { Config } from '../config.ts';
import { planOf } from '../deploy/deploy.ts';
import { deployer } from '../deploy/deployer.ts';
import { labelNames } from '../deploy/specs.ts';
import { dockerEngine } from '../engine/docker.ts';
import type { Engine } from '../engine/engine.ts';
import { builtinForge } from '../forge/builtin.ts';
import { openRepository } from '../git/bare.ts';
import { httpBackend } from '../git/http-backend.ts';
import { noticed, type Parts } from '../pipeline.ts';
import { record } from '../record/record.ts';
import { startSensor } from '../record/sensor/sensor.ts';
import { createReplayer, replayerDefaults } from '../replay/replayer.ts';
import { nginxRouter } from '../router/nginx.ts';
import { openStore } from '../store/open.ts';
import { closeStale } from '../submit/stale.ts';
import { declareAbsence, heartbeat } from './absence.ts';
import { hooksFor } from './hooks.ts';
import { locators } from './locators.ts';
import { loggerOf } from './logger.ts';
import { FixpointPlatform } from './platform.ts';
import { neededReleases, tidyUp } from './retention.ts';
import { sensorState } from './sensor-state.ts';
import {
  bounded,
  candidatesOf,
  deploySettingsOf,
  modelFrom,
  ownerOf,
  pipelineSettings,
} from './settings.ts';

const retentionEveryMs = 3_600_000;

export interface Server {
  /** Of the API. */
  url: string;
  /** Stops the server; apps go on serving for the next one. */
  close(): Promise<void>;
}

export interface Watching {
  say: (text: string) => void;
  /** The server cannot go on, with the reason. */
  onFatal: (reason: string) => void;
}

/** Throws an error for people when something that it needs is missing or in use. */
export async function startServer(config: Config, watching: Watching): Promise<Server> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    return { url: await startParts(config, watching, closers), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startParts(
  config: Config,
  { say, onFatal }: Watching,
  closers: (() => unknown)[],
): Promise<string> {
  const { dataDir } = config;
  const logger = loggerOf(config);
  const onWarning = (message: string) => logger.warn(message);
  const engine = dockerEngine({ host: `unix://${config.engine.socket}` });
  await engine.ping();
  const { databaseUrl } = config;
  const store = await openStore({ dataDir, databaseUrl, onFatal, onWarning });
  closers.push(() => store.close());
  const token = await loadToken(dataDir);
  const owner = ownerOf(dataDir);

  say('Starting the sensor');
  const sensor = await startSensor();
  closers.push(() => sensor.close());
  const recorder = record({ sensor, store, logger, limits: config.record });
  closers.push(() => recorder.close());

  const router = nginxRouter({
    folder: join(dataDir, 'router'),
    port: config.router.port,
    address: config.router.host,
    portSetting: 'router.port (--router-port, FIXPOINT_ROUTER_PORT)',
  });
  await router.start();

  const repositoryOf = (app: string) => openRepository(join(dataDir, 'git', `${app}.git`));
  const settings = deploySettingsOf(config, owner);
  await engine.ensureNetwork(settings.network, { [labelNames.owner]: owner });
  const deploying = deployer({
    ...{ engine, router, store, logger, repositoryOf, settings },
    hooks: hooksFor(recorder, engine, logger),
    neededReleases: (app) => neededReleases(store, app),
  });
  closers.push(() => deploying.close());

  const directory = join(dataDir, 'sandboxes');
  const warm = config.replay.sandboxesMax;
  const replayer = bounded(await createReplayer({ engine, directory, warm }), config);
  closers.push(() => replayer.close());
  const baseBranchOf = async (app: string) => (await store.apps.get(app))?.defaultBranch ?? 'main';
  const parts: Parts = {
    ...{ store, engine, replayer, repositoryOf, logger },
    forge: builtinForge({ repositoryOf, baseBranchOf }),
    model: modelFrom(config),
    locatorOf: locators(engine, repositoryOf),
    dockerfileOf: async (app, commit) => {
      const plan = await planOf(await repositoryOf(app), commit);
      if ('refusal' in plan) throw new Error(plan.refusal);
      return plan.dockerfile;
    },
    labels: { [labelNames.owner]: candidatesOf(owner) },
    settings: pipelineSettings(config),
  };
  recorder.onFailure((suspicion) =>
    noticed(parts, suspicion).catch((error: unknown) => {
      logger.error('a failure could not be filed', { reason: wordsOf(error) });
    }),
  );

  await removeCandidates(engine, owner);

  let url = '';
  const platform = new FixpointPlatform({
    ...{ config, parts, recorder, deployer: deploying },
    sandboxImage: replayerDefaults.sandboxImage,
    baseUrl: () => config.api.publicUrl ?? url,
    sensorState: sensorState(sensor),
  });
  closers.push(() => platform.close());
  const git = await httpBackend({
    folder: join(dataDir, 'git-hooks'),
    onPush: async (push, tell) => {
      await deploying.pushed(push, tell);
      await endStale(parts, push.name);
    },
  });
  closers.push(() => git.close());
  const isBack = await declareAbsence(store, dataDir);
  await deploying.restore();
  await isBack();
  closers.push(heartbeat(dataDir, () => recorder.status().handledUntil));
  await platform.start();
  const api = await startApi({
    ...{ platform, store, token, logger, host: config.api.host, port: config.api.port },
    about: { version: await versionOf(), dataDir },
    git: (request, response, { app, user, path }) =>
      git.handle(request, response, {
        directory: join(dataDir, 'git', `${app}.git`),
        ...{ name: app, user, path: path.split('?')[0] ?? path },
      }),
  });
  url = api.url;
  closers.push(() => api.close());
  const { retention } = config;
  const tidy = () =>
    void tidyUp({ store, logger, limits: retention }).catch((error: unknown) => {
      logger.error('retention failed', { reason: wordsOf(error) });
    });
  const timer = setInterval(tidy, retentionEveryMs);
  closers.push(() => clearInterval(timer));
  return url;
}

/** Stops and removes what this data directory's server left running: apps, router, sandboxes. */
export async function removeEverything(config: Config): Promise<void> {
  const { dataDir } = config;
  const logger = loggerOf(config);
  await mkdir(dataDir, { recursive: true });
  const store = await openStore({ dataDir, databaseUrl: config.databaseUrl });
  const engine = dockerEngine({ host: `unix://${config.engine.socket}` });
  try {
    const router = nginxRouter({ folder: join(dataDir, 'router'), port: config.router.port });
    await router.stop();
    const owner = ownerOf(dataDir);
    const hooks = hooksFor(null, engine, logger);
    const repositoryOf = (app: string) => openRepository(join(dataDir, 'git', `${app}.git`));
    const settings = deploySettingsOf(config, owner);
    await deployer({
      engine,
      router,
      store,
      logger,
      repositoryOf,
      hooks,
      settings,
    }).removeEverything();
    await removeCandidates(engine, owner);
    await (
      await createReplayer({ engine, directory: join(dataDir, 'sandboxes'), warm: 0 })
    ).close();
  } finally {
    await store.close();
  }
}

/** What a server that was killed while it verified left behind. */
async function removeCandidates(engine: Engine, owner: string): Promise<void> {
  const labels = { [labelNames.owner]: candidatesOf(owner) };
  for (const container of await engine.list(labels)) await engine.remove(container.id);
  for (const image of await engine.images(labels)) await engine.removeImage(image);
}

/** Change requests that the pushed commit has overtaken are closed by themselves. */
async function endStale(parts: Parts, name: string): Promise<void> {
  const app = await parts.store.apps.get(name);
  if (app === null) return;
  const repository = await parts.repositoryOf(name);
  const { forge, store } = parts;
  for (const { change, reason } of await closeStale({ app, repository, forge, store })) {
    parts.logger.info('a change request was closed', { change: change.id, reason });
  }
}

async function versionOf(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

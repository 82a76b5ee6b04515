/** One deployment from a commit to serving: read from the top, `deploy` is what happens. */
import type { Deployment, Release } from '../domain/app.ts';
import {
  type AppFile,
  appFileName,
  findDockerfile,
  readAppFile,
  releaseConfigOf,
} from '../domain/app-file.ts';
import { now } from '../domain/time.ts';
import type { Repository } from '../git/repository.ts';
import { type DeployOptions, hostOf, type Order, urlOf } from './context.ts';
import { type GateResult, healthGate } from './gate.ts';
import { removeOldImages } from './images.ts';
import { containerEnd, launch, type Running, removeInstance } from './instance.ts';
import { closePlace, openPlace, type Place } from './place.ts';
import type { Serving } from './serving.ts';
import { listenHint, socketsOf } from './sockets.ts';
import { imageLabels } from './specs.ts';

/** The parts that one deployment works with. */
export interface DeployParts {
  options: DeployOptions;
  serving: Serving;
  /** Runs builds one after the other. */
  inBuildTurn<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Puts a commit on the platform. Whatever goes wrong, what served before goes on serving, and
 * the deployment ends with the reason.
 */
export async function deploy(parts: DeployParts, order: Order): Promise<Deployment> {
  const { options } = parts;
  const { deployment, say, signal } = order;
  const { app, commit, id } = deployment;
  let place: Promise<Place> | null = null;
  try {
    const repository = await options.repositoryOf(app);
    const { subject } = await repository.describe(commit);
    say(`Deploying ${app} at ${commit.slice(0, 8)} (${subject})`);
    const plan = await planOf(repository, commit);
    if ('refusal' in plan) return await end(parts, order, 'refused', plan.refusal);

    await options.store.deployments.update(id, { status: 'building' });
    place = openPlace(options, app);
    place.catch(() => undefined);
    const { dockerfile, file } = plan;
    const built = await imageOf(parts, order, { repository, dockerfile });
    signal.throwIfAborted();
    if ('failure' in built) {
      await closePlace(options, place);
      return await end(parts, order, 'failed', `the build failed: ${built.failure}`);
    }
    const { release, portFrom } = await releaseOf(options, { app, commit, file, ...built });
    const { number, config } = release;
    await options.store.deployments.update(id, { status: 'starting', releaseNumber: number });
    say(`Starting release ${number} on port ${config.port} (${portFrom})`);
    const running = await launch(options, { release, deploymentId: id, place: await place });
    return await openGate(parts, order, { release, running });
  } catch (error) {
    if (place && !isServing(parts, await place.catch(() => null))) await closePlace(options, place);
    if (signal.aborted) return await end(parts, order, 'interrupted', 'the server stopped');
    const { message, stack } = error as Error;
    options.logger.error('a deployment broke off', { app, stack });
    return await end(parts, order, 'failed', message);
  }
}

/** Stores how the image is run, with the app's present environment. */
async function releaseOf(
  { engine, store, settings }: DeployOptions,
  from: { app: string; commit: string; file: AppFile; imageId: string },
): Promise<{ release: Release; portFrom: string }> {
  const { app, commit, file, imageId } = from;
  const image = await engine.image(imageId);
  if (!image) throw new Error(`image ${imageId} is gone right after it was built`);
  const env = await store.env.current(app);
  const { defaults } = settings;
  const { config, portFrom } = releaseConfigOf({ file, image, env: env.values, defaults });
  const release = await store.releases.add({
    app,
    commit,
    imageId,
    config,
    envVersion: env.version,
    createdAt: now(),
  });
  return { release, portFrom };
}

function isServing({ serving }: DeployParts, place: Place | null): boolean {
  return place !== null && serving.current(place.app)?.id === place.instance;
}

/** What the repository says of how it is deployed. */
export async function planOf(
  repository: Repository,
  commit: string,
): Promise<{ file: AppFile; dockerfile: string } | { refusal: string }> {
  const bytes = await repository.read(commit, appFileName);
  const said = readAppFile(bytes && Buffer.from(bytes).toString('utf8'));
  if (said.kind === 'refused') return { refusal: said.reason };
  const paths = (await repository.tree(commit)).map((entry) => entry.path);
  const found = findDockerfile(paths, said.file);
  if (found.kind === 'missing') return { refusal: found.reason };
  return { file: said.file, dockerfile: found.path };
}

/** The image of an earlier release of the same commit, or a new one. */
async function imageOf(
  { options, inBuildTurn }: DeployParts,
  { deployment, say, signal }: Order,
  { repository, dockerfile }: { repository: Repository; dockerfile: string },
): Promise<{ imageId: string } | { failure: string }> {
  const { engine, store, settings } = options;
  const { app, commit } = deployment;
  for (const release of await store.releases.list(app)) {
    if (release.commit !== commit || !(await engine.image(release.imageId))) continue;
    say(`Using the image of release ${release.number}, which is of the same commit`);
    return { imageId: release.imageId };
  }
  return await inBuildTurn(async () => {
    const startedAt = performance.now();
    say(`Building ${dockerfile}`);
    const result = await engine.build({
      context: () => repository.archive(commit),
      dockerfile,
      labels: imageLabels(settings, app, commit),
      tags: [`fixpoint-app/${app}:${commit.slice(0, 12)}-${settings.owner}`.toLowerCase()],
      onLine: (line) => say(`  ${line}`),
      timeoutMs: settings.buildTimeoutMs,
      signal,
    });
    if (result.kind === 'failed') return { failure: result.reason };
    say(`Built in ${seconds(performance.now() - startedAt)}`);
    return { imageId: result.imageId };
  });
}

/** Lets the instance in when it is healthy, and removes it when it is not. */
async function openGate(
  parts: DeployParts,
  order: Order,
  { release, running }: { release: Release; running: Running },
): Promise<Deployment> {
  const { options, serving } = parts;
  const { store, hooks, settings } = options;
  const { deployment, say, signal } = order;
  const { instance } = running;
  try {
    const gate = await healthGate({
      instance,
      config: release.config,
      host: hostOf(settings, release.app),
      exited: exitOrNever(options, running, signal),
      signal,
    });
    if (gate.kind === 'healthy') {
      say(`Healthy after ${seconds(gate.tookMs)}: ${release.config.healthPath} -> ${gate.status}`);
      instance.healthyAt = now();
      await store.instances.update(instance.id, { healthyAt: instance.healthyAt });
      await hooks.onHealthy(instance);
      const before = await store.deployments.serving(release.app);
      await serving.switchTo(running, { drainMs: release.config.drainMs });
      await store.deployments.update(deployment.id, { status: 'serving', endedAt: now() });
      if (before) await store.deployments.update(before.id, { status: 'replaced' });
      say(`Live at ${urlOf(settings, release.app)}`);
      await removeOldImages(options, release.app);
      return (await store.deployments.get(deployment.id))!;
    }
    const reason = await reasonOf(options, release, { gate, running });
    await tell(options, running, say);
    running.output.stop();
    await removeInstance(options, instance);
    const status = gate.kind === 'aborted' ? 'interrupted' : 'failed';
    return await end(parts, order, status, reason);
  } catch (error) {
    running.output.stop();
    if (serving.current(release.app)?.id !== instance.id) await removeInstance(options, instance);
    throw error;
  }
}

function exitOrNever(options: DeployOptions, { instance, output }: Running, signal: AbortSignal) {
  return containerEnd(options, instance.containerId, signal).then(async (exit) => {
    if (!exit) return { at: now(), code: null, signal: null, oomKilled: false };
    await output.ended(5_000);
    return exit;
  });
}

/** Why it was not let in, in a sentence; a death is told to the hooks as well. */
async function reasonOf(
  { engine, hooks }: DeployOptions,
  { config }: Release,
  { gate, running }: { gate: Exclude<GateResult, { kind: 'healthy' }>; running: Running },
): Promise<string> {
  if (gate.kind === 'aborted') return 'the server stopped';
  if (gate.kind === 'exited') {
    hooks.onExit(running.instance, gate.exit);
    const { code, signal, oomKilled } = gate.exit;
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const size = Math.round(config.memoryBytesMax / 2 ** 20);
    const memory = `: it needed more memory than its ${size} MiB`;
    return `its process ended with ${how} before it was healthy${oomKilled ? memory : ''}`;
  }
  const container = await engine.inspect(running.instance.containerId);
  const rows = container?.running ? await socketsOf(container.pid) : null;
  const hint = rows && listenHint(rows, config.port);
  return (
    `not healthy within ${seconds(config.healthTimeoutMs)}: ` +
    `GET ${config.healthPath} on port ${config.port}: ${gate.last}${hint ? `. ${hint}` : ''}`
  );
}

/** The last lines of its output, for whoever pushed. */
async function tell(
  { engine, settings }: DeployOptions,
  { instance }: Running,
  say: (line: string) => void,
): Promise<void> {
  const lines = await engine.tail(instance.containerId, settings.tailLines).catch(() => []);
  say(lines.length > 0 ? 'Its last lines:' : 'It wrote nothing.');
  for (const line of lines) say(`  ${line.text}`);
}

async function end(
  { options, serving }: DeployParts,
  { deployment, say }: Order,
  status: Deployment['status'],
  reason: string,
): Promise<Deployment> {
  say(`${status[0]!.toUpperCase()}${status.slice(1)}: ${reason}`);
  const { settings } = options;
  const current = serving.current(deployment.app);
  say(
    current
      ? `Release ${current.releaseNumber} goes on serving at ${urlOf(settings, current.app)}`
      : 'Nothing is serving this app.',
  );
  await options.store.deployments.update(deployment.id, { status, reason, endedAt: now() });
  return (await options.store.deployments.get(deployment.id))!;
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(durationMs < 10_000 ? 1 : 0)} s`;
}

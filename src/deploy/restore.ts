/** After a start: takes up the instances that run, removes leftovers, repeats what broke off. */
import type { App, Deployment, Instance } from '../domain/app.ts';
import { now } from '../domain/time.ts';
import type { ContainerInfo } from '../engine/engine.ts';
import type { DeployParts } from './deploy.ts';
import type { Wanted } from './deployer.ts';
import { removeInstance } from './instance.ts';
import { pointFront } from './names.ts';
import { openOutput } from './output.ts';
import { labelNames } from './specs.ts';

/** A commit whose deployment broke off so often is not tried again: it may be the cause. */
const interruptionsMax = 3;

/** How far before its end the output of a process is read that died while nobody watched. */
const lastWordsMicros = 5_000_000;

export interface Afterwards {
  bringBack(app: string, lost: Instance | null): void;
  deploy(wanted: Wanted): void;
}

export async function restore(parts: DeployParts, then: Afterwards): Promise<void> {
  const { engine, store, settings } = parts.options;
  const owned = await engine.list({ [labelNames.owner]: settings.owner });
  const containers = new Map(owned.map((container) => [container.id, container]));
  const apps = await store.apps.list();
  const kept = new Set<string>();
  const missing: { app: string; lost: Instance | null }[] = [];
  const leftOver: Instance[] = [];
  for (const app of apps) {
    parts.serving.expect(app.name);
    const deployment = await tidyDeployments(parts, app);
    const live = await store.instances.list({ app: app.name, live: true });
    const mine = live.find((one) => one.healthyAt && one.deploymentId === deployment?.id) ?? null;
    const adopted = mine !== null && (await adopt(parts, mine, containers));
    if (adopted) kept.add(mine.containerId).add(mine.anchorId);
    else if (deployment) missing.push({ app: app.name, lost: mine });
    leftOver.push(...live.filter((one) => one !== mine || !adopted));
  }
  await parts.serving.apply();
  for (const { name } of apps) {
    const current = parts.serving.current(name);
    if (current) await pointFront(parts.options, name, current);
  }
  for (const instance of leftOver) await removeInstance(parts.options, instance);
  const names = new Set(apps.map((app) => app.name));
  for (const container of owned) {
    if (!kept.has(container.id) && !isFrontOf(container, names)) await engine.remove(container.id);
  }
  for (const { app, lost } of missing) then.bringBack(app, lost);
  for (const app of apps) {
    const wanted = await unfinished(parts, app);
    if (wanted) then.deploy(wanted);
  }
}

/** Ends what was under way, and leaves one deployment serving: the newest. */
async function tidyDeployments(parts: DeployParts, app: App): Promise<Deployment | null> {
  const { deployments } = parts.options.store;
  let newest: Deployment | null = null;
  for (const deployment of await deployments.list(app.name)) {
    const { id, status } = deployment;
    if (status === 'queued' || status === 'building' || status === 'starting') {
      const reason = 'the server ended while it was under way';
      await deployments.update(id, { status: 'interrupted', reason, endedAt: now() });
    }
    if (status !== 'serving') continue;
    if (newest) await deployments.update(id, { status: 'replaced' });
    newest ??= deployment;
  }
  return newest;
}

/** False when its namespace is gone: it then has to be replaced. */
async function adopt(
  { options, serving }: DeployParts,
  instance: Instance,
  containers: Map<string, ContainerInfo>,
): Promise<boolean> {
  const { engine, hooks } = options;
  const anchor = containers.get(instance.anchorId);
  const container = containers.get(instance.containerId);
  if (!anchor?.running || anchor.netns !== instance.netns || !container) return false;
  await hooks.onAdopted(instance);
  const since = container.exit ? container.exit.at - lastWordsMicros : now();
  const output = await openOutput(options, instance, since);
  if (!container.running) {
    await output.ended(5_000);
    output.stop();
    if (container.exit) hooks.onExit(instance, container.exit);
    await engine.start(container.id);
    serving.adopt({ instance, output: await openOutput(options, instance, now()) });
    return true;
  }
  serving.adopt({ instance, output });
  return true;
}

/** The head of the default branch, when nobody has deployed it to an end. */
async function unfinished({ options }: DeployParts, app: App): Promise<Wanted | null> {
  const repository = await options.repositoryOf(app.name).catch(() => null);
  const commit = await repository?.resolve(`refs/heads/${app.defaultBranch}`);
  if (!commit) return null;
  const tries = (await options.store.deployments.list(app.name)).filter(
    (deployment) => deployment.branch === app.defaultBranch,
  );
  const [last] = tries;
  if (last?.commit === commit && last.status !== 'interrupted') return null;
  const broken = tries.slice(0, interruptionsMax);
  const isCause =
    broken.length === interruptionsMax &&
    broken.every((one) => one.commit === commit && one.status === 'interrupted');
  return isCause ? null : { app: app.name, branch: app.defaultBranch, commit };
}

function isFrontOf(container: ContainerInfo, apps: Set<string>): boolean {
  const { labels } = container;
  return labels[labelNames.role] === 'front' && apps.has(labels[labelNames.app] ?? '');
}

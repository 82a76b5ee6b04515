/** Brings one instance to life, from its anchor on, and ends it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance, ProcessExit, Release } from '../domain/app.ts';
import { now } from '../domain/time.ts';
import { EngineError } from '../engine/engine.ts';
import type { DeployOptions } from './context.ts';
import { type Output, openOutput } from './output.ts';
import type { Place } from './place.ts';
import { socketsOf } from './sockets.ts';
import { appSpec } from './specs.ts';

/** An instance that runs, with the stream of what it writes. */
export interface Running {
  instance: Instance;
  output: Output;
}

/**
 * First whoever wants to watch the place, then the app's process. Throws when the engine refuses;
 * nothing is left then, of the place neither.
 */
export async function launch(
  options: DeployOptions,
  wanted: { release: Release; deploymentId: string; place: Place },
): Promise<Running> {
  const { engine, store, hooks, settings } = options;
  const { release, deploymentId, place } = wanted;
  const { anchorId, netns, address } = place;
  let instance: Instance | null = null;
  try {
    const env = await store.env.get(release.app, release.envVersion);
    const containerId = await engine.create(appSpec(settings, place, { release, env, anchorId }));
    instance = {
      id: place.instance,
      app: release.app,
      releaseNumber: release.number,
      deploymentId,
      containerId,
      anchorId,
      netns,
      address,
      port: release.config.port,
      startedAt: now(),
      healthyAt: null,
      endedAt: null,
    };
    await store.instances.add(instance);
    await hooks.onAnchor(instance);
    await engine.start(containerId);
    return { instance, output: await openOutput(options, instance) };
  } catch (error) {
    if (instance) await removeInstance(options, instance);
    else await engine.remove(anchorId);
    throw error;
  }
}

/** Removes it at once. Also for what is left of one. */
export async function removeInstance(options: DeployOptions, instance: Instance): Promise<void> {
  await options.hooks.onStop(instance);
  await options.engine.remove(instance.containerId);
  await options.engine.remove(instance.anchorId);
  await options.store.instances.update(instance.id, { endedAt: now() });
}

/**
 * Waits until its open requests have ended, `drainMs` at most, then stops it: SIGTERM, and SIGKILL
 * after a while. No new request may be on its way to it.
 */
export async function retireInstance(
  options: DeployOptions,
  instance: Instance,
  { drainMs, signal }: { drainMs: number; signal: AbortSignal },
): Promise<void> {
  const until = performance.now() + drainMs;
  // The last requests that were routed here may still be on their way: quiet must last.
  for (let quiet = 0; quiet < 3 && performance.now() < until && !signal.aborted; ) {
    await sleep(Math.min(200, drainMs), undefined, { signal }).catch(() => undefined);
    const used = await isInUse(options, instance);
    if (used === 'gone') break;
    quiet = used === 'idle' ? quiet + 1 : 0;
  }
  // The next server finds it and goes on from here.
  if (signal.aborted) return;
  await options.hooks.onStop(instance);
  const { stopTimeoutMs } = options.settings;
  await options.engine.stop(instance.containerId, { timeoutMs: stopTimeoutMs });
  await options.engine.remove(instance.containerId);
  await options.engine.remove(instance.anchorId);
  await options.store.instances.update(instance.id, { endedAt: now() });
}

async function isInUse(
  { engine }: DeployOptions,
  instance: Instance,
): Promise<'used' | 'idle' | 'unknown' | 'gone'> {
  const anchor = await engine.inspect(instance.anchorId);
  if (!anchor?.running) return 'gone';
  const rows = await socketsOf(anchor.pid);
  if (!rows) return 'unknown';
  const open = rows.some((row) => row.state === 'established' && row.local.port === instance.port);
  return open ? 'used' : 'idle';
}

/** How a container's process ended, as soon as it has; null when the container is gone. */
export async function containerEnd(
  { engine }: DeployOptions,
  id: string,
  signal: AbortSignal,
): Promise<ProcessExit | null> {
  for (;;) {
    try {
      return await engine.wait(id);
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return null;
    }
    // The engine went away or starts again: what became of the process is known afterwards.
    if (signal.aborted) return null;
    await sleep(500);
  }
}

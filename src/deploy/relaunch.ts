/** Brings back what should be serving and is not: a new instance of the release that served. */
import { now } from '../domain/time.ts';
import { hostOf } from './context.ts';
import type { DeployParts } from './deploy.ts';
import { healthGate } from './gate.ts';
import { containerEnd, launch, removeInstance } from './instance.ts';
import { openPlace } from './place.ts';

export type Relaunched =
  | { kind: 'serving' }
  /** The app has no release that serves. */
  | { kind: 'none' }
  /** Somebody removed the image: the commit has to be deployed anew. */
  | { kind: 'image-gone'; branch: string; commit: string }
  | { kind: 'failed'; reason: string };

export async function relaunch(
  { options, serving }: DeployParts,
  app: string,
  signal: AbortSignal,
): Promise<Relaunched> {
  const { store, engine, hooks, settings } = options;
  const deployment = await store.deployments.serving(app);
  const number = deployment?.releaseNumber;
  const release = number ? await store.releases.get(app, number) : null;
  if (!deployment || !release) return { kind: 'none' };
  if (!(await engine.image(release.imageId))) {
    return { kind: 'image-gone', branch: deployment.branch, commit: deployment.commit };
  }
  const place = await openPlace(options, app);
  const running = await launch(options, { release, deploymentId: deployment.id, place });
  const { instance, output } = running;
  const exited = containerEnd(options, instance.containerId, signal).then(
    (exit) => exit ?? { at: now(), code: null, signal: null, oomKilled: false },
  );
  const host = hostOf(settings, app);
  const gate = await healthGate({ instance, config: release.config, host, exited, signal });
  if (gate.kind !== 'healthy') {
    if (gate.kind === 'exited') {
      await output.ended(5_000);
      hooks.onExit(instance, gate.exit);
    }
    output.stop();
    await removeInstance(options, instance);
    return { kind: 'failed', reason: gate.kind === 'timeout' ? gate.last : gate.kind };
  }
  instance.healthyAt = now();
  await store.instances.update(instance.id, { healthyAt: instance.healthyAt });
  await hooks.onHealthy(instance);
  await serving.switchTo(running, { drainMs: 0 });
  return { kind: 'serving' };
}

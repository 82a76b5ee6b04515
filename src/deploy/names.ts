/** Gives an app its name on the network, by a front that stands before its instances. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tarOf } from '../engine/tar.ts';
import type { DeployOptions } from './context.ts';
import type { FrontTarget } from './front-program.ts';
import { frontPaths, frontSpec, labelNames } from './specs.ts';

/** Makes sure that there is what every instance needs: the helpers' image and the network. */
export async function ensureGround({ engine, settings }: DeployOptions): Promise<void> {
  if (!(await engine.image(settings.anchorImage))) {
    throw new Error(`the image ${settings.anchorImage} is missing: scripts/setup makes it`);
  }
  await engine.ensureNetwork(settings.network, { [labelNames.owner]: settings.owner });
}

/** Makes sure that the app's front runs; returns its container's id. */
export async function ensureFront(options: DeployOptions, app: string): Promise<string> {
  const { engine, settings } = options;
  const found = await engine.list({
    [labelNames.owner]: settings.owner,
    [labelNames.role]: 'front',
    [labelNames.app]: app,
  });
  const [running] = found.filter((container) => container.running);
  for (const other of found) if (other !== running) await engine.remove(other.id);
  if (running) return running.id;
  const id = await engine.create(frontSpec(settings, app));
  try {
    const program = await readFile(join(import.meta.dirname, 'front-program.ts'));
    await engine.putArchive(id, '/', await tarOf([{ path: frontPaths.program, bytes: program }]));
    await engine.start(id);
  } catch (error) {
    await engine.remove(id);
    throw error;
  }
  return id;
}

/** From when it resolves, new connections to the app's name go to `target`. */
export async function pointFront(
  options: DeployOptions,
  app: string,
  target: FrontTarget,
): Promise<void> {
  const { address, port } = target;
  const id = await ensureFront(options, app);
  const file = { path: frontPaths.target, bytes: JSON.stringify({ address, port }) };
  await options.engine.putArchive(id, '/', await tarOf([file]));
}

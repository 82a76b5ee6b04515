/** The place where an instance will run: its anchor and network, made while its image is built. */
import { randomBytes } from 'node:crypto';
import type { DeployOptions } from './context.ts';
import { ensureFront, ensureGround } from './names.ts';
import { anchorSpec } from './specs.ts';

export interface Place {
  app: string;
  /** Id of the instance that will run there. */
  instance: string;
  anchorId: string;
  netns: number;
  address: string;
}

/** Makes sure of everything that an instance needs around it. Leaves nothing when it throws. */
export async function openPlace(options: DeployOptions, app: string): Promise<Place> {
  const { engine, settings } = options;
  await ensureGround(options);
  const fronting = ensureFront(options, app);
  // Awaited below: until then its failure is nobody's.
  fronting.catch(() => undefined);
  const instance = randomBytes(4).toString('hex');
  const anchorId = await engine.create(anchorSpec(settings, { app, instance }));
  try {
    await engine.start(anchorId);
    const anchor = await engine.inspect(anchorId);
    const address = anchor?.addresses[settings.network];
    if (!anchor || !address || anchor.netns === null) {
      throw new Error(`the anchor of ${app} has no network: is the engine on this machine?`);
    }
    await fronting;
    return { app, instance, anchorId, netns: anchor.netns, address };
  } catch (error) {
    await engine.remove(anchorId);
    throw error;
  }
}

/** Gives up a place in which nothing runs; also one that is still being made. */
export async function closePlace(options: DeployOptions, place: Promise<Place>): Promise<void> {
  const made = await place.catch(() => null);
  if (made) await options.engine.remove(made.anchorId);
}

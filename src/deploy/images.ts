/** Removes images that nobody will run again: a disk full of images ends every platform one day. */
import type { DeployOptions } from './context.ts';

/** Keeps those of the newest `imagesKept` releases, of the one that serves, and of needed ones. */
export async function removeOldImages(options: DeployOptions, app: string): Promise<void> {
  const { engine, store, settings, logger } = options;
  const releases = await store.releases.list(app);
  const serving = await store.deployments.serving(app);
  const newest = [...releases].sort((a, b) => b.number - a.number).slice(0, settings.imagesKept);
  const kept = new Set(newest.map((release) => release.imageId));
  const needed = (await options.neededReleases?.(app)) ?? new Set();
  for (const release of releases) {
    if (needed.has(release.number)) kept.add(release.imageId);
    if (release.number === serving?.releaseNumber) kept.add(release.imageId);
  }
  for (const id of new Set(releases.map((release) => release.imageId))) {
    if (kept.has(id)) continue;
    await engine.removeImage(id).catch((error: unknown) => {
      // A container of it still exists: the next deployment tries again.
      logger.warn('an old image was not removed', { app, reason: (error as Error).message });
    });
  }
}

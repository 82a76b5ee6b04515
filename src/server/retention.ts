/** Takes away what has been kept long enough: recordings by age and size, images by number. */
import type { Logger } from '../domain/logger.ts';
import type { RecordingSummary } from '../domain/recording.ts';
import { now } from '../domain/time.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../store/store.ts';

export interface RetentionOptions {
  store: Store;
  engine: Engine;
  logger: Logger;
  limits: { recordingDays: number; recordingsBytesMax: number; releasesPerApp: number };
}

export interface Removed {
  recordings: number;
  bytes: number;
  images: number;
}

const microsPerDay = 86_400_000_000;

/** One round. What an unresolved issue or a serving release needs stays, whatever its age. */
export async function tidyUp(options: RetentionOptions): Promise<Removed> {
  const removed: Removed = { recordings: 0, bytes: 0, images: 0 };
  for (const app of await options.store.apps.list()) {
    const needed = await neededBy(options.store, app.name);
    await removeRecordings(options, { app: app.name, needed, removed });
    await removeImages(options, { app: app.name, needed, removed });
  }
  if (removed.recordings + removed.images > 0) options.logger.info('retention', { ...removed });
  return removed;
}

interface Needed {
  recordings: Set<string>;
  releases: Set<number>;
}

/** What serves, and what unresolved issues need: their reproduction's recording, their release. */
async function neededBy(store: Store, app: string): Promise<Needed> {
  const needed: Needed = { recordings: new Set(), releases: new Set() };
  for (const issue of await store.issues.list({ app })) {
    if (issue.status === 'resolved') continue;
    const reproduction = await store.reproductions.get(issue.id);
    if (reproduction?.recordingId != null) needed.recordings.add(reproduction.recordingId);
    needed.releases.add(issue.lastRelease);
  }
  for (const instance of await store.instances.list({ app, live: true })) {
    needed.releases.add(instance.releaseNumber);
  }
  return needed;
}

interface Round {
  app: string;
  needed: Needed;
  removed: Removed;
}

async function removeRecordings(
  { store, limits }: RetentionOptions,
  { app, needed, removed }: Round,
): Promise<void> {
  const summaries = await store.recordings.list({ app, limit: 100_000 });
  const oldest = now() - limits.recordingDays * microsPerDay;
  const isNeeded = (one: RecordingSummary) =>
    needed.recordings.has(one.id) ||
    (one.kind === 'boot' && needed.releases.has(one.releaseNumber));
  let held = 0;
  for (const summary of summaries) {
    held += summary.storedBytes;
    const isDue = summary.to < oldest || held > limits.recordingsBytesMax;
    if (!isDue || isNeeded(summary)) continue;
    await store.recordings.remove(summary.id);
    held -= summary.storedBytes;
    removed.recordings++;
    removed.bytes += summary.storedBytes;
  }
}

/** Images are removed by the ids that our releases name, never by looking for unused ones. */
async function removeImages(
  { store, engine, limits }: RetentionOptions,
  { app, needed, removed }: Round,
): Promise<void> {
  const releases = [...(await store.releases.list(app))].sort((a, b) => b.number - a.number);
  const kept = releases.filter(
    (release, at) => at < limits.releasesPerApp || needed.releases.has(release.number),
  );
  const images = new Set(kept.map((release) => release.imageId));
  for (const { imageId } of releases) {
    if (images.has(imageId)) continue;
    images.add(imageId);
    if ((await engine.image(imageId)) === null) continue;
    await engine.removeImage(imageId);
    removed.images++;
  }
}

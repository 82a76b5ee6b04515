/** Takes away recordings that have been kept long enough, by age and by size. */
import type { Logger } from '../domain/logger.ts';
import type { RecordingSummary } from '../domain/recording.ts';
import { now } from '../domain/time.ts';
import type { Store } from '../store/store.ts';

export interface RetentionOptions {
  store: Store;
  logger: Logger;
  limits: { recordingDays: number; recordingsBytesMax: number };
}

export interface Removed {
  recordings: number;
  bytes: number;
}

const microsPerDay = 86_400_000_000;

/** One round. What an unresolved issue or a serving release needs stays, whatever its age. */
export async function tidyUp(options: RetentionOptions): Promise<Removed> {
  const { store, logger, limits } = options;
  const oldest = now() - limits.recordingDays * microsPerDay;
  const removed: Removed = { recordings: 0, bytes: 0 };
  const needs = new Map<string, Need>();
  let held = 0;
  for await (const page of store.recordings.pages()) {
    for (const summary of page) {
      const isNeeded = needs.get(summary.app) ?? (await neededRecordings(store, summary.app));
      needs.set(summary.app, isNeeded);
      const isDue = summary.to < oldest || held + summary.storedBytes > limits.recordingsBytesMax;
      if (isDue && !isNeeded(summary)) {
        await store.recordings.remove(summary.id);
        removed.recordings++;
        removed.bytes += summary.storedBytes;
      } else held += summary.storedBytes;
    }
  }
  if (removed.recordings > 0) logger.info('recordings were removed', { ...removed });
  return removed;
}

type Need = (summary: RecordingSummary) => boolean;

/** Releases of an app that unresolved issues were last seen in: their images have to stay, too. */
export async function neededReleases(store: Store, app: string): Promise<Set<number>> {
  const issues = await store.issues.list({ app });
  const open = issues.filter((issue) => issue.status !== 'resolved');
  return new Set(open.map((issue) => issue.lastRelease));
}

/** What serves needs its boot; unresolved issues need their boot and what was reproduced. */
async function neededRecordings(store: Store, app: string): Promise<Need> {
  const releases = await neededReleases(store, app);
  for (const instance of await store.instances.list({ app, live: true })) {
    releases.add(instance.releaseNumber);
  }
  const ids = new Set<string>();
  for (const issue of await store.issues.list({ app })) {
    const reproduction =
      issue.status === 'resolved' ? null : await store.reproductions.get(issue.id);
    if (reproduction?.recordingId != null) ids.add(reproduction.recordingId);
  }
  return ({ id, kind, releaseNumber }) =>
    ids.has(id) || (kind === 'boot' && releases.has(releaseNumber));
}

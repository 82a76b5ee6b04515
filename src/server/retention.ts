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
const recordingsMax = 100_000;

/** One round. What an unresolved issue or a serving release needs stays, whatever its age. */
export async function tidyUp(options: RetentionOptions): Promise<Removed> {
  const { store, logger } = options;
  const removed: Removed = { recordings: 0, bytes: 0 };
  for (const app of await store.apps.list()) {
    for (const summary of await dueOf(options, app.name)) {
      await store.recordings.remove(summary.id);
      removed.recordings++;
      removed.bytes += summary.storedBytes;
    }
  }
  if (removed.recordings > 0) logger.info('recordings were removed', { ...removed });
  return removed;
}

/** Releases of an app that unresolved issues were last seen in: their images have to stay, too. */
export async function neededReleases(store: Store, app: string): Promise<Set<number>> {
  const issues = await store.issues.list({ app });
  const open = issues.filter((issue) => issue.status !== 'resolved');
  return new Set(open.map((issue) => issue.lastRelease));
}

async function dueOf(
  { store, limits }: RetentionOptions,
  app: string,
): Promise<RecordingSummary[]> {
  const isNeeded = await neededRecordings(store, app);
  const oldest = now() - limits.recordingDays * microsPerDay;
  let held = 0;
  const due: RecordingSummary[] = [];
  for (const summary of await store.recordings.list({ app, limit: recordingsMax })) {
    const isDue = summary.to < oldest || held + summary.storedBytes > limits.recordingsBytesMax;
    if (isDue && !isNeeded(summary)) due.push(summary);
    else held += summary.storedBytes;
  }
  return due;
}

/** What serves needs its boot; unresolved issues need their boot and what was reproduced. */
async function neededRecordings(
  store: Store,
  app: string,
): Promise<(summary: RecordingSummary) => boolean> {
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

/** From a suspicion to an issue: names the failure, keeps its recording, files the occurrence. */
import type { Failure, Issue, Occurrence } from '../domain/failure.ts';
import type { Recording } from '../domain/recording.ts';
import type { Filed, Store } from '../store/store.ts';
import { failuresOf } from '../symptoms/failures.ts';
import type { Locate, Suspicion } from '../symptoms/symptoms.ts';
import { titleOf } from './title.ts';

export interface DetectOptions {
  suspicion: Suspicion;
  /** Maps stack lines to the repository at the commit of the suspicion's release. */
  locate: Locate;
  store: Pick<Store, 'recordings' | 'issues' | 'reproductions'>;
  limits?: Partial<DetectLimits>;
}

export interface Detected extends Filed {
  /** Why its recording could not be stored; null when nothing hindered it. */
  unkept: string | null;
}

export interface DetectLimits {
  /** Recordings kept of one issue; occurrences are counted without a bound. */
  recordingsPerIssueMax: number;
  /** Once there are so many, how much newer a recording must be to take the place of an old one. */
  renewAfterMs: number;
}

export const detectLimits: DetectLimits = {
  recordingsPerIssueMax: 20,
  renewAfterMs: 600_000,
};

/**
 * Null when the symptoms add up to no failure. The recording is durable before the occurrence
 * that names it; a crash in between leaves a recording without an occurrence, never the reverse.
 */
export async function detect(options: DetectOptions): Promise<Detected | null> {
  const { suspicion, locate, store } = options;
  const { app, releaseNumber, instanceId, recording, symptoms } = suspicion;
  const [failure] = await failuresOf({ ...symptoms, locate });
  if (failure === undefined) return null;
  const keeps = recording === null ? null : await room(options, failure, recording);
  const unkept = keeps === null ? null : await keep(store, recording!);
  const filed = await store.issues.file({
    ...{ app, releaseNumber, instanceId, failure },
    title: titleOf(failure),
    recordingId: keeps === null || unkept !== null ? null : recording!.id,
    count: 1 + suspicion.repeats,
  });
  if (unkept === null && keeps?.replaces != null) await store.recordings.remove(keeps.replaces);
  return { ...filed, unkept };
}

/** Why it could not be kept; null when it is. A full disk must not hide that something fails. */
async function keep(store: DetectOptions['store'], recording: Recording): Promise<string | null> {
  try {
    await store.recordings.keep(recording);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    return `the disk is full (${code})`;
  }
}

/** Whether there is room for one more recording of the issue, and which one gives way for it. */
async function room(
  options: DetectOptions,
  failure: Failure,
  recording: Recording,
): Promise<{ replaces: string | null } | null> {
  const { store } = options;
  const limits = { ...detectLimits, ...options.limits };
  const issue = await issueOf(options, failure.fingerprint);
  if (issue === null) return { replaces: null };
  const held = await heldBy(options, issue);
  if (held.length < limits.recordingsPerIssueMax) return { replaces: null };
  const newest = held[0]!;
  const isNews =
    recording.releaseNumber > newest.releaseNumber ||
    failure.at >= newest.at + limits.renewAfterMs * 1000;
  if (!isNews) return null;
  // The first one shows how it began, and what was reproduced has to stay reproducible.
  const inUse = (await store.reproductions.get(issue.id))?.recordingId ?? null;
  const oldest = held.slice(0, -1).findLast((each) => each.recordingId !== inUse);
  return oldest === undefined ? null : { replaces: oldest.recordingId };
}

async function issueOf({ store, suspicion }: DetectOptions, print: string): Promise<Issue | null> {
  const issues = await store.issues.list({ app: suspicion.app });
  return issues.find((issue) => issue.fingerprint === print) ?? null;
}

/** Occurrences whose recording still exists, newest first. */
async function heldBy({ store }: DetectOptions, issue: Issue): Promise<Occurrence[]> {
  const occurrences = await store.issues.occurrences(issue.id, occurrencesMax);
  const held: Occurrence[] = [];
  for (const each of occurrences) {
    if (each.recordingId === null) continue;
    if ((await store.recordings.summary(each.recordingId)) !== null) held.push(each);
  }
  return held;
}

/** Occurrences that are looked through for recordings. */
const occurrencesMax = 1000;

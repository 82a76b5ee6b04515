/** Everything the stages need to know of an issue, gathered from the store. */
import type { Release } from './domain/app.ts';
import type { Issue, Occurrence } from './domain/failure.ts';
import type { Recording, RecordingSummary, ReplayableRecording } from './domain/recording.ts';
import { learnRoutes } from './domain/route.ts';
import { type Instant, isoOf } from './domain/time.ts';
import type { Store } from './store/store.ts';

export interface Dossier {
  issue: Issue;
  /** The occurrence that was reproduced; before that, the newest whose recording is whole. */
  occurrence: Occurrence;
  recording: Recording | null;
  boot: Recording | null;
  release: Release;
  env: Record<string, string>;
  /** What was wrong with recording shortly before the failure, in words; null: nothing. */
  interruption: string | null;
  /** Other occurrences in the same release, newest first. */
  others: ReplayableRecording[];
  /** Successful recordings of the trigger's route in the same release. */
  siblings: Recording[];
  /** Successful recordings over all routes, the trigger's own first. */
  corpus: ReplayableRecording[];
}

export interface DossierLimits {
  othersMax: number;
  siblingsMax: number;
  corpusMax: number;
}

export const dossierLimits: DossierLimits = { othersMax: 20, siblingsMax: 10, corpusMax: 12 };

/** Null when the issue has no occurrence whose release is still known. */
export async function dossierOf(
  store: Store,
  issue: Issue,
  limits: DossierLimits = dossierLimits,
): Promise<Dossier | null> {
  const occurrences = await store.issues.occurrences(issue.id, 200);
  const occurrence = await chosenOf(store, issue.id, occurrences);
  if (occurrence === null) return null;
  const { app, releaseNumber, instanceId } = occurrence;
  const release = await store.releases.get(app, releaseNumber);
  if (release === null) return null;
  const recording = await loadOrNull(store, occurrence.recordingId);
  const boot =
    recording?.kind === 'boot'
      ? recording
      : await bootOf(store, { app, releaseNumber, instanceId });
  return {
    issue,
    occurrence,
    recording,
    boot,
    release,
    env: await store.env.get(app, release.envVersion),
    interruption: await interruptionBefore(store, occurrence.at),
    others: await othersOf(store, occurrences, occurrence, limits.othersMax),
    ...(await successesOf(store, { issue, releaseNumber, limits })),
  };
}

/** The same with the successes that were recorded meanwhile: the newest come after the failure. */
export async function refreshed(
  store: Store,
  dossier: Dossier,
  limits: DossierLimits = dossierLimits,
): Promise<Dossier> {
  const { issue, release } = dossier;
  const of = { issue, releaseNumber: release.number, limits };
  return { ...dossier, ...(await successesOf(store, of)) };
}

async function successesOf(
  store: Store,
  of: { issue: Issue; releaseNumber: number; limits: DossierLimits },
): Promise<Pick<Dossier, 'siblings' | 'corpus'>> {
  const { issue, releaseNumber, limits } = of;
  const siblings = await siblingsOf(store, issue, releaseNumber, limits.siblingsMax);
  const { app } = issue;
  const corpus = await corpusOf(store, { app, releaseNumber, siblings, max: limits.corpusMax });
  return { siblings, corpus };
}

/** What was reproduced stays what is worked on, however often it happens again meanwhile. */
async function chosenOf(
  store: Store,
  issueId: number,
  occurrences: Occurrence[],
): Promise<Occurrence | null> {
  const known = await store.reproductions.get(issueId);
  const same = occurrences.find((one) => one.recordingId === (known?.recordingId ?? undefined));
  const isKept = same?.recordingId != null && (await store.recordings.summary(same.recordingId));
  return known?.kind === 'reproduced' && isKept ? same! : bestOf(store, occurrences);
}

/** The newest with a whole recording, else the newest with any, else the newest. */
async function bestOf(store: Store, occurrences: Occurrence[]): Promise<Occurrence | null> {
  let recorded: Occurrence | null = null;
  for (const occurrence of occurrences) {
    if (occurrence.recordingId === null) continue;
    const summary = await store.recordings.summary(occurrence.recordingId);
    if (summary === null) continue;
    if (summary.completeness.reasons.length === 0) return occurrence;
    recorded ??= occurrence;
  }
  return recorded ?? occurrences[0] ?? null;
}

/** The boot recording of the instance itself, else of another instance of the same release. */
async function bootOf(
  store: Store,
  of: { app: string; releaseNumber: number; instanceId: string },
): Promise<Recording | null> {
  const { app, releaseNumber, instanceId } = of;
  const own = await store.recordings.list({ app, kind: 'boot', instanceId, limit: 1 });
  const found =
    own[0] ?? (await store.recordings.list({ app, kind: 'boot', releaseNumber, limit: 1 }))[0];
  return loadOrNull(store, found?.id ?? null);
}

async function othersOf(
  store: Store,
  occurrences: Occurrence[],
  chosen: Occurrence,
  max: number,
): Promise<ReplayableRecording[]> {
  const others: ReplayableRecording[] = [];
  for (const occurrence of occurrences) {
    if (others.length >= max) break;
    if (occurrence.id === chosen.id || occurrence.releaseNumber !== chosen.releaseNumber) continue;
    const recording = await loadOrNull(store, occurrence.recordingId);
    if (recording === null || recording.completeness.reasons.length > 0) continue;
    const boot = recording.kind === 'boot' ? recording : await bootOf(store, occurrence);
    if (boot !== null) others.push({ recording, boot });
  }
  return others;
}

/**
 * Successes of the failing route. Which paths are one route is learnt from all of them together,
 * since an early recording may have been named before its siblings were seen.
 */
async function siblingsOf(
  store: Store,
  issue: Issue,
  releaseNumber: number,
  max: number,
): Promise<Recording[]> {
  if (issue.route === null) return [];
  const { app, route } = issue;
  const samples = await store.recordings.list({ app, kind: 'sample', releaseNumber, limit: 500 });
  const routes = learnRoutes([route, ...samples.flatMap((s) => s.route ?? [])].map(askedOf));
  const wanted = routes.routeOf(askedOf(route));
  const matching = samples.filter(
    (sample) => sample.route !== null && routes.routeOf(askedOf(sample.route)) === wanted,
  );
  return loadAll(store, matching.slice(0, max));
}

/** A spread over routes: one of each in turn, until there are enough. */
async function corpusOf(
  store: Store,
  of: { app: string; releaseNumber: number; siblings: Recording[]; max: number },
): Promise<ReplayableRecording[]> {
  const { app, releaseNumber, siblings, max } = of;
  const own = siblings.slice(0, Math.ceil(max / 2));
  const taken = new Set(siblings.map((recording) => recording.id));
  const rest = await store.recordings.list({ app, kind: 'sample', releaseNumber, limit: 500 });
  const seen = new Map<string, number>();
  const ranked = rest
    .filter((summary) => !taken.has(summary.id))
    .map((summary) => {
      const turn = seen.get(summary.route ?? '') ?? 0;
      seen.set(summary.route ?? '', turn + 1);
      return { summary, turn };
    })
    .sort((a, b) => a.turn - b.turn)
    .map(({ summary }) => summary);
  const recordings = [...own, ...(await loadAll(store, ranked.slice(0, max - own.length)))];
  const corpus: ReplayableRecording[] = [];
  for (const recording of recordings) {
    const boot = await bootOf(store, recording);
    if (boot !== null) corpus.push({ recording, boot });
  }
  return corpus;
}

async function loadAll(store: Store, summaries: RecordingSummary[]): Promise<Recording[]> {
  const loaded = await Promise.all(summaries.map((summary) => store.recordings.load(summary.id)));
  return loaded.filter((recording) => recording !== null);
}

/** How long before it failed a request may have begun. */
const requestUs = 60_000_000;

async function interruptionBefore(store: Store, at: Instant): Promise<string | null> {
  const near = await store.interruptions.list(at - requestUs);
  const last = near.findLast(({ from }) => from <= at);
  if (last === undefined) return null;
  const until = last.to === null ? 'now' : isoOf(last.to);
  return `nothing was recorded from ${isoOf(last.from)} to ${until}: ${last.reason}`;
}

function loadOrNull(store: Store, id: string | null): Promise<Recording | null> {
  return id === null ? Promise.resolve(null) : store.recordings.load(id);
}

function askedOf(route: string): { method: string; target: string } {
  const at = route.indexOf(' ');
  return { method: route.slice(0, at), target: route.slice(at + 1) };
}

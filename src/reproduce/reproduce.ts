/**
 * Makes a recorded failure happen again in the sandbox, three times out of three, with as few
 * earlier requests as it takes. Not reproducible is a result too, with its reason.
 */
import type { Release } from '../domain/app.ts';
import type { Failure, Issue, Occurrence } from '../domain/failure.ts';
import type { Outcome, Raised, Reproduction, ReproductionRun } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import { isOnlySlow, type Replayer, type ReplayOptions } from '../replay/replay.ts';
import type { Locate } from '../symptoms/symptoms.ts';
import { growPrefix } from './prefix.ts';

export interface ReproduceOptions {
  issue: Issue;
  occurrence: Occurrence;
  /** The occurrence's recording; null when none is kept. */
  recording: Recording | null;
  /** Boot recording of the instance, else of another instance of the same release. */
  boot: Recording | null;
  release: Release;
  env: Record<string, string>;
  /** Why there may be no recording, in words. */
  interruption?: string | null;
  replayer: Replayer;
  locate: Locate;
  limits?: Partial<ReproduceLimits>;
  onProgress: (text: string) => void;
  signal?: AbortSignal;
}

export interface ReproduceLimits {
  runs: number;
  /** Replays spent on finding which earlier requests are needed. */
  prefixReplaysMax: number;
}

const nothingRecorded = 'nothing of it was recorded';

export const reproduceLimits: ReproduceLimits = { runs: 3, prefixReplaysMax: 12 };

/** @throws when the sandbox itself is unavailable: that says nothing about the app. */
export async function reproduce(options: ReproduceOptions): Promise<Reproduction> {
  const { recording, boot, issue } = options;
  const obstacle = obstacleTo(options);
  if (obstacle !== null || recording === null || boot === null) {
    const reason = obstacle ?? nothingRecorded;
    return {
      kind: 'not-replayable',
      issueId: issue.id,
      recordingId: recording?.id ?? null,
      reason,
    };
  }
  const limits = { ...reproduceLimits, ...options.limits };
  const experiment = experimentOf(options, recording, boot);
  options.onProgress(`replaying the failing request (1 of ${limits.runs})`);
  const first = await experiment([]);
  if (first.kind === 'not-replayable') {
    return { kind: first.kind, issueId: issue.id, recordingId: recording.id, reason: first.reason };
  }
  const result = { issueId: issue.id, recordingId: recording.id };
  let prefix: string[] = [];
  let run: Outcome = first;
  if (first.kind === 'not-ready') {
    // No earlier request helps an app that does not even start.
    const reason = differenceOf(first, options.occurrence);
    return { kind: 'not-reproduced', ...result, reason, runs: [runOf(first)] };
  }
  if (!isSame(first, options.occurrence)) {
    const grown = await growPrefix({
      earlier: recording.prefixExchangeIds,
      sameConnection: sameConnection(recording),
      replaysMax: limits.prefixReplaysMax,
      onProgress: options.onProgress,
      fails: async (candidate) => isSame(await experiment(candidate), options.occurrence),
    });
    if (grown === null) {
      const reason = differenceOf(first, options.occurrence);
      return { kind: 'not-reproduced', ...result, reason, runs: [runOf(first)] };
    }
    prefix = grown;
    run = await experiment(prefix);
  }
  const runs = [run];
  while (runs.length < limits.runs) {
    options.onProgress(`replaying the failing request (${runs.length + 1} of ${limits.runs})`);
    runs.push(await experiment(prefix));
  }
  return conclude({ result, prefix, runs, occurrence: options.occurrence, experiment });
}

type Experiment = (prefix: string[], watchExceptions?: boolean) => Promise<Outcome>;

async function conclude(options: {
  result: { issueId: number; recordingId: string };
  prefix: string[];
  runs: Outcome[];
  occurrence: Occurrence;
  experiment: Experiment;
}): Promise<Reproduction> {
  const { result, prefix, runs, occurrence, experiment } = options;
  const kept = runs.map(runOf);
  const odd = runs.find((run) => !isSame(run, occurrence));
  if (odd !== undefined) {
    const same = runs.filter((run) => isSame(run, occurrence)).length;
    const how = differenceOf(odd, occurrence);
    const reason = `only ${same} of ${runs.length} replays failed alike; ${how}`;
    return { kind: 'not-reproduced', ...result, reason, runs: kept };
  }
  const strayed = kept.flatMap((run) => run.divergences)[0];
  if (strayed !== undefined) {
    const nearest = strayed.nearest === null ? '' : ` (nearest: ${strayed.nearest.difference})`;
    const asked = `${strayed.title}${nearest}`;
    const reason = `it failed alike, but asked for what the recording does not hold: ${asked}`;
    return { kind: 'not-reproduced', ...result, reason, runs: kept };
  }
  const raised = raisedIn(await experiment(prefix, true), occurrence);
  if (kept[0] !== undefined) kept[0] = { ...kept[0], raised };
  return { kind: 'reproduced', ...result, prefix, runs: kept };
}

/**
 * What a run under the debugger saw, if it failed at the same place. It is no evidence of its own:
 * with a debugger attached V8 gives some functions other names, hence other fingerprints.
 */
function raisedIn(outcome: Outcome, occurrence: Occurrence): Raised[] {
  if (outcome.kind !== 'failed') return [];
  const wanted = placeOf(occurrence.failure);
  const isThere = outcome.failures.some((failure) => placeOf(failure) === wanted);
  return isThere ? outcome.observed.raised : [];
}

/** Type and innermost line of the app's own, without names of functions. */
function placeOf({ trace, message }: Failure): string {
  const own = trace?.lines.find((line) => line.inApp);
  return `${trace?.type ?? message} ${own?.file} ${own?.text}`;
}

/** Why a replay cannot say anything, known before the first one. */
function obstacleTo(options: ReproduceOptions): string | null {
  const { recording, boot, interruption = null } = options;
  if (recording === null) {
    return interruption === null ? nothingRecorded : `${nothingRecorded} (${interruption})`;
  }
  if (boot === null) return 'the start of that instance was not recorded, so it cannot be repeated';
  if (recording.completeness.reasons.length > 0) {
    return `the recording has a gap on the way: ${recording.completeness.reasons.join('; ')}`;
  }
  if (boot.completeness.reasons.length > 0) {
    return `the recording of the start has a gap: ${boot.completeness.reasons.join('; ')}`;
  }
  const withoutTrigger = recording.triggerExchangeId === null && recording.kind !== 'boot';
  return withoutTrigger
    ? 'no request was under way when it failed, so there is none to replay'
    : null;
}

function experimentOf(
  options: ReproduceOptions,
  recording: Recording,
  boot: Recording,
): Experiment {
  const { release, env, replayer, locate, signal } = options;
  return async (prefix, watchExceptions = false) => {
    const replay: ReplayOptions = {
      release,
      imageId: release.imageId,
      env,
      boot,
      trigger: recording.kind === 'boot' ? null : recording,
      siblings: [],
      prefix,
      watchExceptions,
      locate,
      ...(signal === undefined ? {} : { signal }),
    };
    const first = await replayer.replay(replay);
    const outcome = isOnlySlow(first) ? await replayer.replay(replay) : first;
    if (outcome.kind === 'unavailable') throw new Error(`sandbox unavailable: ${outcome.reason}`);
    return outcome;
  };
}

function isSame(outcome: Outcome, occurrence: Occurrence): boolean {
  const { fingerprint } = occurrence.failure;
  return outcome.kind === 'failed' && outcome.failures.some((f) => f.fingerprint === fingerprint);
}

/** Earlier requests of the trigger's own connection: what a session holds is most likely there. */
function sameConnection(recording: Recording): string[] {
  const own = recording.triggerExchangeId?.split('/')[0];
  return recording.prefixExchangeIds.filter((id) => id.split('/')[0] === own);
}

function differenceOf(outcome: Outcome, occurrence: Occurrence): string {
  const wanted = occurrence.failure.message;
  if (outcome.kind === 'succeeded') {
    const status = outcome.observed.answer?.status;
    return `the request was answered with ${status ?? 'nothing'} instead of failing`;
  }
  if (outcome.kind === 'failed') {
    const got = outcome.failures[0]?.message ?? 'otherwise';
    return `it failed differently: "${got}" instead of "${wanted}"`;
  }
  return outcome.kind === 'not-ready'
    ? `the app did not start in the sandbox: ${outcome.reason}`
    : outcome.reason;
}

function runOf(outcome: Outcome): ReproductionRun {
  const observed = 'observed' in outcome ? outcome.observed : null;
  const failure = outcome.kind === 'failed' ? outcome.failures[0] : undefined;
  return {
    outcome: outcome.kind,
    fingerprint: failure?.fingerprint ?? null,
    message: failure?.message ?? ('reason' in outcome ? outcome.reason : ''),
    divergences: observed?.divergences ?? [],
    served: (observed?.served ?? []).map(({ fields: _, ...call }) => call),
    raised: observed?.raised ?? [],
    tookMs: observed?.tookMs ?? 0,
  };
}

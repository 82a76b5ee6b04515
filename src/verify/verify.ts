/**
 * Judges a candidate by evidence, cheapest questions first; the first `fail` ends the asking.
 * The questions are those of docs/verdict.md; what is not asked is said to be unknown.
 */
import type { Release } from '../domain/app.ts';
import type { Issue, Occurrence } from '../domain/failure.ts';
import {
  type Candidate,
  type Check,
  type CheckName,
  checkNames,
  type Verdict,
  verdictKindOf,
} from '../domain/fix.ts';
import type { Observed, Reproduction } from '../domain/outcome.ts';
import type { Recording, ReplayableRecording } from '../domain/recording.ts';
import type { Engine } from '../engine/engine.ts';
import type { Repository } from '../git/repository.ts';
import type { Locate } from '../symptoms/symptoms.ts';
import { type Answer, fail, unknown } from './answer.ts';
import { answerTextOf } from './answer-text.ts';
import { type Build, buildPatched } from './build.ts';
import { judgeCorpus } from './corpus.ts';
import { neededHunks, unneeded } from './hunks.ts';
import { judgeOwnTests } from './own-tests.ts';
import { judgeReplays } from './replays.ts';
import { judgeText } from './text.ts';
import type { CorpusReplayer } from './together.ts';

export type Evidence = ReplayableRecording;

export interface VerifyOptions {
  issue: Issue;
  occurrence: Occurrence;
  candidate: Candidate;
  release: Release;
  env: Record<string, string>;
  /** Path of the Dockerfile in the repository. */
  dockerfile: string;
  reproduction: Extract<Reproduction, { kind: 'reproduced' }>;
  evidence: Evidence;
  /** Other occurrences of the issue, newest first. */
  others: Evidence[];
  /** Successful recordings of the trigger's route: its siblings. */
  siblings: Recording[];
  /** Successful recordings to replay on old and patched code. */
  corpus: Evidence[];
  repository: Repository;
  engine: Engine;
  replayer: CorpusReplayer;
  /** Locator for a commit's image: patched code has lines of its own. */
  locatorFor: (build: { commit: string; imageId: string }) => Locate;
  labels: Record<string, string>;
  limits?: Partial<VerifyLimits>;
  /** Replays of the old code, shared between the candidates of one issue. */
  baselines: Map<string, [Observed, Observed] | null>;
  onProgress: (text: string) => void;
  signal?: AbortSignal;
}

export interface VerifyLimits {
  runs: number;
  othersMax: number;
  corpusMax: number;
  buildTimeoutMs: number;
  testTimeoutMs: number;
  testMemoryBytesMax: number;
  filesMax: number;
  changedLinesMax: number;
}

export const verifyLimits: VerifyLimits = {
  runs: 3,
  othersMax: 20,
  corpusMax: 6,
  buildTimeoutMs: 600_000,
  testTimeoutMs: 300_000,
  testMemoryBytesMax: 2 * 2 ** 30,
  filesMax: 3,
  changedLinesMax: 80,
};

/** What the steps share: options with limits filled in, and the answers so far. */
export interface Verification {
  options: VerifyOptions;
  limits: VerifyLimits;
  diff: string;
  build: Build | null;
  /** The first good replay of the patched code. */
  after: Observed | null;
  /** Texts and numbers that only the patch knows or looks for, and what it writes once more. */
  brought: Brought;
  answers: Map<CheckName, Pick<Check, 'answer' | 'reason'>>;
}

interface Brought {
  literals: ReadonlySet<string>;
  compared: ReadonlySet<string>;
  /** Whether the patch adds a zero. */
  zero: boolean;
  /** Values that patched files hold more often than old ones, as JSON. */
  added: ReadonlySet<string>;
}

/** @throws when engine or sandbox break: that says nothing about the candidate. */
export async function verify(options: VerifyOptions): Promise<Verdict> {
  const startedAt = performance.now();
  const limits = { ...verifyLimits, ...options.limits };
  const { diff } = options.candidate;
  const state: Verification = {
    options,
    limits,
    diff,
    build: null,
    after: null,
    brought: { literals: new Set(), compared: new Set(), zero: false, added: new Set() },
    answers: new Map(),
  };
  const made: Build[] = [];
  try {
    await ask(state, made);
  } finally {
    // A patch of what is not in the image gives the deployed one, which has to stay.
    const images = made
      .map(({ imageId }) => imageId)
      .filter((id) => id !== options.release.imageId);
    for (const id of images) await options.engine.removeImage(id).catch(() => {});
  }
  const checks = checkNames.map((name) => ({ name, ...answerOf(state, name) }));
  return {
    kind: verdictKindOf(checks),
    checks,
    diff: state.diff,
    before: options.reproduction.runs[0] === undefined ? null : beforeText(options),
    after: answerTextOf(state.after?.answer ?? null),
    tookMs: Math.round(performance.now() - startedAt),
  };
}

async function ask(state: Verification, made: Build[]): Promise<void> {
  const { options, limits, answers } = state;
  const { refusal } = options.candidate;
  answers.set('reproduces', reproduces(options));
  if (refusal !== undefined) {
    answers.set('not-hidden-in-text', fail(`refused before it was tried: ${refusal}`));
    return;
  }
  answers.set('not-hidden-in-text', await judgeText(state));
  if (failed(state)) return;
  options.onProgress('building the patched code');
  const built = await buildPatched(options, limits, state.diff);
  if (built.kind === 'failed') {
    answers.set(built.check, built.answer);
    return;
  }
  made.push(built.build);
  state.build = built.build;
  await judgeReplays(state);
  if (failed(state) || answers.get('error-gone')?.answer !== 'pass') return;
  options.onProgress('taking every hunk away in turn');
  const testsPass = async (build: Build) => (await ownTests(state, build)).answer === 'pass';
  const needed = await neededHunks(state, made, testsPass);
  answers.set('every-hunk-needed', needed.answer);
  if (needed.diff === state.diff) return judgeRest(state);
  if (options.candidate.provenance.kind !== 'branch') return judgeReduced(state, needed.diff, made);
  // What people merge is their branch as it is: nothing can be dropped from it.
  answers.set('every-hunk-needed', unneeded(state.diff, needed.diff));
  await judgeRest(state);
}

/** Hunks that nothing needs are dropped; what is left has to stand on its own. */
async function judgeReduced(state: Verification, diff: string, made: Build[]): Promise<void> {
  const kept = state.answers.get('every-hunk-needed');
  state.diff = diff;
  state.answers.set('not-hidden-in-text', await judgeText(state));
  const built = await buildPatched(state.options, state.limits, diff);
  if (built.kind === 'failed') {
    state.answers.set(built.check, built.answer);
    return;
  }
  made.push(built.build);
  state.build = built.build;
  await judgeReplays(state);
  if (kept !== undefined) state.answers.set('every-hunk-needed', kept);
  if (!failed(state)) await judgeRest(state);
}

async function judgeRest(state: Verification): Promise<void> {
  const { options, answers, build } = state;
  if (build === null) return;
  options.onProgress('replaying successful requests on old and patched code');
  answers.set('nothing-else-changed', await judgeCorpus(state, build));
  if (failed(state)) return;
  answers.set('own-tests', await ownTests(state, build));
}

function ownTests({ options, limits }: Verification, build: Build): Promise<Answer> {
  const { engine, repository, release, labels, dockerfile, onProgress } = options;
  return judgeOwnTests({
    ...{ engine, repository, labels, dockerfile, onProgress },
    baseCommit: release.commit,
    patchedCommit: build.commit,
    imageId: release.imageId,
    patchedImageId: build.imageId,
    workdir: release.config.workdir,
    timeoutMs: limits.testTimeoutMs,
    memoryBytesMax: limits.testMemoryBytesMax,
  });
}

function reproduces(options: VerifyOptions): Pick<Check, 'answer' | 'reason'> {
  const { runs, recordingId } = options.reproduction;
  if (recordingId !== options.evidence.recording.id) {
    return unknown('what was reproduced is another recording than the one that is replayed');
  }
  const { fingerprint } = options.occurrence.failure;
  const same = runs.filter((run) => run.fingerprint === fingerprint).length;
  const strayed = runs.some((run) => run.divergences.length > 0);
  if (same < 3 || same < runs.length || strayed) {
    return {
      answer: 'fail',
      reason: `unpatched code failed alike in ${same} of ${runs.length} replays`,
    };
  }
  const alike = `unpatched code fails alike in ${same} of ${runs.length} replays`;
  return { answer: 'pass', reason: `${alike}, all answers recorded` };
}

function failed(state: Verification): boolean {
  return [...state.answers.values()].some((given) => given.answer === 'fail');
}

const notMade: Partial<Record<CheckName, string>> = {
  generalises: 'not asked: this version does not vary the failing request',
  'evidence-has-teeth': 'not asked: this version does not vary the patch',
  'regression-test': 'not asked: this version does not write a regression test',
  'second-opinion': 'not asked: no second model is set up',
};

function answerOf(state: Verification, name: CheckName): Pick<Check, 'answer' | 'reason'> {
  const given = state.answers.get(name);
  if (given !== undefined) return given;
  const earlier = failed(state) ? 'not asked, since another check failed' : 'could not be asked';
  return { answer: 'unknown', reason: notMade[name] ?? earlier };
}

function beforeText(options: VerifyOptions): Verdict['before'] {
  const { failure } = options.occurrence;
  return { status: failure.status, body: failure.message };
}

/**
 * From a failure in production to a change request. Read from top to bottom; each stage's output
 * is stored before the next one starts, so a restart goes on at the first stage without output.
 */
import { detect } from './detect/detect.ts';
import type { Release } from './domain/app.ts';
import type { Issue, IssueStatus } from './domain/failure.ts';
import { type Attempt, type Candidate, type ChangeRequest, undecided } from './domain/fix.ts';
import type { GuardrailRules } from './domain/guardrails.ts';
import type { Logger } from './domain/logger.ts';
import type { Observed, Reproduction } from './domain/outcome.ts';
import { type Dossier, dossierOf, refreshed } from './dossier.ts';
import type { Engine } from './engine/engine.ts';
import type { Forge } from './forge/forge.ts';
import type { Repository } from './git/repository.ts';
import type { Model } from './llm/llm.ts';
import type { ModelBudget } from './propose/model.ts';
import { propose } from './propose/propose.ts';
import type { ManyReplayer } from './replay/replay.ts';
import { reproduce } from './reproduce/reproduce.ts';
import { declinedAttempts, deservesAnotherTry, openChange } from './standing.ts';
import type { Store } from './store/store.ts';
import { submit } from './submit/submit.ts';
import type { Locate, Suspicion } from './symptoms/symptoms.ts';
import { verify } from './verify/verify.ts';

/** The parts that the stages work with; main.ts picks the implementations. */
export interface Parts {
  store: Store;
  engine: Engine;
  replayer: ManyReplayer;
  forge: Forge;
  /** Null: templates only. */
  model: Model | null;
  repositoryOf(app: string): Promise<Repository>;
  /** Maps stack lines to the repository, for the image that a commit was built into. */
  locatorOf(build: { app: string; commit: string; imageId: string; workdir: string }): Locate;
  dockerfileOf(app: string, commit: string): Promise<string>;
  labels: Record<string, string>;
  logger: Logger;
  settings: PipelineSettings;
}

export interface PipelineSettings {
  automatic: boolean;
  templates: boolean;
  candidatesMax: number;
  timeoutMs: number;
  testTimeoutMs: number;
  rules: GuardrailRules;
  modelBudget: ModelBudget;
}

/** Where the work on one issue is going on, and whom to tell. */
export interface Work {
  say: (text: string) => void;
  signal: AbortSignal;
}

/** production -> detect: files what the recorder noticed, and sends its issue on its way. */
export async function noticed(parts: Parts, suspicion: Suspicion): Promise<void> {
  const { app, releaseNumber } = suspicion;
  const release = await parts.store.releases.get(app, releaseNumber);
  if (release === null) throw new Error(`${app} has no release ${releaseNumber}`);
  const locate = locatorFor(parts, release);
  const filed = await detect({ suspicion, locate, store: parts.store });
  if (filed === null) return;
  const { issue, occurrence, news, unkept } = filed;
  if (unkept !== null) {
    const reason = `its recording could not be stored: ${unkept}`;
    parts.logger.error('an issue has no recording', { app, issue: issue.id, reason });
    if (news === 'new') await parts.store.issues.setStatus(issue.id, 'open', reason);
  }
  if (news !== 'known') {
    parts.logger.info('issue', { app, issue: issue.id, news, release: releaseNumber });
    if (news === 'regressed') await parts.store.reproductions.forget(issue.id);
  } else if (!(await deservesAnotherTry(parts.store, issue, occurrence.recordingId))) return;
  if (parts.settings.automatic) await queue(parts.store, issue.id);
}

/** Gives an issue its turn; one that waits or is worked on already stays where it is. */
export async function queue(store: Store, issueId: number): Promise<void> {
  await store.jobs.send('pursue', { issueId }, `issue-${issueId}`);
}

/** detect -> reproduce -> propose <-> verify -> submit, from wherever it stands. */
export async function pursue(parts: Parts, issueId: number, work: Work): Promise<void> {
  const issue = await parts.store.issues.get(issueId);
  if (issue === null || issue.status === 'resolved') return;
  if ((await openChange(parts.store, issueId)) !== null)
    return settle(parts, issue, 'proposed', null);

  const dossier = await dossierOf(parts.store, issue);
  if (dossier === null) {
    return settle(parts, issue, 'not-replayable', 'nothing of it is kept any more');
  }
  const reproduction = await reproduced(parts, dossier, work);
  if (reproduction.kind !== 'reproduced') {
    return settle(parts, issue, reproduction.kind, reproduction.reason);
  }
  const whole = await refreshed(parts.store, dossier);
  const attempt = await provenFix(parts, whole, reproduction, work);
  if (attempt === null) {
    return settle(parts, issue, 'no-fix', 'no candidate was proven; see the attempts');
  }
  await submitted(parts, whole, attempt, work);
}

/** Stage reproduce: the stored result, or a new one. */
export async function reproduced(
  parts: Parts,
  dossier: Dossier,
  work: Work,
): Promise<Reproduction> {
  const { issue, release } = dossier;
  const known = await parts.store.reproductions.get(issue.id);
  // A recording that is not kept any more proves nothing of the one that took its place.
  const isStale = known?.kind === 'reproduced' && known.recordingId !== dossier.recording?.id;
  if (known !== null && !isStale) return known;
  await settle(parts, issue, 'reproducing', null);
  const reproduction = await reproduce({
    ...dossier,
    replayer: parts.replayer,
    locate: locatorFor(parts, release),
    onProgress: work.say,
    signal: work.signal,
  });
  await parts.store.reproductions.save(reproduction);
  const reason = reproduction.kind === 'reproduced' ? null : reproduction.reason;
  const isProposed = (await openChange(parts.store, issue.id)) !== null;
  await settle(parts, issue, isProposed ? 'proposed' : reproduction.kind, reason);
  return reproduction;
}

type Reproduced = Extract<Reproduction, { kind: 'reproduced' }>;

/** Stages propose and verify: the one bounded loop. Null when no candidate is proven. */
async function provenFix(
  parts: Parts,
  dossier: Dossier,
  reproduction: Reproduced,
  work: Work,
): Promise<Attempt | null> {
  const { store, settings } = parts;
  const { issue, release } = dossier;
  await settle(parts, issue, 'proposing', null);
  const baselines = new Map<string, [Observed, Observed] | null>();
  const judge = (attempt: Attempt) =>
    judged(parts, { dossier, reproduction, attempt, baselines }, work);

  const declined = await declinedAttempts(parts.store, issue.id);
  for (const attempt of await attemptsOf(parts, dossier)) {
    const finished = attempt.verdict === null ? await judge(attempt) : attempt;
    if (finished.verdict?.kind === 'verified' && !declined.has(attempt.number)) return finished;
  }
  const candidates = propose({
    ...{ issue, occurrence: dossier.occurrence, reproduction, recording: dossier.recording },
    env: dossier.env,
    siblings: dossier.siblings,
    repository: await parts.repositoryOf(issue.app),
    commit: release.commit,
    attempts: () => attemptsOf(parts, dossier),
    model: parts.model,
    budget: settings.modelBudget,
    rules: settings.rules,
    limits: settings.templates ? {} : { templatesMax: 0 },
    logger: parts.logger,
  });
  for await (const candidate of candidates) {
    const made = await attemptsOf(parts, dossier);
    if (made.length >= settings.candidatesMax || work.signal.aborted) break;
    work.say(`candidate ${made.length + 1}: ${candidate.explanation}`);
    const finished = await judge(await store.attempts.add(issue.id, candidate));
    if (finished.verdict?.kind === 'verified') return finished;
  }
  work.signal.throwIfAborted();
  return null;
}

/** Attempts of the pipeline itself; what people pushed as branches is theirs to submit. */
async function attemptsOf(parts: Parts, dossier: Dossier): Promise<Attempt[]> {
  const attempts = await parts.store.attempts.list(dossier.issue.id);
  return attempts.filter(
    ({ candidate, startedAt }) =>
      candidate.provenance.kind !== 'branch' && startedAt >= dossier.release.createdAt,
  );
}

interface Judgement {
  dossier: Dossier;
  reproduction: Reproduced;
  attempt: Attempt;
  baselines: Map<string, [Observed, Observed] | null>;
}

/** Stage verify, on one attempt; its verdict is stored. */
async function judged(parts: Parts, judgement: Judgement, work: Work): Promise<Attempt> {
  const { dossier, reproduction, attempt, baselines } = judgement;
  const { issue, occurrence, release, recording, boot } = dossier;
  if (recording === null || boot === null) throw new Error('reproduced without a recording');
  const { app } = issue;
  const { workdir } = release.config;
  const { filesMax, changedLinesMax } = parts.settings.rules;
  const verdict = await verify({
    ...{ issue, occurrence, release, reproduction, baselines },
    candidate: attempt.candidate,
    env: dossier.env,
    dockerfile: await parts.dockerfileOf(app, release.commit),
    evidence: { recording, boot },
    others: dossier.others,
    siblings: dossier.siblings,
    corpus: dossier.corpus,
    repository: await parts.repositoryOf(app),
    engine: parts.engine,
    replayer: parts.replayer,
    locatorFor: (build) => parts.locatorOf({ ...build, app, workdir }),
    labels: parts.labels,
    limits: { testTimeoutMs: parts.settings.testTimeoutMs, filesMax, changedLinesMax },
    onProgress: work.say,
    signal: work.signal,
  });
  await parts.store.attempts.finish(issue.id, attempt.number, verdict);
  const [open] = verdict.kind === 'verified' ? [] : undecided(verdict.checks);
  const decisive =
    verdict.checks.find((check) => check.answer === 'fail') ??
    verdict.checks.find((check) => check.name === open);
  work.say(`candidate ${attempt.number} ${verdict.kind}${decisive ? `: ${decisive.reason}` : ''}`);
  return { ...attempt, verdict };
}

/** Stage submit: a branch and a change request with the evidence. */
async function submitted(
  parts: Parts,
  dossier: Dossier,
  attempt: Attempt,
  work: Work,
): Promise<ChangeRequest> {
  const { issue, occurrence, release, recording, siblings } = dossier;
  const app = await parts.store.apps.get(issue.app);
  if (app === null) throw new Error(`there is no app ${issue.app}`);
  const change = await submit({
    ...{ app, issue, occurrence, release, attempt, recording, siblings },
    forge: parts.forge,
    store: parts.store,
    repository: await parts.repositoryOf(issue.app),
  });
  await settle(parts, issue, 'proposed', null);
  work.say(`change request ${change.id}: ${change.title}`);
  return change;
}

/** A verdict on anybody's patch: stored as an attempt, never submitted by itself. */
export async function judgeCandidate(
  parts: Parts,
  issue: Issue,
  candidate: Candidate,
  work: Work,
): Promise<Attempt | { kind: 'impossible'; reason: string }> {
  const dossier = await dossierOf(parts.store, issue);
  if (dossier === null) return { kind: 'impossible', reason: 'nothing of it is kept any more' };
  const { status, reason } = issue;
  const reproduction = await reproduced(parts, dossier, work);
  if (reproduction.kind !== 'reproduced')
    return { kind: 'impossible', reason: reproduction.reason };
  const attempt = await parts.store.attempts.add(issue.id, candidate);
  const known = status === 'open' || status === 'reproducing' ? 'reproduced' : status;
  await settle(parts, issue, known, reason);
  const whole = await refreshed(parts.store, dossier);
  return judged(parts, { dossier: whole, reproduction, attempt, baselines: new Map() }, work);
}

async function settle(
  parts: Parts,
  issue: Issue,
  status: IssueStatus,
  reason: string | null,
): Promise<void> {
  await parts.store.issues.setStatus(issue.id, status, reason);
}

function locatorFor(parts: Parts, release: Release): Locate {
  const { app, commit, imageId } = release;
  return parts.locatorOf({ app, commit, imageId, workdir: release.config.workdir });
}

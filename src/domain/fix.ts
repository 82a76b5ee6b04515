/** From a candidate to a change request, and the checks in between. */
import type { Instant } from './time.ts';

/** Replace `search`, which must occur exactly once in `file`, by `replace`. */
export interface Edit {
  file: string;
  search: string;
  replace: string;
}

/** Who made a patch. */
export type Provenance =
  | { kind: 'template'; template: string }
  | {
      kind: 'model';
      provider: string;
      model: string;
      costUsd: number | null;
      inputTokens: number;
      outputTokens: number;
    }
  | { kind: 'branch'; branch: string; author: string };

/** A patch that is not verified yet. */
export interface Candidate {
  /** Unified diff against the release's commit, `a/` and `b/` prefixes, git apply-able. */
  diff: string;
  /** What it does and why, in a sentence or two. */
  explanation: string;
  /** Cause in at most three sentences, naming file and line. */
  rootCause: string;
  provenance: Provenance;
  /** Why nobody looks at it any further: what a model said was no patch, or not allowed. */
  refusal?: string;
}

export type CheckName =
  | 'reproduces'
  | 'error-gone'
  | 'outcome-sane'
  | 'calls-before-equal'
  | 'calls-after-plausible'
  | 'nothing-else-changed'
  | 'own-tests'
  | 'not-hidden-in-text'
  | 'not-hidden-at-run-time'
  | 'generalises'
  | 'every-hunk-needed'
  | 'evidence-has-teeth'
  | 'regression-test'
  | 'second-opinion';

/** In the order of docs/verdict.md; its index + 1 is the number people see. */
export const checkNames: readonly CheckName[] = [
  'reproduces',
  'error-gone',
  'outcome-sane',
  'calls-before-equal',
  'calls-after-plausible',
  'nothing-else-changed',
  'own-tests',
  'not-hidden-in-text',
  'not-hidden-at-run-time',
  'generalises',
  'every-hunk-needed',
  'evidence-has-teeth',
  'regression-test',
  'second-opinion',
];

/** One question of verification with its answer. */
export interface Check {
  name: CheckName;
  answer: 'pass' | 'fail' | 'unknown';
  /** One sentence that a maintainer understands without the product's vocabulary. */
  reason: string;
}

export type VerdictKind = 'verified' | 'rejected' | 'inconclusive';

/** All checks of a candidate. */
export interface Verdict {
  kind: VerdictKind;
  checks: Check[];
  /** The candidate's diff after hunks that were not needed were dropped. */
  diff: string;
  before: AnswerText | null;
  after: AnswerText | null;
  tookMs: number;
}

/** An answer as it may be shown: cut and redacted. */
export interface AnswerText {
  status: number | null;
  body: string;
}

/** A candidate with what became of it. `number` counts within the issue. */
export interface Attempt {
  issueId: number;
  number: number;
  candidate: Candidate;
  /** Null while it is being verified. */
  verdict: Verdict | null;
  startedAt: Instant;
  endedAt: Instant | null;
}

export type ChangeRequestStatus = 'open' | 'merged' | 'closed';

/** A proposed change on a forge. */
export interface ChangeRequest {
  id: number;
  app: string;
  issueId: number;
  attemptNumber: number;
  forge: string;
  branch: string;
  commit: string;
  title: string;
  /** Markdown. */
  body: string;
  status: ChangeRequestStatus;
  url: string | null;
  createdAt: Instant;
  endedAt: Instant | null;
}

const mustPass: readonly CheckName[] = [
  'reproduces',
  'error-gone',
  'outcome-sane',
  'calls-before-equal',
  'own-tests',
  'not-hidden-in-text',
  'not-hidden-at-run-time',
  'every-hunk-needed',
];

/**
 * The verdict that a set of answers adds up to: any fail rejects; otherwise every must-pass
 * check has to be answered `pass`; a check that is missing counts as unknown.
 */
export function verdictKindOf(checks: readonly Check[]): VerdictKind {
  if (checks.some((check) => check.answer === 'fail')) return 'rejected';
  return undecided(checks).length === 0 ? 'verified' : 'inconclusive';
}

/** The must-pass checks that did not pass: what keeps a verdict from being `verified`. */
export function undecided(checks: readonly Check[]): CheckName[] {
  const passed = new Set(checks.filter((c) => c.answer === 'pass').map((c) => c.name));
  return mustPass.filter((name) => !passed.has(name));
}

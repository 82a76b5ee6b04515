/** Failures and what they add up to: occurrences and issues. */
import type { ProcessExit } from './app.ts';
import type { Instant } from './time.ts';

/** One line of a stack trace, mapped to the source where that was possible. */
export interface StackLine {
  /** Path in the repository (`src/orders.ts`) when in-app, else as the runtime printed it. */
  file: string;
  function: string | null;
  /** 1-based; 0 when unknown. */
  line: number;
  column: number;
  /** The line of source text, trimmed, when the file is in the repository. */
  text: string | null;
  /** Whether it is the app's own code, not a dependency's or the runtime's. */
  inApp: boolean;
}

/** An exception as a runtime printed it; causes in order, outermost first. */
export interface Trace {
  runtime: 'v8' | 'python' | 'go' | 'java' | 'other';
  type: string;
  message: string;
  lines: StackLine[];
  causes: Trace[];
  /** Whether it went uncaught as far as the text tells. */
  uncaught: boolean;
}

export type FailureKind = 'server-error' | 'exception' | 'crash';

/** A symptom: a 5xx answer, an exception on the log, the death of a process. */
export interface Failure {
  kind: FailureKind;
  at: Instant;
  /** `TypeError: Cannot read ...`, or `500 Internal Server Error`, or `killed by signal 9`. */
  message: string;
  trace: Trace | null;
  /** HTTP status answered to the trigger, where there was an answer. */
  status: number | null;
  exit: ProcessExit | null;
  /** Route of the trigger, `GET /orders/:id`, where there is one. */
  route: string | null;
  fingerprint: string;
}

export type OccurrenceId = string;

/** One failure with its evidence. */
export interface Occurrence {
  id: OccurrenceId;
  issueId: number;
  app: string;
  releaseNumber: number;
  instanceId: string;
  at: Instant;
  failure: Failure;
  /** Null when the recorder holds nothing of it. */
  recordingId: string | null;
}

/**
 * Where an issue stands. `open` waits for its turn; the three in the middle are at work; the
 * rest are ends until something new happens (a release, an occurrence, a command).
 */
export type IssueStatus =
  | 'open'
  | 'reproducing'
  | 'reproduced'
  | 'proposing'
  | 'proposed'
  | 'not-replayable'
  | 'not-reproduced'
  | 'no-fix'
  | 'resolved';

/** All occurrences of one fingerprint in one app. */
export interface Issue {
  id: number;
  app: string;
  fingerprint: string;
  title: string;
  kind: FailureKind;
  route: string | null;
  status: IssueStatus;
  /** Why it stands there, in words. */
  reason: string | null;
  firstSeenAt: Instant;
  lastSeenAt: Instant;
  firstRelease: number;
  lastRelease: number;
  count: number;
  /** Release in which it came back after it had been resolved, else null. */
  regressedIn: number | null;
}

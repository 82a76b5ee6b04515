/** What one replay did: everything observed, and how each of the app's questions was answered. */
import type { LogLine, ProcessExit } from './app.ts';
import type { Exchange } from './exchange.ts';
import type { Failure } from './failure.ts';
import type { Instant } from './time.ts';
import type { Endpoint, Transport } from './wire.ts';

/** How an answer was found. Never one recorded for another question. */
export type Grade =
  /** The same bytes were asked. */
  | 'exact'
  /** Equal after declared normalisation. */
  | 'normalised'
  /** One of several equal questions, in recorded order. */
  | 'ordered'
  /** Made up by protocol without carrying data: handshakes, prepares, transaction control. */
  | 'synthesised'
  /**
   * Acknowledges a write that the recording does not hold, in the shape that successful siblings
   * saw; values that only the real service knows are made up and named in `assumed`.
   */
  | 'assumed'
  /** Nothing recorded answers it: see the divergence. */
  | 'none';

/** Which recording an answer came from. */
export type AnswerSource = 'trigger' | 'boot' | 'sibling' | 'none';

/** One question of the app with the answer it got. */
export interface Served {
  at: Instant;
  protocol: string;
  server: Endpoint;
  serverName: string | null;
  /** Identity of the question: equal keys are equal questions. Never shown to a model raw. */
  key: string;
  /** Equal for questions of one form that differ in values only (see protocols/protocol.ts). */
  formKey: string;
  title: string;
  /** The values that a change was asked with, by name: secret, compared and never kept. */
  fields?: Record<string, string>;
  effect: Exchange['effect'];
  grade: Grade;
  source: AnswerSource;
  /** Exchange of the recording that answered, when one did. */
  exchangeId: string | null;
  /** Names of values that were made up (grade `assumed`). */
  assumed: string[];
  /** Whether it was asked before the trigger was sent, that is, while the app booted. */
  duringBoot: boolean;
}

/** The replay asked for something the recording does not hold. */
export interface Divergence {
  at: Instant;
  transport: Transport;
  server: Endpoint;
  serverName: string | null;
  protocol: string;
  title: string;
  effect: Exchange['effect'];
  /** The nearest recorded question and the field that differs, where there is one. */
  nearest: { exchangeId: string; title: string; difference: string } | null;
  duringBoot: boolean;
}

/** What the app answered to the trigger, in meaning and raw. */
export interface Answer {
  status: number;
  headers: [string, string][];
  body: Uint8Array;
  /** Wall time from the last byte of the request to the last of the answer. */
  tookMs: number;
}

/** An exception that was raised in the app while it was watched, caught or not. */
export interface Raised {
  type: string;
  message: string;
  file: string;
  function: string | null;
  line: number;
  uncaught: boolean;
  /** Values of the variables at the throw, printed and cut, hostile text. */
  variables: Record<string, string>;
}

/** Everything observed in one replay that ran. */
export interface Observed {
  answer: Answer | null;
  /** Why there is no answer: `timeout`, `connection closed`, `process exited`. */
  noAnswer: string | null;
  served: Served[];
  divergences: Divergence[];
  log: LogLine[];
  exit: ProcessExit | null;
  raised: Raised[];
  /** Whether exceptions were watched at all; else `raised` says nothing. */
  watched: boolean;
  /** What was not as in production, in words: `the clock could not be set`. Empty is best. */
  caveats?: string[];
  bootMs: number;
  tookMs: number;
}

/** A closed union: each says what the caller does next. */
export type Outcome =
  /** The app failed; compare fingerprints. */
  | { kind: 'failed'; failures: Failure[]; observed: Observed }
  /** The app answered and nothing failed. */
  | { kind: 'succeeded'; observed: Observed }
  /** The app did not become ready: its boot diverged or crashed. */
  | { kind: 'not-ready'; reason: string; observed: Observed }
  /** The recording cannot be replayed at all. */
  | { kind: 'not-replayable'; reason: string }
  /** The sandbox itself broke: an engine error, say. Never a statement about the app. */
  | { kind: 'unavailable'; reason: string };

/** The failure came back, or why not. */
export type Reproduction =
  | {
      kind: 'reproduced';
      issueId: number;
      recordingId: string;
      /** Earlier inbound exchanges that have to be sent first, oldest first; mostly none. */
      prefix: string[];
      runs: ReproductionRun[];
    }
  | {
      kind: 'not-reproduced';
      issueId: number;
      recordingId: string;
      reason: string;
      runs: ReproductionRun[];
    }
  | { kind: 'not-replayable'; issueId: number; recordingId: string | null; reason: string };

/** A run in short, as it is stored. */
export interface ReproductionRun {
  outcome: Outcome['kind'];
  fingerprint: string | null;
  message: string;
  divergences: Divergence[];
  served: Served[];
  raised: Raised[];
  tookMs: number;
}

/**
 * The nouns of the API as schemas. Instants are integers, microseconds since 1970 (UTC). What is
 * not named here is not sent.
 */
import { z } from 'zod';
import { checkNames } from '../domain/fix.ts';
import { degradation } from './degradation.ts';

const instant = z.number().int();
const maybeInstant = instant.nullable();
const maybeText = z.string().nullable();
const count = z.number().int();

export const deployment = z.object({
  id: z.string(),
  app: z.string(),
  commit: z.string(),
  branch: z.string(),
  releaseNumber: count.nullable(),
  status: z.enum([
    'queued',
    'building',
    'starting',
    'serving',
    'replaced',
    'refused',
    'failed',
    'interrupted',
  ]),
  reason: maybeText,
  startedAt: instant,
  endedAt: maybeInstant,
});

export const app = z.object({
  name: z.string(),
  defaultBranch: z.string(),
  createdAt: instant,
  /** To push to; needs the token as user or password. */
  gitUrl: z.string(),
  /** Where its users reach it. */
  url: z.string(),
  serving: deployment.nullable(),
  /** Of the instances that run now; empty when all of it is recorded. */
  degradations: z.array(degradation),
});

/** Values of an app's configuration; masked unless they were asked for. */
export const env = z.object({ version: count, values: z.record(z.string(), z.string()) });

export const logLine = z.object({
  at: instant,
  stream: z.enum(['stdout', 'stderr']),
  text: z.string(),
});

export const stackLine = z.object({
  file: z.string(),
  function: maybeText,
  line: count,
  column: count,
  text: maybeText,
  inApp: z.boolean(),
});

export const trace = z.object({
  runtime: z.string(),
  type: z.string(),
  message: z.string(),
  lines: z.array(stackLine),
  get causes() {
    return z.array(trace);
  },
  uncaught: z.boolean(),
});

export const issue = z.object({
  id: count,
  app: z.string(),
  title: z.string(),
  kind: z.enum(['server-error', 'exception', 'crash']),
  route: maybeText,
  status: z.enum([
    'open',
    'reproducing',
    'reproduced',
    'proposing',
    'proposed',
    'not-replayable',
    'not-reproduced',
    'no-fix',
    'resolved',
  ]),
  reason: maybeText,
  fingerprint: z.string(),
  firstSeenAt: instant,
  lastSeenAt: instant,
  firstRelease: count,
  lastRelease: count,
  count,
  regressedIn: count.nullable(),
});

export const exit = z.object({
  at: instant,
  code: z.number().int().nullable(),
  signal: z.number().int().nullable(),
  oomKilled: z.boolean(),
});

export const occurrence = z.object({
  id: z.string(),
  releaseNumber: count,
  instanceId: z.string(),
  at: instant,
  failure: z.object({
    kind: issue.shape.kind,
    message: z.string(),
    trace: trace.nullable(),
    status: z.number().int().nullable(),
    exit: exit.nullable(),
    route: maybeText,
  }),
  recordingId: maybeText,
});

/** An exchange as people read it. */
export const exchange = z.object({
  id: z.string(),
  direction: z.enum(['inbound', 'outbound']),
  protocol: z.string(),
  /** Where it went: a name where one is known, and the port. */
  server: z.string(),
  title: z.string(),
  startedAt: maybeInstant,
  endedAt: maybeInstant,
  end: z.enum(['complete', 'unanswered', 'gap', 'malformed', 'handed-over']),
  error: maybeText,
  /** Request and response, line by line. */
  lines: z.array(z.string()),
});

export const recording = z.object({
  id: z.string(),
  kind: z.enum(['boot', 'failure', 'sample']),
  app: z.string(),
  releaseNumber: count,
  instanceId: z.string(),
  from: instant,
  to: instant,
  route: maybeText,
  causality: z.enum(['exact', 'candidates', 'ambiguous']),
  completeness: z.object({ seenBytes: count, totalBytes: count, reasons: z.array(z.string()) }),
  storedBytes: count,
});

/** What a recording says, in words. */
export const recordingText = z.object({
  recording,
  /** The exchange that it is about. */
  trigger: exchange.nullable(),
  /** What the app asked of others meanwhile. */
  calls: z.array(exchange),
  /** Whatever else went by. */
  others: z.array(exchange),
  log: z.array(logLine),
  exit: exit.nullable(),
});

const divergence = z.object({
  title: z.string(),
  protocol: z.string(),
  serverName: maybeText,
  nearest: z.object({ title: z.string(), difference: z.string() }).nullable(),
  duringBoot: z.boolean(),
});

const run = z.object({
  outcome: z.enum(['failed', 'succeeded', 'not-ready', 'not-replayable', 'unavailable']),
  fingerprint: maybeText,
  message: z.string(),
  divergences: z.array(divergence),
  raised: z.array(
    z.object({
      type: z.string(),
      message: z.string(),
      file: z.string(),
      function: maybeText,
      line: count,
      uncaught: z.boolean(),
      variables: z.record(z.string(), z.string()),
    }),
  ),
  tookMs: z.number(),
});

export const reproduction = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('reproduced'),
    issueId: count,
    recordingId: z.string(),
    /** Earlier exchanges that have to go before. */
    prefix: z.array(z.string()),
    runs: z.array(run),
  }),
  z.object({
    kind: z.literal('not-reproduced'),
    issueId: count,
    recordingId: z.string(),
    reason: z.string(),
    runs: z.array(run),
  }),
  z.object({
    kind: z.literal('not-replayable'),
    issueId: count,
    recordingId: maybeText,
    reason: z.string(),
  }),
]);

export const check = z.object({
  name: z.enum(checkNames as [string, ...string[]]),
  answer: z.enum(['pass', 'fail', 'unknown']),
  reason: z.string(),
});

const answerText = z.object({ status: z.number().int().nullable(), body: z.string() });

export const verdict = z.object({
  kind: z.enum(['verified', 'rejected', 'inconclusive']),
  checks: z.array(check),
  diff: z.string(),
  before: answerText.nullable(),
  after: answerText.nullable(),
  tookMs: z.number(),
});

export const provenance = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('template'), template: z.string() }),
  z.object({
    kind: z.literal('model'),
    provider: z.string(),
    model: z.string(),
    costUsd: z.number().nullable(),
    inputTokens: count,
    outputTokens: count,
  }),
  z.object({ kind: z.literal('branch'), branch: z.string(), author: z.string() }),
]);

export const attempt = z.object({
  issueId: count,
  number: count,
  candidate: z.object({
    diff: z.string(),
    explanation: z.string(),
    rootCause: z.string(),
    provenance,
  }),
  verdict: verdict.nullable(),
  startedAt: instant,
  endedAt: maybeInstant,
});

export const change = z.object({
  id: count,
  app: z.string(),
  issueId: count,
  attemptNumber: count,
  forge: z.string(),
  branch: z.string(),
  commit: z.string(),
  title: z.string(),
  body: z.string(),
  status: z.enum(['open', 'merged', 'closed']),
  url: maybeText,
  createdAt: instant,
  endedAt: maybeInstant,
});

export type App = z.output<typeof app>;
export type Deployment = z.output<typeof deployment>;
export type Env = z.output<typeof env>;
export type LogLine = z.output<typeof logLine>;
export type StackLine = z.output<typeof stackLine>;
export type Trace = z.output<typeof trace>;
export type Issue = z.output<typeof issue>;
export type Occurrence = z.output<typeof occurrence>;
export type Exchange = z.output<typeof exchange>;
export type Recording = z.output<typeof recording>;
export type RecordingText = z.output<typeof recordingText>;
export type Reproduction = z.output<typeof reproduction>;
export type Verdict = z.output<typeof verdict>;
export type Attempt = z.output<typeof attempt>;
export type Change = z.output<typeof change>;

/**
 * Exists so that server, command line and scripts agree: what every route takes and answers. The
 * only file of the server that `cli` and `web` may import.
 */
import { z } from 'zod';
import {
  app,
  attempt,
  change,
  deployment,
  env,
  issue,
  logLine,
  occurrence,
  recording,
  recordingText,
  reproduction,
} from './objects.ts';

export { isAppName } from '../domain/app.ts';
export { checkNames } from '../domain/fix.ts';
export { nearest } from '../domain/nearest.ts';
export { redact } from '../domain/redact.ts';
export { isoOf } from '../domain/time.ts';
export type * from './objects.ts';

/** Every failed request answers this; `code` is meant for programs. */
export const apiError = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export const apps = z.object({ apps: z.array(app) });
export const oneApp = z.object({ app });
export const newApp = z.strictObject({
  name: z.string(),
  defaultBranch: z.string().default('main'),
});
/** Null takes a name away. */
export const envChanges = z.strictObject({
  changes: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().nullable()),
});
/** The deployment that brought the new values into the app; null when nothing is deployed yet. */
export const envChanged = z.object({
  version: env.shape.version,
  deployment: deployment.nullable(),
});
export const deployments = z.object({ deployments: z.array(deployment) });
export const deploymentLog = z.object({ deployment, lines: z.array(z.string()) });

export const issues = z.object({ issues: z.array(issue) });
export const issueDetail = z.object({
  issue,
  /** Newest first. */
  occurrences: z.array(occurrence),
  /** Of the newest occurrence that has one. */
  recording: recordingText.nullable(),
  /** Why a recording that should be there cannot be shown. */
  recordingProblem: z.string().nullable(),
  reproduction: reproduction.nullable(),
  attempts: z.array(attempt),
  changes: z.array(change),
});
export const branchToVerify = z.strictObject({ branch: z.string().min(1) });

export const changes = z.object({ changes: z.array(change) });
export const changeDetail = z.object({ change, issue, attempt: attempt.nullable() });
export const changeToClose = z.strictObject({ comment: z.string().default('') });

export const recordings = z.object({ recordings: z.array(recording) });
export const imported = z.object({
  recordings: z.array(
    z.object({
      id: z.string(),
      /** Its id where it came from: another one is given when that is taken here. */
      from: z.string(),
      app: z.string(),
      /** It was here already. */
      known: z.boolean(),
      /** The release that it was recorded of is here. */
      replayable: z.boolean(),
    }),
  ),
});

/** One part of the server, as `status` lists it. */
export const part = z.object({
  name: z.string(),
  state: z.enum(['ok', 'degraded', 'down']),
  says: z.string(),
});
export const status = z.object({
  version: z.string(),
  pid: z.number().int(),
  startedAt: z.number().int(),
  dataDir: z.string(),
  parts: z.array(part),
  /** Times of the last day when nothing was recorded, newest first; `to` is null while it lasts. */
  interruptions: z.array(
    z.object({
      from: z.number().int(),
      to: z.number().int().nullable(),
      reason: z.string(),
    }),
  ),
  /** How many there were; the list holds the newest 1000. */
  interruptionsCount: z.number().int(),
});

/** One thing that the server needs, and how to mend it. */
export const diagnosis = z.object({
  name: z.string(),
  answer: z.enum(['ok', 'warning', 'failed']),
  says: z.string(),
  remedy: z.string().nullable(),
});
export const doctor = z.object({ diagnoses: z.array(diagnosis) });

export const fixed = z.object({ issue, change: change.nullable() });
export const merged = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('merged'),
    change,
    commit: z.string(),
    /** The deployment of the merge; null when there was none. */
    deployment: deployment.nullable(),
  }),
  z.object({ kind: z.literal('conflict'), change, files: z.array(z.string()) }),
  z.object({ kind: z.literal('not-open'), change }),
]);

/**
 * Long work answers with lines of JSON (application/x-ndjson): any number of `progress` and `log`,
 * then one `result` or `error`. `alive` means nothing; it keeps the connection open.
 */
export const progress = z.object({ kind: z.literal('progress'), text: z.string() });
export const logEntry = z.object({ kind: z.literal('log'), line: logLine });
export const alive = z.object({ kind: z.literal('alive') });
export const failed = z.object({ kind: z.literal('error'), error: apiError.shape.error });
export const resultOf = <S extends z.ZodType>(result: S) =>
  z.object({ kind: z.literal('result'), result });

export type ApiError = z.output<typeof apiError>['error'];
export type EnvChanged = z.output<typeof envChanged>;
export type DeploymentLog = z.output<typeof deploymentLog>;
export type IssueDetail = z.output<typeof issueDetail>;
export type ChangeDetail = z.output<typeof changeDetail>;
export type Status = z.output<typeof status>;
export type Part = z.output<typeof part>;
export type Diagnosis = z.output<typeof diagnosis>;
export type Fixed = z.output<typeof fixed>;
export type Imported = z.output<typeof imported>;
export type Merged = z.output<typeof merged>;

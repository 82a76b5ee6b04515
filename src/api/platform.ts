/** What the API asks of the rest of the server: the commands. Reading goes to the store. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App, LogLine } from '../domain/app.ts';
import type { Degradation } from '../domain/degradation.ts';
import type { Issue } from '../domain/failure.ts';
import type { Attempt, ChangeRequest } from '../domain/fix.ts';
import type { Reproduction } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Diagnosis, EnvChanged, Exchange, Merged, Part } from './contract.ts';

/** Tells whoever waits what is going on, a line at a time. */
export type Say = (text: string) => void;

/** What was asked is not done, with the reason for people; nothing changed. */
export interface Refusal {
  kind: 'refused';
  code: 'not-found' | 'invalid' | 'conflict' | 'unavailable';
  reason: string;
}

/** An exchange sorted by its part in a recording. */
export interface Explained {
  trigger: Exchange | null;
  calls: Exchange[];
  others: Exchange[];
}

export interface Platform {
  /** Where an app is pushed to (without credentials) and where its users reach it. */
  urlsOf(app: string): { gitUrl: string; url: string };
  /** What is not recorded of an app's instances that run now. */
  degradationsOf(app: string): Degradation[];
  /** The name was checked; makes the repository, too. */
  createApp(options: { name: string; defaultBranch: string }): Promise<App | Refusal>;
  /** Stores the changes and deploys the serving commit again with them. Null deletes. */
  setEnv(
    app: string,
    changes: Record<string, string | null>,
    say: Say,
  ): Promise<EnvChanged | Refusal>;
  /** The exchanges of a recording in words; never fails, bytes that say nothing are opaque. */
  explain(recording: Recording): Explained;
  /** Its HTTP exchanges as HAR 1.2, redacted; `boot` tells the names of hosts. */
  har(recording: Recording, options: { boot: Recording | null; version: string }): object;
  /** Reproduces anew, also when there is a result. Resolves when the result is stored. */
  reproduce(issueId: number, say: Say): Promise<Reproduction | Refusal>;
  /** Proposes and verifies until a change request is open, or until there is no hope. */
  fix(issueId: number, say: Say): Promise<{ issue: Issue; change: ChangeRequest | null } | Refusal>;
  /** The verdict on a branch that somebody pushed; stored as an attempt. */
  verifyBranch(issueId: number, branch: string, say: Say): Promise<Attempt | Refusal>;
  /** Merges and deploys, in the name of whoever asks. */
  merge(changeId: number, say: Say): Promise<Merged | Refusal>;
  closeChange(changeId: number, comment: string): Promise<ChangeRequest | Refusal>;
  /**
   * The last lines that the app's instances wrote; goes on until `signal` when asked to follow,
   * over deployments. Resolves when there is no more.
   */
  logs(
    app: string,
    options: { linesMax: number; follow: boolean; signal: AbortSignal },
    onLine: (line: LogLine) => void,
  ): Promise<Refusal | null>;
  status(): Promise<Part[]>;
  doctor(): Promise<Diagnosis[]>;
}

/**
 * Serves one request under `/git/APP.git`. It was authenticated, the app exists, and its body was
 * not touched. `path` is what follows the repository in the URL, with the query.
 */
export type GitHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  target: { app: string; user: string; path: string },
) => Promise<void>;

export function isRefusal(answer: unknown): answer is Refusal {
  return typeof answer === 'object' && answer !== null && 'kind' in answer
    ? answer.kind === 'refused'
    : false;
}

/** The seam to everything that outlives a process. Each stage's output is stored here first. */
import type { App, Deployment, Instance, Release } from '../domain/app.ts';
import type { Failure, Issue, IssueStatus, Occurrence } from '../domain/failure.ts';
import type { Attempt, Candidate, ChangeRequest, Verdict } from '../domain/fix.ts';
import type { Reproduction } from '../domain/outcome.ts';
import type { Recording, RecordingKind, RecordingSummary } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';

/** What `issues.file` made of a failure. */
export interface Filed {
  issue: Issue;
  occurrence: Occurrence;
  /** First occurrence of its fingerprint, or the first after the issue was resolved. */
  news: 'new' | 'regressed' | 'known';
}

/** A time during which nothing was recorded. */
export interface RecordingInterruption {
  from: Instant;
  /** Null while it lasts. */
  to: Instant | null;
  reason: string;
}

export interface Store {
  apps: {
    /** Null when the name is taken. */
    create(app: App): Promise<App | null>;
    get(name: string): Promise<App | null>;
    list(): Promise<App[]>;
  };
  /** Configuration of an app's processes; every change makes a new version. Values are sealed. */
  env: {
    /** Null deletes a name. Returns the new version. */
    set(app: string, changes: Record<string, string | null>): Promise<number>;
    current(app: string): Promise<{ version: number; values: Record<string, string> }>;
    get(app: string, version: number): Promise<Record<string, string>>;
  };
  releases: {
    add(release: Omit<Release, 'number'>): Promise<Release>;
    get(app: string, number: number): Promise<Release | null>;
    list(app: string): Promise<Release[]>;
  };
  deployments: {
    add(deployment: Omit<Deployment, 'id'>): Promise<Deployment>;
    update(id: string, changes: Partial<Omit<Deployment, 'id' | 'app'>>): Promise<void>;
    get(id: string): Promise<Deployment | null>;
    /** Newest first. */
    list(app: string): Promise<Deployment[]>;
    /** The one that serves, if any. */
    serving(app: string): Promise<Deployment | null>;
    appendLog(id: string, line: string): Promise<void>;
    /** Lines from `from` (0-based) on. */
    readLog(id: string, from: number): Promise<string[]>;
  };
  instances: {
    add(instance: Instance): Promise<void>;
    update(id: string, changes: Partial<Omit<Instance, 'id'>>): Promise<void>;
    get(id: string): Promise<Instance | null>;
    list(filter: { app?: string; live?: boolean }): Promise<Instance[]>;
  };
  recordings: {
    /** Durable when it resolves. */
    keep(recording: Recording): Promise<RecordingSummary>;
    load(id: string): Promise<Recording | null>;
    summary(id: string): Promise<RecordingSummary | null>;
    /** Newest first. */
    list(filter: {
      app?: string;
      kind?: RecordingKind;
      instanceId?: string;
      route?: string;
      releaseNumber?: number;
      limit?: number;
    }): Promise<RecordingSummary[]>;
    /** All of them, newest first, so many at a time (1000): there may be a million. */
    pages(size?: number): AsyncIterable<RecordingSummary[]>;
    /** Ids that begin so, in order, at most `limit`. */
    idsStartingWith(prefix: string, limit: number): Promise<string[]>;
    remove(id: string): Promise<void>;
  };
  interruptions: {
    add(interruption: RecordingInterruption): Promise<void>;
    list(since: Instant): Promise<RecordingInterruption[]>;
  };
  issues: {
    /** Adds the occurrence to the issue of its fingerprint, which is made when there is none. */
    file(options: {
      app: string;
      releaseNumber: number;
      instanceId: string;
      failure: Failure;
      title: string;
      recordingId: string | null;
      /** How many failures it stands for (a flood is counted whole and kept in part); 1. */
      count?: number;
    }): Promise<Filed>;
    get(id: number): Promise<Issue | null>;
    /** Last seen first. */
    list(filter: { app?: string; status?: IssueStatus }): Promise<Issue[]>;
    setStatus(id: number, status: IssueStatus, reason: string | null): Promise<void>;
    occurrences(issueId: number, limit: number): Promise<Occurrence[]>;
  };
  reproductions: {
    save(reproduction: Reproduction): Promise<void>;
    get(issueId: number): Promise<Reproduction | null>;
    forget(issueId: number): Promise<void>;
  };
  attempts: {
    /** Gives it the next number within the issue. */
    add(issueId: number, candidate: Candidate): Promise<Attempt>;
    finish(issueId: number, number: number, verdict: Verdict): Promise<void>;
    list(issueId: number): Promise<Attempt[]>;
  };
  changes: {
    /** One open change request per issue: returns the open one when there is one already. */
    add(change: Omit<ChangeRequest, 'id'>): Promise<ChangeRequest>;
    update(id: number, changes: Partial<Omit<ChangeRequest, 'id' | 'app'>>): Promise<void>;
    get(id: number): Promise<ChangeRequest | null>;
    /** Newest first. */
    list(filter: {
      app?: string;
      issueId?: number;
      status?: ChangeRequest['status'];
    }): Promise<ChangeRequest[]>;
  };
  jobs: Jobs;
  close(): Promise<void>;
}

/** Durable work: a job that was taken when the server died is taken again. */
export interface Jobs {
  /** `key`: at most one job of a queue with this key waits or runs. */
  send(queue: string, data: Record<string, unknown>, key: string): Promise<void>;
  /** Whether a job with this key waits, runs, or waits for its next try. */
  isPending(queue: string, key: string): Promise<boolean>;
  /** One at a time per queue unless `concurrency` says otherwise. */
  work(
    queue: string,
    options: { concurrency: number; attemptsMax: number; timeoutMs: number },
    handle: (
      data: Record<string, unknown>,
      signal: AbortSignal,
      attempt: JobAttempt,
    ) => Promise<void>,
  ): Promise<void>;
}

/** Which try it is. A try that a dying or stopping server broke off does not count. */
export interface JobAttempt {
  /** From 1. */
  number: number;
  /** When this one throws, there is no other. */
  last: boolean;
}

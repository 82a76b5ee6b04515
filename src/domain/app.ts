/** The nouns of deploying: what is pushed, what was built from it, and what runs. */
import type { Instant } from './time.ts';

/** An app is a repository that people push to; its name is its identity everywhere. */
export interface App {
  /** Lower-case letters, digits and hyphens, 1 to 40 of them, beginning with a letter. */
  name: string;
  defaultBranch: string;
  createdAt: Instant;
}

/** Whether a name may be an app's: it becomes a folder, a host name and a label. */
export function isAppName(name: string): boolean {
  return /^[a-z][a-z0-9-]{0,39}$/.test(name) && !name.endsWith('-');
}

/** How a release is run; resolved when it is built, so that nothing is looked up afterwards. */
export interface ReleaseConfig {
  /** The TCP port on which the app listens inside its container. */
  port: number;
  /** The path asked by the health gate; any status below 500 counts as healthy. */
  healthPath: string;
  healthTimeoutMs: number;
  /** How long old instances may finish their requests after the switch. */
  drainMs: number;
  /** Limits of one instance. */
  memoryBytesMax: number;
  processesMax: number;
  /** `WORKDIR` of the image, absolute: maps paths in stack lines to paths in the repository. */
  workdir: string;
}

/** Everything needed to run a commit again anywhere. Immutable. */
export interface Release {
  app: string;
  /** 1, 2, 3 ... within the app. */
  number: number;
  commit: string;
  imageId: string;
  config: ReleaseConfig;
  envVersion: number;
  createdAt: Instant;
}

export type DeploymentStatus =
  | 'queued'
  | 'building'
  | 'starting'
  | 'serving'
  | 'replaced'
  | 'refused'
  | 'failed'
  | 'interrupted';

/** Putting a commit on a target. It ends as `serving` (later `replaced`) or with a reason. */
export interface Deployment {
  id: string;
  app: string;
  commit: string;
  branch: string;
  releaseNumber: number | null;
  status: DeploymentStatus;
  reason: string | null;
  startedAt: Instant;
  endedAt: Instant | null;
}

/** A running container of a release, with the network namespace that its anchor holds for it. */
export interface Instance {
  id: string;
  app: string;
  releaseNumber: number;
  deploymentId: string;
  containerId: string;
  anchorId: string;
  /** Inode number of the network namespace: the sensor knows an instance by it. */
  netns: number;
  /** Where the router finds it. */
  address: string;
  port: number;
  startedAt: Instant;
  healthyAt: Instant | null;
  endedAt: Instant | null;
}

/** How a process ended; `signal` is a number, as the kernel gives it. */
export interface ProcessExit {
  at: Instant;
  code: number | null;
  signal: number | null;
  oomKilled: boolean;
}

/** One line that an instance wrote to its standard output or standard error. */
export interface LogLine {
  at: Instant;
  stream: 'stdout' | 'stderr';
  text: string;
}

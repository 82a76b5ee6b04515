/** The seam to whatever runs containers. Arrays, never shell text; every object is labelled. */
import type { Readable } from 'node:stream';
import type { LogLine, ProcessExit } from '../domain/app.ts';

/** Labels carry ownership: only objects with our labels are ever removed. */
export type Labels = Record<string, string>;

/** What the engine said no to: `status` is its HTTP status, 0 when no engine answered at all. */
export class EngineError extends Error {
  readonly status: number;

  constructor(message: string, options: { status: number; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'EngineError';
    this.status = options.status;
  }
}

export interface BuildOptions {
  /**
   * A tar stream (a `git archive`, say). A function can be asked a second time, which is what an
   * engine without BuildKit needs: the builder is only known from how it takes the first try.
   */
  context: Readable | Uint8Array | (() => Readable);
  /** Path of the Dockerfile within the context. */
  dockerfile: string;
  labels: Labels;
  /** Names for the image, `fixpoint/orders:4f2a`: keeps it from `docker image prune`. */
  tags?: string[];
  /** Stage to stop at; the last when absent. */
  target?: string;
  buildArgs?: Record<string, string>;
  /** `none` forbids network to RUN steps. */
  network?: 'default' | 'none';
  onLine?: (line: string) => void;
  signal?: AbortSignal;
  timeoutMs?: number;
}

export type BuildResult =
  | { kind: 'built'; imageId: string }
  /** `late`: it did not end in time, which says nothing about what was to be built. */
  | { kind: 'failed'; reason: string; log: string[]; late?: boolean };

export interface ImageInfo {
  id: string;
  workdir: string;
  env: string[];
  entrypoint: string[];
  command: string[];
  exposedPorts: number[];
  user: string;
}

export interface ContainerSpec {
  name?: string;
  image: string;
  labels: Labels;
  command?: string[];
  entrypoint?: string[];
  env?: Record<string, string>;
  user?: string;
  workdir?: string;
  /** Network name, `none`, or the container whose network namespace is joined. */
  network:
    | { kind: 'none' }
    | { kind: 'network'; name: string; aliases: string[] }
    | { kind: 'container'; id: string };
  /** Container whose PID namespace is joined. */
  pidOf?: string;
  capabilitiesDropAll?: boolean;
  capabilitiesAdd?: string[];
  sysctls?: Record<string, string>;
  binds?: { host: string; container: string; readOnly: boolean }[];
  memoryBytesMax?: number;
  processesMax?: number;
  cpus?: number;
  readOnlyRoot?: boolean;
  init?: boolean;
  /** Kept open so that the process can be talked to through `attach`. */
  stdin?: boolean;
  dns?: string[];
  extraHosts?: Record<string, string>;
  /** `always`: the engine starts it again whenever it ends, also when we are not there. */
  restart?: 'no' | 'always';
}

export interface ContainerInfo {
  id: string;
  name: string;
  labels: Labels;
  image: string;
  running: boolean;
  /** Process id on the host of the container's first process; 0 when not running. */
  pid: number;
  /** Inode number of its network namespace; null when not running. */
  netns: number | null;
  /** Address by network name. */
  addresses: Record<string, string>;
  exit: ProcessExit | null;
}

/**
 * Standard streams of a running container (made with `stdin: true`). Read both outputs: they come
 * over one connection, so one that is not read holds up the other. Ending `stdin` gives the
 * process end-of-file and leaves its outputs open.
 */
export interface Attached {
  stdin: NodeJS.WritableStream;
  stdout: Readable;
  stderr: Readable;
  close(): void;
}

export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

export interface Engine {
  /** Version and API version, or throws an error that says how to reach an engine. */
  ping(): Promise<{ version: string; apiVersion: string }>;
  build(options: BuildOptions): Promise<BuildResult>;
  image(reference: string): Promise<ImageInfo | null>;
  removeImage(id: string): Promise<void>;
  /** Ids of the images that bear all these labels. */
  images(labels: Labels): Promise<string[]>;
  /** Makes a container without starting it; returns its id. */
  create(spec: ContainerSpec): Promise<string>;
  start(id: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `timeoutMs`. No error when it is gone already. */
  stop(id: string, options: { timeoutMs: number }): Promise<void>;
  kill(id: string, signal: string): Promise<void>;
  /** Removes by force, with its anonymous volumes. No error when it is gone already. */
  remove(id: string): Promise<void>;
  inspect(id: string): Promise<ContainerInfo | null>;
  list(labels: Labels): Promise<ContainerInfo[]>;
  /** Resolves when the container's process has ended. */
  wait(id: string): Promise<ProcessExit>;
  attach(id: string): Promise<Attached>;
  /**
   * Follows the output from `since` (microseconds) on; returns a function that stops it.
   * `onEnd` is called once when the container's output ends.
   */
  follow(
    id: string,
    options: { since?: number; onLine: (line: LogLine) => void; onEnd?: () => void },
  ): Promise<() => void>;
  /** The last lines of the output. */
  tail(id: string, lines: number): Promise<LogLine[]>;
  exec(
    id: string,
    argv: string[],
    options?: {
      user?: string;
      workdir?: string;
      env?: Record<string, string>;
      timeoutMs?: number;
      outputBytesMax?: number;
    },
  ): Promise<ExecResult>;
  /** One file of a container (running or not); null when it is not there. */
  readFile(id: string, path: string): Promise<Uint8Array | null>;
  /** Several files of an image, by a container made for it and removed again. */
  readImageFiles(imageId: string, paths: string[]): Promise<Map<string, Uint8Array>>;
  /** Unpacks a tar into a folder of a container that need not run. */
  putArchive(id: string, folder: string, tar: Uint8Array): Promise<void>;
  ensureNetwork(name: string, labels: Labels): Promise<void>;
  removeNetwork(name: string): Promise<void>;
}

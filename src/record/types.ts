/**
 * What the recorder offers and what bounds it: the interface that the pipeline is written
 * against.
 */
import type { Instance, LogLine, ProcessExit } from '../domain/app.ts';
import type { Degradation } from '../domain/degradation.ts';
import type { Logger } from '../domain/logger.ts';
import type { RecordingSummary } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';
import type { Store } from '../store/store.ts';
import type { Suspicion } from '../symptoms/symptoms.ts';
import type { Sensor } from './sensor/types.ts';

/** What the recorder has to know of an instance; known before its container exists. */
export type Watched = Pick<Instance, 'id' | 'app' | 'releaseNumber' | 'netns' | 'port'> & {
  /** Addresses by name in its /etc/hosts, kept with its recordings. */
  hosts?: Record<string, string>;
  /** It runs and was healthy before: no start is recorded, failures are noticed at once. */
  booted?: boolean;
};

export interface RecordLimits {
  /** Raw bytes (with bookkeeping) held per instance, and how far back they reach. */
  windowBytesMax: number;
  windowMs: number;
  /** Over all instances together; above it the fullest window gives way first. */
  totalBytesMax: number;
  /** Bytes held of an instance's start; what is beyond is declared as a gap. */
  bootBytesMax: number;
  /** How long after an answer late calls and log lines still count as the request's. */
  graceMs: number;
  /** How long a 5xx answer waits for its stack trace to arrive on the log. */
  traceWaitMs: number;
  /** How long a failing request may take to be answered before it is cut as it stands. */
  answerWaitMs: number;
  /** Earlier requests kept with a failure, and their bytes together. */
  prefixExchangesMax: number;
  prefixBytesMax: number;
  /** Failures looked into per instance: at once, and sustained per second. Others are counted. */
  failuresBurst: number;
  failuresPerSecond: number;
  /** Successes looked at (first line only), and cut, per second and instance. */
  samplePeeksPerSecond: number;
  sampleCutsPerSecond: number;
  /** Time that reading them may take: at once, and in the long run as a share of one processor. */
  sampleBurstMs: number;
  sampleProcessorShare: number;
  /** Successes kept per route and release. */
  samplesPerRoute: number;
  routesMax: number;
  logBytesMax: number;
  /** Largest body that is put together when a recording is read. */
  bodyBytesMax: number;
}

export const recordLimits: RecordLimits = {
  windowBytesMax: 32 << 20,
  windowMs: 120_000,
  totalBytesMax: 256 << 20,
  bootBytesMax: 32 << 20,
  graceMs: 300,
  traceWaitMs: 1500,
  answerWaitMs: 30_000,
  prefixExchangesMax: 30,
  prefixBytesMax: 1 << 20,
  failuresBurst: 5,
  failuresPerSecond: 1,
  samplePeeksPerSecond: 2000,
  sampleCutsPerSecond: 20,
  sampleBurstMs: 500,
  sampleProcessorShare: 0.01,
  samplesPerRoute: 20,
  routesMax: 500,
  logBytesMax: 1 << 20,
  bodyBytesMax: 16 << 20,
};

/** What the recorder asks of the store. */
export type Keeping = Pick<Store['recordings'], 'keep' | 'load' | 'summary' | 'list' | 'remove'>;

export interface RecordOptions {
  sensor: Sensor;
  store: { recordings: Keeping; interruptions: Store['interruptions'] };
  logger: Logger;
  limits?: Partial<RecordLimits>;
}

/** Figures for `doctor` and the benchmarks. */
export interface RecorderStatus {
  instances: number;
  heldBytes: number;
  events: number;
  /** Every failure before it was handed on; later ones are lost if this process is killed. */
  handledUntil: Instant;
  /** Bytes that passed and are not held, by reason, since the start. */
  lostBytes: Record<string, number>;
}

export interface Recorder {
  /**
   * Resolves once everything in the instance's network namespace is recorded: call it when the
   * anchor is there and before the app's container starts.
   */
  watch(instance: Watched): Promise<void>;
  /** The instance passed its health gate: its boot recording ends and is kept. */
  healthy(instanceId: string): Promise<RecordingSummary>;
  /** A line that the instance wrote, as soon as it is known. */
  log(instanceId: string, line: LogLine): void;
  /** The instance's main process ended by itself. Not to be called for one that we stop. */
  exited(instanceId: string, exit: ProcessExit): void;
  /** Looks into what is pending, then forgets the instance. Call it before stopping one. */
  unwatch(instanceId: string): Promise<void>;
  /** One listener; the next suspicion of an instance waits until its promise resolves. */
  onFailure(listener: (suspicion: Suspicion) => Promise<void>): void;
  /** Resolves once every failure and sample that began before the call was handed on. */
  settle(): Promise<void>;
  status(): RecorderStatus;
  /** What is not recorded of an app's instances that are watched now. */
  degradations(app: string): Degradation[];
  close(): Promise<void>;
}

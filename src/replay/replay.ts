/** The experiment that reproduce and verify share: one recording against one image, sealed off. */
import type { Release } from '../domain/app.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Locate } from '../symptoms/symptoms.ts';

export interface ReplayOptions {
  release: Release;
  /** The release's own image, or one built from a patched commit. */
  imageId: string;
  /** The release's environment. */
  env: Record<string, string>;
  boot: Recording;
  /** Null replays the boot only. */
  trigger: Recording | null;
  /** Successful recordings that may answer what the trigger's recording does not hold. */
  siblings: Recording[];
  /** Inbound exchanges (ids in the trigger's recording) sent before the trigger, in order. */
  prefix?: string[];
  /** Raw bytes to send instead of the recorded request (mutations of check 10). */
  requestOverride?: Uint8Array;
  /** Watch every exception raised, caught or not (V8 inspector): slower. */
  watchExceptions?: boolean;
  /** Maps stack lines to the repository's files at the commit of the image. */
  locate: Locate;
  limits?: Partial<ReplayLimits>;
  signal?: AbortSignal;
}

export interface ReplayLimits {
  bootTimeoutMs: number;
  answerTimeoutMs: number;
  /** How long to go on listening after the answer: late log lines, late writes, a late crash. */
  settleMs: number;
  logBytesMax: number;
}

export const replayLimits: ReplayLimits = {
  bootTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
  settleMs: 300,
  logBytesMax: 4 << 20,
};

/**
 * Whether an app was not ready in time and nothing else is wrong: it neither ended nor asked for
 * what is not recorded. A loaded machine does that; a second replay tells.
 */
export function isOnlySlow(outcome: Outcome): boolean {
  if (outcome.kind !== 'not-ready') return false;
  return outcome.observed.exit === null && outcome.observed.divergences.length === 0;
}

export interface Replayer {
  replay(options: ReplayOptions): Promise<Outcome>;
  /** Removes every container, network and file that it still holds. */
  close(): Promise<void>;
}

/** What the process of many requests is: the options of a replay without what is sent. */
export type ManyOptions = Omit<
  ReplayOptions,
  'trigger' | 'siblings' | 'prefix' | 'requestOverride'
>;

/** One of many requests, with the recordings that answer the app while it is handled. */
export type ManyRequest = Pick<ReplayOptions, 'siblings' | 'prefix' | 'requestOverride'> & {
  trigger: Recording;
};

/** A replayer that can also send many requests to one process. */
export interface ManyReplayer extends Replayer {
  /**
   * Sends requests one after the other to a process that boots once: for a corpus of requests
   * that are expected to succeed. The process keeps what earlier requests left in its memory, as
   * in production; one that ends is started anew for the request after. The clock is set for the
   * first request; where it is far off for another, the outcome says so. Log lines and late calls
   * count to the request that was sent last before them. One outcome for each request.
   */
  replayMany(options: ManyOptions, requests: readonly ManyRequest[]): Promise<Outcome[]>;
}

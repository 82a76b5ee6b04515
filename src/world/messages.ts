/** The words between the replayer and the world: calls with one result each, and observations. */
import type { Divergence, Served } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';

/** What the world is told before the app is started. */
export interface BeginParams {
  /** The port on which the app will listen. */
  appPort: number;
  boot: Recording;
  bodyBytesMax: number;
}

/**
 * What the world answers from while the next requests are sent. Recordings have numbers, so that
 * one is told and read only once: those of the scope before are still held, all others forgotten.
 */
export interface ScopeParams {
  trigger: number | null;
  siblings: number[];
  /** Those that are not held yet. */
  fresh: { number: number; recording: Recording }[];
}

export interface ReadyParams {
  timeoutMs: number;
}

export type ReadyResult =
  | { kind: 'ready'; tookMs: number; health: string | null }
  | { kind: 'timeout'; reason: string };

/** `busy`: it is there, and does not react within the time. */
export type Liveness = 'alive' | 'dead' | 'busy';

export interface SendParams {
  /** Inbound exchange of the scope's recording. */
  exchangeId: string;
  /** The prefix is sent for its effects; the trigger is what is asked about. */
  role: 'prefix' | 'trigger';
  /** Raw bytes instead of the recorded request's. */
  override: Uint8Array | null;
  timeoutMs: number;
  /** After the answer: how long nothing may have been asked, and how long that is waited for. */
  quietMs: number;
  quietTimeoutMs: number;
}

/** A whole answer of the app, or why there is none. */
export interface SendResult {
  sentAt: Instant;
  endedAt: Instant;
  answer: { status: number; headers: [string, string][]; body: Uint8Array; tookMs: number } | null;
  noAnswer: string | null;
  /** Where the app saw the request come from was not the recorded client: why. */
  caveat: string | null;
}

/** Null: the recording can be replayed. Else the reason why not, in words. */
export interface Replayable {
  notReplayable: string | null;
  /** When the trigger's request was recorded. */
  triggerAt: Instant | null;
}

/** Carried out one after the other, in the order in which they were made. */
export interface Calls {
  begin: [BeginParams, Replayable];
  scope: [ScopeParams, Replayable];
  /** By how much the app's clock will be ahead of ours; told before the app is started. */
  clock: [{ offsetMs: number }, null];
  ready: [ReadyParams, ReadyResult];
  send: [SendParams, SendResult];
  /** Resolves once no question has been asked for `quietMs`. */
  settle: [{ quietMs: number; timeoutMs: number }, null];
  /** Whether the app still reacts: see `probe` in readiness.ts. */
  probe: [{ timeoutMs: number }, Liveness];
}

export type CallName = keyof Calls;

export type ToWorld = {
  [N in CallName]: { id: number; call: N; params: Calls[N][0] };
}[CallName];

export type FromWorld =
  /** The cable is laid and the world can be given its recordings. */
  | { kind: 'up' }
  | { kind: 'result'; id: number; result: unknown }
  | { kind: 'error'; id: number; message: string }
  | { kind: 'served'; served: Served }
  | { kind: 'diverged'; divergence: Divergence };

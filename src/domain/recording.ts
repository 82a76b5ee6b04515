/** A trigger with everything it needs to run again. */
import type { LogLine, ProcessExit } from './app.ts';
import type { Instant } from './time.ts';
import type { Connection, Side } from './wire.ts';

export type RecordingKind =
  /** An instance's start, until it was healthy. */
  | 'boot'
  /** A failing trigger with its window. */
  | 'failure'
  /** A successful exchange with its outgoing calls, kept as part of the regression corpus. */
  | 'sample';

/** How much of what was sent is held. Anything below total is said, with the reasons. */
export interface Completeness {
  seenBytes: number;
  totalBytes: number;
  reasons: string[];
}

/** Which outgoing calls belong to the trigger. */
export type Causality =
  /** All of the calls are its own: it was alone in flight, or thread or goroutine prove it. */
  | 'exact'
  /** Others were in flight: the calls are a superset. A replay matches them by content. */
  | 'candidates'
  /** Likewise, and two of them ask the same and were answered differently. */
  | 'ambiguous';

/** What set the work in motion that a recording is about. */
export type Trigger =
  /** An inbound exchange: `triggerExchangeId`. */
  | { kind: 'request' }
  /** The instance's start. */
  | { kind: 'start' }
  /** What another process sent on a connection that the app had opened: a consumed message. */
  | { kind: 'message'; connectionId: string; from: Side; pos: number; at: Instant }
  /** Nothing that came in: a timer, a loop. */
  | { kind: 'timer'; at: Instant };

export interface Recording {
  id: string;
  kind: RecordingKind;
  app: string;
  releaseNumber: number;
  instanceId: string;
  from: Instant;
  to: Instant;
  /** Connections with the chunks that fall into the recording. */
  connections: Connection[];
  /** Absent in recordings of older versions: then a boot's is `start`, every other's `request`. */
  triggeredBy?: Trigger;
  /** Id of the inbound exchange that this is about; null unless the trigger is a request. */
  triggerExchangeId: string | null;
  /** Ids of the outbound exchanges that happened while the trigger was in flight. */
  callExchangeIds: string[];
  causality: Causality;
  /** Ids of earlier inbound exchanges in the window, oldest first: what the prefix can grow to. */
  prefixExchangeIds: string[];
  /** Addresses of names that the instance looks up in its own /etc/hosts; absent: none known. */
  hosts?: Record<string, string>;
  /** What the instance wrote meanwhile. */
  log: LogLine[];
  exit: ProcessExit | null;
  /** Method and route template of the trigger, `GET /orders/:id`; null for a boot. */
  route: string | null;
  completeness: Completeness;
  /** Values that were replaced before storing, by kind (`cookie`, `e-mail`); absent: none were. */
  redactions?: Record<string, number>;
}

/** A recording with the boot recording that it is replayed on. */
export interface ReplayableRecording {
  recording: Recording;
  boot: Recording;
}

/** What lists show: a recording without its bytes. */
export type RecordingSummary = Omit<Recording, 'connections' | 'log' | 'hosts'> & {
  storedBytes: number;
};

/** Reads failures out of what was observed: the same code for production and for replays. */
import type { LogLine, ProcessExit } from '../domain/app.ts';
import type { StackLine } from '../domain/failure.ts';
import type { Recording } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';

/**
 * Finds the source of a place that a runtime printed: through the image's source maps where
 * there are any, then in the repository at the release's commit. Null when it is not in-app.
 */
export type Locate = (place: {
  file: string;
  line: number;
  column: number;
  function: string | null;
}) => Promise<StackLine | null>;

/** What was seen of one trigger, before anybody says what it means. */
export interface Symptoms {
  at: Instant;
  /** Status answered to the trigger; null where there was no answer, or no trigger. */
  status: number | null;
  /** Route of the trigger, `GET /orders/:id`, where there is one. */
  route: string | null;
  /** Lines that belong to the trigger; traces are read out of them. */
  log: LogLine[];
  exit: ProcessExit | null;
}

/** What the recorder hands on: symptoms with their evidence, neither named nor kept yet. */
export interface Suspicion {
  app: string;
  releaseNumber: number;
  instanceId: string;
  symptoms: Symptoms;
  /** Null when nothing is held of it, or when its like was recorded enough just before. */
  recording: Recording | null;
  /** How many further failures of the same look were counted and not looked into. */
  repeats: number;
}

/** Stack traces as they were printed, before their places are looked up. */
import type { Trace } from '../domain/failure.ts';

/** A place as the runtime printed it. */
export interface Place {
  file: string;
  function: string | null;
  /** 1-based; 0 when the runtime did not say. */
  line: number;
  column: number;
}

export interface PrintedTrace {
  runtime: Trace['runtime'];
  type: string;
  message: string;
  places: Place[];
  /** Outermost first; members of an AggregateError likewise. */
  causes: PrintedTrace[];
  uncaught: boolean;
}

/** A trace with the lines of text that it takes up; `last` is inclusive. */
export interface FoundTrace {
  first: number;
  last: number;
  trace: PrintedTrace;
}

/** Finds the traces of one runtime in text that was split into lines. */
export type TraceParser = (lines: readonly string[]) => FoundTrace[];

/** Lines of one trace that are read at most; the rest is skipped. */
export const placesMax = 100;
/** Longest message that is kept. */
export const messageCharsMax = 2000;

export function cutMessage(text: string): string {
  return text.length > messageCharsMax ? `${text.slice(0, messageCharsMax)}…` : text;
}

/** Reads failures out of what was observed: the same code for production and for replays. */
import type { StackLine } from '../domain/failure.ts';

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

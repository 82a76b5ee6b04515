/** Where answers are looked for, in order, and what each place may be used for. */
import type { Instant } from '../domain/time.ts';
import { changes, type Entry } from './entry.ts';
import { sameServer } from './server-identity.ts';

/**
 * `own`: what the phase itself asked when it was recorded. `leftover`: changes that earlier
 * phases made then and have not made yet. `late`: asked after the trigger began, not known to be
 * its own. `elsewhen`: asked at other times. `sibling`: asked by successful requests of the route.
 */
export type TierKind = 'own' | 'leftover' | 'late' | 'elsewhen' | 'sibling';

export interface Tier {
  kind: TierKind;
  entries: readonly Entry[];
  /** The recorded instant at which the phase that looks here began. */
  at: Instant;
  /** Whether other requests' calls may be among them, so that order proves nothing. */
  mixed: boolean;
  /** How many changes were made to the entry's server before it, at least and at most. */
  changesBefore(entry: Entry): { atLeast: number; atMost: number };
  /** Whether a change to the entry's server is recorded between the entry and the phase. */
  changedSince(entry: Entry): boolean;
}

export function tierOf(options: {
  kind: TierKind;
  entries: readonly Entry[];
  at: Instant;
  mixed?: boolean;
  /** Where to look for changes that were made before an entry, when not among its like. */
  among?: readonly Entry[];
}): Tier {
  const { kind, entries, at } = options;
  const changing = (options.among ?? entries).filter((entry) => changes(entry.question.effect));
  return {
    kind,
    entries,
    at,
    mixed: options.mixed ?? false,
    changesBefore(entry) {
      const others = changing.filter(
        (other) => other !== entry && sameServer(other.question, entry.question),
      );
      return {
        atLeast: others.filter((other) => other.endedAt <= entry.startedAt).length,
        atMost: others.filter((other) => other.startedAt <= entry.endedAt).length,
      };
    },
    changedSince(entry) {
      const [from, to] = entry.startedAt < at ? [entry.startedAt, at] : [at, entry.endedAt];
      return changing.some(
        (other) =>
          other.endedAt >= from &&
          other.startedAt <= to &&
          sameServer(other.question, entry.question),
      );
    },
  };
}

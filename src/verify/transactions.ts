/** Whether what is written stays written: how transactions end, beside the calls in them. */
import type { Served } from '../domain/outcome.ts';
import type { Sample } from './outcome-sane.ts';

export interface Endings {
  commits: number;
  rollbacks: number;
}

/** Counted by the first word of each statement; a rollback to a savepoint ends nothing. */
export function endingsOf(titles: readonly string[]): Endings {
  const words = titles.map((title) => title.trim().replace(/\s+/g, ' ').toUpperCase());
  return {
    commits: words.filter((text) => /^(COMMIT|END)\b/.test(text)).length,
    rollbacks: words.filter((text) => /^(ROLLBACK|ABORT)\b(?! (\w+ )?TO\b)/.test(text)).length,
  };
}

/** Calls that end a transaction, among those that only frame others. */
export function isEnding(call: Served): boolean {
  const { commits, rollbacks } = endingsOf([call.title]);
  return call.effect === 'control' && commits + rollbacks > 0;
}

/**
 * What is wrong with how an answer that is no refusal leaves its transactions, compared with
 * successful requests of the route; in words, else null.
 */
export function undoneWork(after: readonly Served[], siblings: readonly Sample[]): string | null {
  const fine = siblings.filter(({ status }) => status < 400);
  const known = fine.map(({ endings }) => endings ?? { commits: 0, rollbacks: 0 });
  const now = endingsOf(after.filter((call) => !call.duringBoot && isEnding(call)).map(titleOf));
  if (known.length === 0) return null;
  const least = Math.min(...known.map(({ commits }) => commits));
  if (now.commits < least) return 'it does not commit what successful requests commit';
  const most = Math.max(...known.map(({ rollbacks }) => rollbacks));
  return now.rollbacks > most ? 'it rolls back, as no successful request does' : null;
}

function titleOf({ title }: Served): string {
  return title;
}

/** The transaction status of a connection, as its statements and errors move it (manual, 54.2). */
import type { Statement } from './sql.ts';

/** As in ReadyForQuery: idle, in a transaction, in a failed one. */
export type Status = 'I' | 'T' | 'E';

/** Whether a failed transaction lets the statement through. */
export function leavesFailure(statement: Statement | undefined): boolean {
  return /^(commit|end|rollback|abort)$/.test(statement?.verb ?? '');
}

/** The status after a statement succeeded. */
export function statusAfter(status: Status, statement: Statement): Status {
  const { verb, words } = statement;
  if (verb === 'begin' || (verb === 'start' && words[1] === 'transaction')) return 'T';
  if (verb === 'rollback' && words.includes('to')) return status === 'I' ? 'I' : 'T';
  if (!leavesFailure(statement)) return verb === 'prepare' && isTwoPhase(words) ? 'I' : status;
  if (verb === 'commit' && words[1] === 'prepared') return status;
  return words.includes('chain') && !words.includes('no') ? 'T' : 'I';
}

/** The status after an error. */
export function statusAfterError(status: Status): Status {
  return status === 'I' ? 'I' : 'E';
}

function isTwoPhase(words: readonly string[]): boolean {
  return words[1] === 'transaction';
}

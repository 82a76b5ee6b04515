/** Errors that Fixpoint itself answers with, in PostgreSQL's words (manual, appendix A). */
import type { Question } from '../protocol.ts';
import type { PgError } from './meaning.ts';

/** An error with the fields that every client looks at. */
export function failure(
  sqlstate: string,
  message: string,
  more: { detail?: string; hint?: string } = {},
): PgError {
  const fields: [string, string][] = [
    ['S', 'ERROR'],
    ['V', 'ERROR'],
    ['C', sqlstate],
    ['M', message],
  ];
  if (more.detail !== undefined) fields.push(['D', more.detail]);
  if (more.hint !== undefined) fields.push(['H', more.hint]);
  return { severity: 'ERROR', sqlstate, message, fields };
}

/** What the app gets for a question that the recording does not hold. */
export function notRecorded(question: Question, hint: string): PgError {
  return failure('XX000', 'fixpoint: not in the recording', { detail: question.title, hint });
}

export function inFailedTransaction(): PgError {
  const message = 'current transaction is aborted, commands ignored until end of transaction block';
  return failure('25P02', message);
}

export function noStatement(name: string): PgError {
  return failure('26000', `prepared statement "${name}" does not exist`);
}

export function noPortal(name: string): PgError {
  return failure('34000', `portal "${name}" does not exist`);
}

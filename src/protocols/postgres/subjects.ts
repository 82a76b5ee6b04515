/** Makes the exchanges that a conversation opens, and fills in what is said beside an answer. */
import type { BackendMessage } from './backend.ts';
import type { PgDescription, PgError } from './meaning.ts';
import { OpenExchange, type Subject } from './open.ts';
import { type Portal, type Prepared, queryFrom } from './session.ts';
import type { Sql } from './sql.ts';

export function openQuery(options: {
  sql: Sql | null;
  portal: Portal | null;
  maxRows: number;
  session: string[];
}): OpenExchange {
  const answer = { results: [], error: null, notices: [], settings: [] };
  return new OpenExchange({ kind: 'query', sql: options.sql, query: queryFrom(options), answer });
}

export function openPrepare(prepared: Prepared | null): OpenExchange {
  const sql = prepared?.sql?.text ?? null;
  const open = new OpenExchange({
    kind: 'prepare',
    prepare: { kind: 'prepare', sql, types: prepared?.types ?? [] },
    description: { parameterTypes: null, columns: 'unknown', error: null },
  });
  if (sql === null) open.drop();
  return open;
}

export function openStart(parameters: [string, string][]): OpenExchange {
  return new OpenExchange({
    kind: 'start',
    start: { kind: 'start', parameters },
    started: { authentication: 'trust', settings: [], processId: 0, secretKey: '', error: null },
  });
}

export function descriptionOf(open: OpenExchange): PgDescription {
  const { subject } = open;
  if (subject.kind !== 'prepare') throw new Error(`a ${subject.kind} has no description`);
  return subject.description;
}

export function setError(subject: Subject, error: PgError): void {
  if (subject.kind === 'query') subject.answer.error = error;
  else if (subject.kind === 'prepare') subject.description.error = error;
  else if (subject.kind === 'start') subject.started.error = error;
}

/** Notices and settings kept of one exchange. */
const asideMax = 1000;

/** A notice or a setting that arrives while something is being answered. */
export function setAside(
  subject: Subject,
  message: Extract<BackendMessage, { name: 'notice' | 'setting' }>,
): void {
  if (message.name === 'notice') {
    if (subject.kind === 'query') keep(subject.answer.notices, message.error);
  } else if (subject.kind === 'query') keep(subject.answer.settings, message.setting);
  else if (subject.kind === 'start') keep(subject.started.settings, message.setting);
}

function keep<T>(list: T[], one: T): void {
  if (list.length < asideMax) list.push(one);
}

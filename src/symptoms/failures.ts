/** From symptoms to failures: the same code names what production showed and what a replay did. */
import type { ProcessExit } from '../domain/app.ts';
import type { Failure, FailureKind, StackLine, Trace } from '../domain/failure.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type LoggedTrace, tracesIn } from './log.ts';
import type { Locate, Symptoms } from './symptoms.ts';
import type { Place, PrintedTrace } from './trace.ts';

/**
 * The failures that these symptoms show, the principal one first: a crash before a 5xx answer
 * before an exception on the log. One trigger has one principal failure; what follows are further
 * exceptions that were logged meanwhile. Empty when nothing failed.
 */
export async function failuresOf(options: Symptoms & { locate: Locate }): Promise<Failure[]> {
  const { at, status, route, log, locate } = options;
  const exit = options.exit !== null && isFailure(options.exit) ? options.exit : null;
  const answered = status !== null && status >= 500;
  const logged = tracesIn(log).filter(
    (each) => each.severity === 'error' || answered || exit !== null,
  );
  const principal = exit !== null || answered ? principalOf(logged, exit !== null) : logged[0];
  const failures: Failure[] = [];
  const add = async (kind: FailureKind, found: LoggedTrace | undefined) => {
    const trace = found === undefined ? null : await located(found.trace, locate);
    const first = failures.length === 0;
    const parts = {
      kind,
      trace,
      route,
      status: first ? status : null,
      exit: first ? exit : null,
      message: messageOf({ trace, status, exit }),
    };
    const when = first ? at : (found?.at ?? at);
    const failure = { ...parts, at: when, fingerprint: fingerprintOf(parts) };
    if (failures.some((known) => sameTrace(known, failure))) return;
    failures.push(failure);
  };
  if (exit !== null) await add('crash', principal);
  else if (answered) await add('server-error', principal);
  else if (principal !== undefined) await add('exception', principal);
  for (const other of logged) if (other !== principal) await add('exception', other);
  return failures;
}

/** Whether a process that ended so has failed; an orderly stop (SIGTERM) has not. */
export function isFailure(exit: ProcessExit): boolean {
  if (exit.oomKilled) return true;
  if (exit.signal !== null && exit.signal !== 0) return exit.signal !== 15;
  return exit.code !== null && exit.code !== 0 && exit.code !== 128 + 15;
}

/** What people read first: `TypeError: Cannot read ...`, `killed by signal 9`. */
export function messageOf(options: {
  trace: Trace | null;
  status: number | null;
  exit: ProcessExit | null;
}): string {
  const { trace, status, exit } = options;
  if (trace !== null) return trace.message === '' ? trace.type : `${trace.type}: ${trace.message}`;
  if (exit?.oomKilled) return 'killed: out of memory';
  if (exit?.signal) return `killed by signal ${exit.signal}`;
  if (exit !== null) return `exited with code ${exit.code ?? 0}`;
  return status === null ? 'failed' : `answered ${status}`;
}

/** Whether anything of a trace, or of its causes, is the app's own code. */
export function touchesApp(trace: Trace): boolean {
  return trace.lines.some((line) => line.inApp) || trace.causes.some(touchesApp);
}

/** The last one explains the end: what came before it was survived. */
function principalOf(logged: LoggedTrace[], crashed: boolean): LoggedTrace | undefined {
  const uncaught = logged.findLast((each) => each.trace.uncaught);
  return (
    (crashed ? uncaught : undefined) ??
    logged.findLast((each) => each.severity === 'error') ??
    logged.at(-1)
  );
}

/** One exception is often logged twice: by the code that caught it and by the framework. */
function sameTrace(a: Failure, b: Failure): boolean {
  if (a.trace === null || b.trace === null) return a.fingerprint === b.fingerprint;
  return (
    a.trace.type === b.trace.type &&
    a.trace.message === b.trace.message &&
    JSON.stringify(a.trace.lines[0]) === JSON.stringify(b.trace.lines[0])
  );
}

async function located(printed: PrintedTrace, locate: Locate): Promise<Trace> {
  const lines: StackLine[] = [];
  for (const place of printed.places) lines.push((await locate(place)) ?? foreign(place));
  const causes: Trace[] = [];
  for (const cause of printed.causes) causes.push(await located(cause, locate));
  const { runtime, type, message, uncaught } = printed;
  return { runtime, type, message, uncaught, lines, causes };
}

function foreign(place: Place): StackLine {
  return { ...place, text: null, inApp: false };
}

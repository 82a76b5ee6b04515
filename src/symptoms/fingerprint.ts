/** What makes two failures the same: kept stable against everything that a deployment moves. */
import { createHash } from 'node:crypto';
import type { ProcessExit } from '../domain/app.ts';
import type { FailureKind, StackLine, Trace } from '../domain/failure.ts';

export interface FingerprintParts {
  kind: FailureKind;
  trace: Trace | null;
  route: string | null;
  status: number | null;
  exit: ProcessExit | null;
  /** Used only where there is no trace. */
  message: string;
}

/** Changes with the recipe, so that an upgrade never mixes issues of two recipes. */
const version = 1;
/** Stack lines that count; deeper ones tell how it was called rather than what is wrong. */
const linesMax = 12;
/** Lines of dependencies that stand in where nothing is in-app. */
const foreignLinesMax = 3;

/**
 * `1:` and 24 hexadecimal digits. Made of the exception's type, its in-app stack lines (file,
 * function, source text; never line numbers), its causes likewise, and the route. The message
 * (numbers and ids normalised) counts only where no in-app line says more.
 */
export function fingerprintOf(parts: FingerprintParts): string {
  const words = [parts.route ?? '-', ...(parts.trace === null ? bare(parts) : traced(parts.trace))];
  const hash = createHash('sha256').update(JSON.stringify(words)).digest('hex');
  return `${version}:${hash.slice(0, 24)}`;
}

/** A message with what varies from one occurrence to the next taken out. */
export function normalisedMessage(message: string): string {
  return message
    .slice(0, 500)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, '<id>')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/gi, '<id>')
    .replace(/[^\s@"']+@[^\s@"']+\.\w+/g, '<address>')
    .replace(/\d+(?:\.\d+)*/g, '<n>')
    .replace(/\s+/g, ' ')
    .trim();
}

function traced(trace: Trace): string[] {
  const inApp = trace.lines.filter((line) => line.inApp);
  const words = [trace.type, ...withoutRepeats(inApp.map(lineText)).slice(0, linesMax)];
  const causes = trace.causes.flatMap((cause) => ['cause', ...traced(cause)]);
  const told = inApp.length > 0 || trace.causes.some((cause) => cause.lines.some((l) => l.inApp));
  if (told) return [...words, ...causes];
  const foreign = trace.lines.slice(0, foreignLinesMax).map(lineText);
  return [...words, normalisedMessage(trace.message), ...foreign, ...causes];
}

function bare(parts: FingerprintParts): string[] {
  const { kind, status, exit, message } = parts;
  if (kind === 'crash') return [kind, exit?.oomKilled ? 'oom' : `${exit?.signal ?? exit?.code}`];
  return [kind, `${status ?? ''}`, normalisedMessage(message)];
}

/** Paths of dependencies and of the runtime vary with where they are installed. */
function lineText(line: StackLine): string {
  const file = line.inApp ? line.file : line.file.replace(/^.*node_modules\//, '');
  return `${file}|${line.function ?? ''}|${line.text ?? ''}`;
}

/** Recursion repeats lines as often as there was room. */
function withoutRepeats(words: string[]): string[] {
  return words.filter((word, index) => word !== words[index - 1]);
}

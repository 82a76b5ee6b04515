/** Finds the exceptions in what a process wrote, line by line as it came from its two streams. */
import type { LogLine } from '../domain/app.ts';
import type { Instant } from '../domain/time.ts';
import { goTracesIn } from './go.ts';
import { javaTracesIn } from './java.ts';
import { readJsonLine, type Severity, typeFrom } from './json.ts';
import { pythonTracesIn } from './python.ts';
import type { FoundTrace, PrintedTrace, TraceParser } from './trace.ts';
import { v8TracesIn } from './v8.ts';

const parsers: readonly TraceParser[] = [v8TracesIn, pythonTracesIn, goTracesIn, javaTracesIn];

/** An exception on the log with the lines that show it. */
export interface LoggedTrace {
  /** When its first and its last line were written. */
  at: Instant;
  endAt: Instant;
  lines: LogLine[];
  trace: PrintedTrace;
  severity: Severity;
}

/** Every exception in these lines, in order of time. */
export function tracesIn(log: readonly LogLine[]): LoggedTrace[] {
  const found: LoggedTrace[] = [];
  for (const stream of ['stderr', 'stdout'] as const) {
    let plain: LogLine[] = [];
    for (const line of log) {
      if (line.stream !== stream) continue;
      const json = readJsonLine(line.text);
      if (json === null) {
        plain.push(line);
        continue;
      }
      found.push(...plainTraces(plain), ...jsonTraces(line));
      plain = [];
    }
    found.push(...plainTraces(plain));
  }
  return found.sort((a, b) => a.at - b.at);
}

const hint = new RegExp(
  [
    ...['^\\s+at \\S', '\\\\n\\s+at ', 'Traceback \\(most', 'panic: |http: panic '],
    ...['^goroutine \\d', '^\\s*\\^+\\s*$', '^\\[\\w*Error'],
  ].join('|'),
);

/** Whether a line may belong to an exception: cheap, for deciding whether to look. */
export function hintsTrace(text: string): boolean {
  return hint.test(text);
}

function plainTraces(lines: LogLine[]): LoggedTrace[] {
  const texts = lines.map((line) => line.text.replace(/\r$/, ''));
  return parsers
    .flatMap((parse) => parse(texts))
    .map(({ first, last, trace }) => logged(lines.slice(first, last + 1), trace, 'error'));
}

function jsonTraces(line: LogLine): LoggedTrace[] {
  const json = readJsonLine(line.text)!;
  return json.stacks.flatMap((stack, index) => {
    const found = firstIn(stack.split('\n'));
    if (found === null) return [];
    const type = typeFrom(found.trace, json.types[index] ?? null);
    return [logged([line], { ...found.trace, type }, json.severity)];
  });
}

function firstIn(lines: string[]): FoundTrace | null {
  for (const parse of parsers) {
    const found = parse(lines)[0];
    if (found !== undefined) return found;
  }
  return null;
}

function logged(lines: LogLine[], trace: PrintedTrace, severity: Severity): LoggedTrace {
  return { at: lines[0]!.at, endAt: lines.at(-1)!.at, lines, trace, severity };
}

/** Log lines that are JSON objects: the exceptions in them, and how serious the app calls them. */
import type { PrintedTrace } from './trace.ts';

/** `low`: the app itself says that it is no error (a warning, a debug line). */
export type Severity = 'error' | 'low';

export interface JsonLine {
  severity: Severity;
  /** Texts in it that hold a stack, each beginning with the error's own line. */
  stacks: string[];
  /** The type that the logger names beside the stack, when it does (pino's `type`). */
  types: (string | null)[];
}

const depthMax = 4;
const stacksMax = 5;

/**
 * Null when the line is no JSON object. Knows no logger by name: any string with a stack in it
 * counts, as pino (`err.stack`), bunyan, winston (`stack`) and structured clouds write it.
 */
export function readJsonLine(text: string): JsonLine | null {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{') || !trimmed.endsWith('}')) return null;
  let value: unknown;
  try {
    value = JSON.parse(trimmed);
  } catch {
    return null;
  }
  const line: JsonLine = {
    severity: severityOf(value as Record<string, unknown>),
    stacks: [],
    types: [],
  };
  collect(value, line, 0);
  return line;
}

/** The better name of an error: what the logger says, when the stack's own line is generic. */
export function typeFrom(trace: PrintedTrace, logged: string | null): string {
  return trace.type === 'Error' && logged !== null && logged !== 'Object' ? logged : trace.type;
}

function collect(value: unknown, line: JsonLine, depth: number): void {
  if (depth > depthMax || line.stacks.length >= stacksMax) return;
  if (value === null || typeof value !== 'object') return;
  const fields = Object.entries(value);
  for (const [, field] of fields) {
    if (typeof field !== 'string' || !holdsStack(field)) continue;
    if (line.stacks.some((stack) => stack.includes(field) || field.includes(stack))) continue;
    line.stacks.push(withHead(field, value as Record<string, unknown>));
    const { type, name } = value as Record<string, unknown>;
    line.types.push(typeof type === 'string' ? type : typeof name === 'string' ? name : null);
  }
  for (const [, field] of fields) collect(field, line, depth + 1);
}

function holdsStack(text: string): boolean {
  return /\n\s+at .*[:(]/.test(text) || text.startsWith('Traceback (most recent call last)');
}

/** Some loggers put the message beside a stack that begins with its first place. */
function withHead(stack: string, around: Record<string, unknown>): string {
  if (!/^\s+at /.test(stack)) return stack;
  const { type, name, message, msg } = around;
  const title = [type, name].find((each) => typeof each === 'string') ?? 'Error';
  const text = [message, msg].find((each) => typeof each === 'string') ?? '';
  return `${title}: ${text}\n${stack}`;
}

/** Numbers as pino and bunyan use them (50 is an error), words as everybody else does. */
function severityOf(line: Record<string, unknown>): Severity {
  const level = line.level ?? line.severity ?? line.lvl;
  if (typeof level === 'number') return level >= 10 && level < 50 ? 'low' : 'error';
  if (typeof level !== 'string') return 'error';
  return /^(?:warn|warning|notice|info|verbose|http|debug|trace|silly)$/i.test(level)
    ? 'low'
    : 'error';
}

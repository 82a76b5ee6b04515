/** Reads what V8 and Node print of an exception: stacks, causes, the report of a crash. */
import { cutMessage, type FoundTrace, type Place, type PrintedTrace, placesMax } from './trace.ts';

/** Longer ones name no place; an app may print what users send. */
const lineCharsMax = 4096;
/** Lines that a message may have before the stack begins. */
const messageLinesMax = 40;
/** Lines of printed properties (with causes among them) behind a stack. */
const propertyLinesMax = 400;

/**
 * Format of the stack: https://v8.dev/docs/stack-trace-api; of causes, properties and crashes:
 * what `util.inspect` and Node's fatal exception report print, as of Node 24.
 */
export function v8TracesIn(lines: readonly string[]): FoundTrace[] {
  const found: FoundTrace[] = [];
  let from = 0;
  for (let index = 0; index < lines.length; index++) {
    const next =
      whereBegins(lines, index, from) ?? bareCrashAt(lines, index) ?? bracketedAt(lines, index);
    if (next === null) continue;
    if (next.trace !== null) found.push({ first: next.first, last: next.last, trace: next.trace });
    index = next.last;
    from = next.last + 1;
  }
  return found;
}

/** The place that a line of a stack names; null when it is not a line of a stack. */
export function placeOf(line: string): Place | null {
  if (line.length > lineCharsMax) return null;
  const said = /^\s+at (?:async )?(.+)$/.exec(line.trimEnd())?.[1];
  const text = said?.replace(/(?: \{|,)$/, '').trimEnd();
  if (text === undefined || text === '') return null;
  const called = /^(.*?) \((.*)\)$/.exec(text);
  const where = called === null ? text : called[2]!;
  const name = called === null ? null : called[1]!;
  const evaluated = /^eval at .*?\(([^()]+):(\d+):(\d+)\)/.exec(where);
  const at = evaluated ?? /^(.+?):(\d+):(\d+)$/.exec(where);
  if (at !== null) {
    return { file: at[1]!, function: name, line: Number(at[2]), column: Number(at[3]) };
  }
  if (called === null || !/^(?:<anonymous>|native|index \d+)$/.test(where)) return null;
  return { file: where, function: name, line: 0, column: 0 };
}

interface Next {
  first: number;
  last: number;
  /** Null for a stack that is no exception: console.trace, a warning. */
  trace: PrintedTrace | null;
}

function whereBegins(lines: readonly string[], index: number, from: number): Next | null {
  if (placeOf(lines[index]!) === null) return null;
  const head = headBefore(lines, index, from);
  const stack = stackAt(lines, index);
  const crash = crashAround(lines, { first: head.first, last: stack.last, from });
  const { first, last } = crash;
  if (head.type === null) return { first, last, trace: null };
  const places = [...stack.places];
  // A file that does not compile has no line of its own in the stack.
  if (head.type === 'SyntaxError' && crash.place !== null) places.unshift(crash.place);
  const { type, message } = head;
  const { causes } = stack;
  const trace = { runtime: 'v8' as const, type, message, places, causes, uncaught: crash.uncaught };
  return { first, last, trace };
}

interface Head {
  first: number;
  type: string | null;
  message: string;
}

const named =
  /(?:^|[\s:([])((?:[A-Z_$][\w$.]*)?(?:Error|Exception|Rejection))(?: \[[^\]]*\])?(?::\s|:?$)/;
const any = /^(?:\[cause\]: )?([A-Za-z_$][\w$.]*)(?: \[[^\]]*\])?:(?:\s|$)/;
const inspected = /^(?:\[cause\]: )?([A-Za-z_$][\w$.]*) \[(?:[\w.]*Error)\](?::\s|:?$)/;
const noException = /^(?:\(\w+:\d+\) |Trace\b)|Warning: /;

/** Walks back from the first line of a stack to the line with the type. */
function headBefore(lines: readonly string[], index: number, from: number): Head {
  const nearest = index - 1;
  const least = Math.max(from, index - messageLinesMax);
  if (nearest < least) return { first: index, type: 'Error', message: '' };
  const near = lines[nearest]!.trim();
  if (noException.test(near)) return { first: nearest, type: null, message: '' };
  const here = inspected.exec(near) ?? named.exec(near);
  if (here !== null) return headAt(lines, { first: nearest, index, found: here });
  const custom = any.exec(near);
  for (let at = nearest - 1; at >= least; at--) {
    if (placeOf(lines[at]!) !== null) break;
    const text = lines[at]!.trim();
    const found = inspected.exec(text) ?? named.exec(text);
    if (found === null) continue;
    // Lines behind it may be another message's, unless this one is in the middle of a quotation.
    if (custom !== null && !isOpen(text)) break;
    return headAt(lines, { first: at, index, found });
  }
  if (custom !== null) return headAt(lines, { first: nearest, index, found: custom });
  return { first: nearest, type: 'Error', message: cutMessage(near) };
}

/** `... of undefined (reading 'name`: a quoted value, which has lines of its own, goes on. */
function isOpen(text: string): boolean {
  return text.lastIndexOf('(') > text.lastIndexOf(')');
}

function headAt(
  lines: readonly string[],
  options: { first: number; index: number; found: RegExpExecArray },
): Head {
  const { first, index, found } = options;
  const text = lines[first]!.trim();
  const rest = text.slice(found.index + found[0].length).trim();
  const message = [rest, ...lines.slice(first + 1, index)].join('\n').trim();
  return { first, type: found[1]!, message: cutMessage(message) };
}

/** The lines of a stack, the properties in braces behind it, and the causes among those. */
function stackAt(
  lines: readonly string[],
  index: number,
): { places: Place[]; causes: PrintedTrace[]; last: number } {
  const places: Place[] = [];
  let last = index;
  let opens = false;
  for (let at = index; at < lines.length; at++) {
    const place = placeOf(lines[at]!);
    if (place === null && !/^\s+\.\.\. \d+ lines? matching/.test(lines[at]!)) break;
    if (place !== null && places.length < placesMax) places.push(place);
    last = at;
    opens = lines[at]!.endsWith(' {');
    if (opens) break;
  }
  if (!opens && /^Emitted 'error' event/.test(lines[last + 1] ?? '')) {
    const emitter = stackAt(lines, last + 2);
    return { places, causes: emitter.causes, last: Math.max(last + 1, emitter.last) };
  }
  const causes: PrintedTrace[] = [];
  if (opens) {
    const end = closingBrace(lines, last);
    causes.push(...causesIn(lines.slice(last + 1, end)));
    last = end;
  }
  const chained = /^caused by: /i.test((lines[last + 1] ?? '').trim())
    ? v8Next(lines, last + 1)
    : null;
  if (chained === null) return { places, causes, last };
  causes.push(chained.trace, ...chained.trace.causes.splice(0));
  return { places, causes, last: chained.last };
}

function v8Next(lines: readonly string[], from: number): FoundTrace | null {
  return (
    v8TracesIn(lines.slice(from, from + propertyLinesMax)).map((found) => ({
      ...found,
      first: found.first + from,
      last: found.last + from,
    }))[0] ?? null
  );
}

/** Causes and aggregated errors, printed inside the braces of the error that has them. */
function causesIn(lines: readonly string[]): PrintedTrace[] {
  const causes: PrintedTrace[] = [];
  let from = 0;
  for (let index = 0; index < lines.length; index++) {
    if (placeOf(lines[index]!) === null) continue;
    const head = headBefore(lines, index, from);
    const places: Place[] = [];
    for (; index < lines.length; index++) {
      const place = placeOf(lines[index]!);
      if (place === null) break;
      if (places.length < placesMax) places.push(place);
    }
    from = index;
    const { message } = head;
    const type = head.type ?? 'Error';
    causes.push({ runtime: 'v8', type, message, places, causes: [], uncaught: false });
  }
  return causes;
}

function closingBrace(lines: readonly string[], opening: number): number {
  const end = Math.min(lines.length, opening + propertyLinesMax);
  for (let at = opening + 1; at < end; at++) if (/^\}/.test(lines[at]!)) return at;
  return Math.min(opening, lines.length - 1);
}

/** The report of a fatal exception around a stack: place, source, caret before; version after. */
function crashAround(
  lines: readonly string[],
  options: { first: number; last: number; from: number },
): { first: number; last: number; uncaught: boolean; place: Place | null } {
  let { first, last } = options;
  let place: Place | null = null;
  let uncaught = false;
  for (let at = last + 1; at <= last + 3 && at < lines.length; at++) {
    if (!/^Node\.js v\d/.test(lines[at]!)) continue;
    uncaught = true;
    last = at;
    break;
  }
  const caret = first - 2;
  if (caret >= options.from && isCaret(lines[caret]!) && lines[first - 1] === '') {
    uncaught = true;
    first = caret;
    for (let at = caret - 1; at >= Math.max(options.from, caret - 4); at--) {
      const found = /^(\S.*):(\d+)$/.exec(lines[at]!);
      if (found === null) continue;
      first = at;
      place = { file: found[1]!, function: null, line: Number(found[2]), column: 0 };
      break;
    }
  }
  return { first, last, uncaught, place };
}

/** Something that is no Error was thrown: place, source, caret, the value, no stack. */
function bareCrashAt(lines: readonly string[], index: number): Next | null {
  if (!isCaret(lines[index]!) || index < 2) return null;
  const where = /^(\S.*):(\d+)$/.exec(lines[index - 2]!);
  if (where === null || lines[index + 1] === '' || lines[index + 1] === undefined) return null;
  const end = lines.findIndex((line, at) => at > index && /^Node\.js v\d/.test(line));
  if (end < 0 || end - index > messageLinesMax) return null;
  const value = lines.slice(index + 1, end).filter((line) => !/^\(Use `node --trace-/.test(line));
  const column = lines[index]!.indexOf('^') + 1;
  const place = { file: where[1]!, function: null, line: Number(where[2]), column };
  const message = cutMessage(value.join('\n').trim());
  return {
    first: index - 2,
    last: end,
    trace: {
      runtime: 'v8',
      type: 'Uncaught',
      message,
      places: [place],
      causes: [],
      uncaught: true,
    },
  };
}

/** An error without a stack of its own that carries others: `[AggregateError: ...] {`. */
function bracketedAt(lines: readonly string[], index: number): Next | null {
  const found = /\[([A-Z_$][\w$.]*)(?: \[[^\]]*\])?: (.*)\] \{$/.exec(lines[index]!);
  if (found === null) return null;
  const end = closingBrace(lines, index);
  const causes = causesIn(lines.slice(index + 1, end));
  if (causes.length === 0) return null;
  const { first, last, uncaught } = crashAround(lines, { first: index, last: end, from: 0 });
  const message = cutMessage(found[2]!);
  const type = found[1]!;
  return { first, last, trace: { runtime: 'v8', type, message, places: [], causes, uncaught } };
}

function isCaret(line: string): boolean {
  return /^\s*\^+\s*$/.test(line);
}

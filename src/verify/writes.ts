/** What patched code writes beyond the failing run: values, and as often as it should. */
import type { Served } from '../domain/outcome.ts';
import { columnOf, takesNull } from './nullable.ts';
import type { Sample } from './outcome-sane.ts';

/** Whether a field of a question is a value, not a word of the question itself. */
export function isValueName(name: string): boolean {
  return /^\$\d|^body|^query$|^copy$/.test(name);
}

/** How many have to agree on how often a call is made at least. */
const siblingsMin = 3;

/** No value, or what languages print of one that is not there. */
const hollow = /^"?(NULL|null|undefined|NaN|Invalid Date|\[object Object\]|)"?$/;

/**
 * The first value that a call writes nothing in, where every call of its form that successful
 * requests made writes something; in words, else null. A NULL may go where the app's own
 * `statements`, when it started, say that the column takes it.
 */
export function hollowWrite(
  calls: readonly Served[],
  siblings: readonly Sample[],
  statements: readonly string[] = [],
): string | null {
  for (const call of calls) {
    if (call.effect === 'read' || call.fields === undefined) continue;
    const alike = siblings
      .flatMap((sibling) => sibling.calls)
      .filter(({ formKey, fields }) => formKey === call.formKey && fields !== undefined);
    for (const name of new Set(alike.flatMap(({ fields }) => Object.keys(fields!)))) {
      const value = call.fields[name] ?? '';
      if (!isValueName(name) || !hollow.test(value)) continue;
      const column = value === 'NULL' ? columnOf(call.fields.sql ?? '', name) : null;
      if (column !== null && takesNull(statements, column)) continue;
      const filled = alike.every(({ fields }) => !hollow.test(fields![name] ?? ''));
      if (filled) return `nothing is written as ${name} of ${call.title}`;
    }
  }
  return null;
}

/**
 * The first form of call that is made less often than it should be: than in every successful
 * request, or than there are items in the request, where that is how often each of them makes it.
 */
export function seldomWrite(options: {
  after: readonly Served[];
  request: unknown;
  siblings: readonly Sample[];
}): string | null {
  const { after, request, siblings } = options;
  const fine = siblings.filter(({ status }) => status < 400);
  for (const call of fine[0]?.calls ?? []) {
    if (call.effect === 'read' || call.effect === 'control') continue;
    const made = timesOf(call.formKey, after);
    const usual = fine.map((sibling) => timesOf(call.formKey, sibling.calls));
    const least = Math.min(...usual);
    const varies = new Set(usual).size > 1;
    const counted = [...arraysOf(request)].filter(([path]) =>
      fine.every((one, index) => arraysOf(one.request).get(path) === usual[index]),
    );
    const lacking = counted.find(
      ([, length]) => made < (varies ? length : Math.min(length, least)),
    );
    if (lacking !== undefined) {
      return `${call.title} is made ${times(made)} for ${lacking[1]} items of ${lacking[0]}`;
    }
    const isKnown = counted.length === 0 && fine.length >= siblingsMin;
    if (isKnown && made < least) {
      return `${call.title} is made ${times(made)}, at least ${times(least)} by others`;
    }
  }
  return null;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function timesOf(formKey: string, calls: readonly { formKey: string }[]): number {
  return calls.filter((call) => call.formKey === formKey).length;
}

/** Lengths of the arrays in a value, by path. */
function arraysOf(value: unknown, path = '', found = new Map<string, number>()) {
  if (typeof value !== 'object' || value === null) return found;
  if (Array.isArray(value)) found.set(path, value.length);
  else {
    for (const [name, inner] of Object.entries(value)) {
      arraysOf(inner, path === '' ? name : `${path}.${name}`, found);
    }
  }
  return found;
}

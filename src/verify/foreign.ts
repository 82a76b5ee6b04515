/**
 * Check 3: values of an answer that come from nowhere that a replay can see. Numbers and words
 * that the patch writes itself, and what other requests were answered from the app's memory.
 */
import type { Served } from '../domain/outcome.ts';
import { isScript, parseSource, walk } from '../source/syntax.ts';
import type { ChangedFile } from './hiding.ts';
import type { Sample } from './outcome-sane.ts';

export interface ForeignOptions {
  /** What `valuesAdded` found in the patch. */
  added: ReadonlySet<string>;
  after: Sample;
  trigger: Sample;
  siblings: readonly Sample[];
  /** Calls beyond those of the failing run: siblings' recordings answered them. */
  calls: readonly Served[];
}

/** Values, as they stand in JSON, that files hold more often than before, empty ones excepted. */
export function valuesAdded(files: readonly ChangedFile[]): Set<string> {
  return new Set(
    files.flatMap(({ path, before, after }) => {
      const old = literalsIn(path, before);
      return literalsIn(path, after).filter((value) => {
        const at = old.indexOf(value);
        if (at >= 0) old.splice(at, 1);
        return at < 0;
      });
    }),
  );
}

/** Why nobody can tell that the values of a successful answer are right; null where they may be. */
export function foreignValue(options: ForeignOptions): string | null {
  const { added, after, siblings } = options;
  const fine = siblings.filter(({ status }) => status < 400);
  const known = knownTexts(options);
  const leaves = leavesOf(after.body);
  const usual = fine.map(({ body }) => leavesOf(body));
  const own = leaves.find(({ path, value }) => {
    if (!added.has(JSON.stringify(value)) || isIn(known, value)) return false;
    return !usual.every((others) => {
      const same = others.filter((other) => other.path === path);
      return same.length > 0 && same.every((other) => other.value === value);
    });
  });
  if (own !== undefined) {
    return `"${own.value}" in the answer is made up by the patch: no recording shows it is right`;
  }
  const named = namesOfOthers(options, fine).find((name) => added.has(name));
  if (named !== undefined) return `the patch names what another request asked for: ${named}`;
  const theirs = fine.map(({ body }) => new Set(leavesOf(body).map(({ value }) => plain(value))));
  const others = leaves.find(({ value }) => {
    if (typeof value !== 'string' || isTrivial(value) || isIn(known, value)) return false;
    const held = theirs.filter((texts) => texts.has(plain(value)));
    return held.length > 0 && held.length < theirs.length;
  });
  if (others === undefined) return null;
  const text = String(others.value).slice(0, 60);
  return `the answer holds what another request was answered: "${text}"`;
}

const textCharsMin = 3;

/** Short texts and days are alike by chance. */
function isTrivial(text: string): boolean {
  return text.trim().length < textCharsMin || /^\d{4}-\d\d-\d\d/.test(text);
}

const numberMin = 100; // smaller ones are found in any program

/** What other requests named in their paths and this one did not, as literals of a program. */
function namesOfOthers({ trigger }: ForeignOptions, fine: readonly Sample[]): string[] {
  const inPath = ({ request }: Sample) =>
    leavesOf((request as { path?: unknown } | null)?.path).map(({ value }) => String(value));
  const own = inPath(trigger);
  return fine
    .flatMap(inPath)
    .filter((name) => !own.includes(name))
    .flatMap((name) => [JSON.stringify(name), ...(Number(name) >= numberMin ? [name] : [])]);
}

/** What the app was told in this run: by the request and by the answers to its calls. */
function knownTexts({ trigger, siblings, calls }: ForeignOptions): string[] {
  const forms = new Set(calls.map(({ formKey }) => formKey));
  const lent = siblings.flatMap((one) => one.calls.filter(({ formKey }) => forms.has(formKey)));
  const answers = [...trigger.calls, ...lent].map(({ answer }) => answer);
  // What was answered with success before the failure came is right.
  const before = trigger.status > 0 && trigger.status < 400 ? [trigger.body] : [];
  return [trigger.request, ...answers, ...before].flatMap((one) =>
    leavesOf(one).map(({ value }) => plain(value)),
  );
}

/** Texts may be a part of what is known (JSON in a column, a name in a line); the rest is equal. */
function isIn(known: readonly string[], value: Leaf['value']): boolean {
  const text = plain(value);
  if (typeof value !== 'string') {
    const apart = new RegExp(`(?<![\\w.-])${text.replace(/[.+]/g, '\\$&')}(?![\\w.-])`);
    return known.some((one) => one === text || (/^\s*[[{]/.test(one) && apart.test(one)));
  }
  return known.some((one) => one.includes(text) || one.replaceAll('\\"', '"').includes(text));
}

interface Leaf {
  path: string;
  value: string | number | boolean;
}

function leavesOf(value: unknown, path = ''): Leaf[] {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return [{ path, value }];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    leavesOf(inner, `${path}.${Array.isArray(value) ? '[]' : name}`),
  );
}

function plain(value: unknown): string {
  return String(value).trim().toLowerCase();
}

/** Zeros and empty texts say "there is none"; `bringsZero` looks at where that cannot be. */
function literalsIn(path: string, text: string | null): string[] {
  if (text === null || !isScript(path)) return [];
  const parsed = parseSource(path, text);
  if (parsed.kind === 'unreadable') return [];
  const found: string[] = [];
  walk(parsed.program, (node, ancestors) => {
    const parent = ancestors.at(-1);
    const isText = node.type === 'TemplateElement';
    if (node.type !== 'Literal' && !isText) return;
    if (parent?.source === node || parent?.key === node) return;
    const value = isText ? (node.value as { cooked?: string }).cooked : node.value;
    if (value === 0 || value === '' || value === null || typeof value === 'object') return;
    const isNegative = parent?.type === 'UnaryExpression' && parent.operator === '-';
    found.push(JSON.stringify(isNegative ? -Number(value) : value));
  });
  return found;
}

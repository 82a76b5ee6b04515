/**
 * Values that a patch makes up. Whether `unknown@example.com` is the right address of nobody no
 * recording can tell: where such a value reaches callers or other services, a person decides.
 */
import type { Served } from '../domain/outcome.ts';
import { isScript, parseSource, walk } from '../source/syntax.ts';
import type { ChangedFile } from './hiding.ts';
import type { Sample } from './outcome-sane.ts';
import { isValueName } from './writes.ts';

/** Shorter ones are found in too many other values by chance. */
const partCharsMin = 4;

/** Texts and numbers that the patched files hold and the old ones did not; not `''`, 0 and 1. */
export function literalsBroughtIn(files: readonly ChangedFile[]): Set<string> {
  const old = new Set(files.flatMap((file) => literalsOf(file.path, file.before)));
  const now = files.flatMap((file) => literalsOf(file.path, file.after));
  return new Set(now.filter((text) => !old.has(text) && !['', '0', '1'].includes(text.trim())));
}

/** Whether the patch adds a zero: files hold many, so they are counted. */
export function bringsZero(files: readonly ChangedFile[]): boolean {
  const zeros = (path: string, text: string | null) =>
    literalsOf(path, text).filter((literal) => literal === '0').length;
  return files.some(({ path, before, after }) => zeros(path, after) > zeros(path, before));
}

/**
 * The first value of an answer, or of a call that the failing run did not make, that comes from
 * the patch's own text and that neither the request nor any successful answer holds; else null.
 */
export function madeUpIn(options: {
  brought: ReadonlySet<string>;
  after: Sample;
  calls: readonly Served[];
  siblings: readonly Sample[];
}): { value: string; where: string } | null {
  const { brought, after, calls, siblings } = options;
  const known = new Set([after.request, ...siblings.map((one) => one.body)].flatMap(leavesOf));
  const strange = [...brought].filter((text) => !known.has(text.toLowerCase()));
  const leaves = new Set(leavesOf(after.body));
  for (const value of strange) {
    const text = value.toLowerCase();
    const isPart = typeof after.body === 'string' && value.length >= partCharsMin;
    if (leaves.has(text) || (isPart && String(after.body).toLowerCase().includes(text))) {
      return { value, where: 'the answer' };
    }
    if (value.length < partCharsMin) continue;
    const call = calls.find((one) => valuesOf(one).some((held) => held.includes(text)));
    if (call !== undefined) return { value, where: call.title };
  }
  return null;
}

/** What a call says, without the words of the question itself. */
function valuesOf({ fields = {} }: Served): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    isValueName(name) ? [value.toLowerCase()] : [],
  );
}

function literalsOf(path: string, text: string | null): string[] {
  if (text === null || !isScript(path)) return [];
  const parsed = parseSource(path, text);
  if (parsed.kind === 'unreadable') return [];
  const found: string[] = [];
  walk(parsed.program, (node, ancestors) => {
    if (isName(node, ancestors.at(-1))) return;
    if (node.type === 'Literal' && ['string', 'number'].includes(typeof node.value)) {
      found.push(String(node.value));
    }
    if (node.type === 'TemplateElement') {
      found.push(String((node.value as { cooked?: string }).cooked ?? ''));
    }
  });
  return found;
}

/** `import 'x'`, `o['x']` and `{ 'x': 1 }` name things; they are not values. */
function isName(node: { type: string }, parent: Record<string, unknown> | undefined): boolean {
  if (parent === undefined) return false;
  const names = parent.source === node || parent.key === node;
  return names || (parent.type === 'MemberExpression' && parent.property === node);
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value).toLowerCase()];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [];
}

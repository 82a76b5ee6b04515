/** Patches that know the failing request: a fix for one id is none. */
import { isScript, parseSource, type SyntaxNode, walk } from '../source/syntax.ts';
import type { ChangedFile } from './hiding.ts';
import type { Sample } from './outcome-sane.ts';

/** Texts and numbers that patched files compare something with, and old ones did not. */
export function literalsCompared(files: readonly ChangedFile[]): Set<string> {
  const old = new Set(files.flatMap((file) => comparedIn(file.path, file.before)));
  const now = files.flatMap((file) => comparedIn(file.path, file.after));
  return new Set(now.filter((text) => !old.has(text)));
}

/**
 * The value of the failing request alone that the patch looks for; else null. Words (`percent`)
 * may be kinds of things that nobody had sent before; what holds a digit is one thing's own.
 */
export function specialCase(
  compared: ReadonlySet<string>,
  trigger: Sample,
  siblings: readonly Sample[],
): string | null {
  const usual = new Set(siblings.flatMap(({ request }) => leavesOf(request)));
  const own = new Set(leavesOf(trigger.request).filter((leaf) => !usual.has(leaf)));
  return [...compared].find((text) => /\d|@/.test(text) && own.has(text)) ?? null;
}

const equality = ['===', '!==', '==', '!='];
const lookUps = /\.(includes|has|startsWith|endsWith|indexOf|test|equals|is)$/;

function comparedIn(path: string, text: string | null): string[] {
  if (text === null || !isScript(path)) return [];
  const parsed = parseSource(path, text);
  if (parsed.kind === 'unreadable') return [];
  const found: string[] = [];
  const note = (node: unknown) => {
    const { type, value, quasis } = (node ?? {}) as SyntaxNode;
    if (type === 'Literal' && ['string', 'number'].includes(typeof value)) found.push(`${value}`);
    const [only] = type === 'TemplateLiteral' ? (quasis as SyntaxNode[]) : [];
    if (only !== undefined) found.push(String((only.value as { cooked?: string }).cooked));
  };
  walk(parsed.program, (node) => {
    if (node.type === 'BinaryExpression' && equality.includes(String(node.operator))) {
      note(node.left);
      note(node.right);
    }
    if (node.type === 'SwitchCase') note(node.test);
    if (node.type === 'CallExpression' && isLookUp(node)) {
      for (const one of [(node.callee as SyntaxNode).object, ...(node.arguments as unknown[])]) {
        note(one);
        for (const item of itemsOf(one)) note(item);
      }
    }
  });
  return found;
}

function isLookUp(call: SyntaxNode): boolean {
  const property = (call.callee as SyntaxNode).property as SyntaxNode | undefined;
  return lookUps.test(`.${String(property?.name)}`);
}

function itemsOf(node: unknown): unknown[] {
  const { type, elements } = (node ?? {}) as SyntaxNode;
  return type === 'ArrayExpression' ? (elements as unknown[]) : [];
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [];
}

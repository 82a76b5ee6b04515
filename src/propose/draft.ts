/** A template's idea before it is a diff: changes of text, and how good the idea is. */
import MagicString from 'magic-string';
import type { SyntaxNode } from '../source/syntax.ts';
import { unifiedDiff } from '../source/write.ts';
import type { SiblingAnswer } from './need.ts';
import type { Level, Origin } from './origin.ts';
import type { Site } from './site.ts';
import { indentAt, readTree, type Tree, textOf } from './tree.ts';

/** Replace `start` to `end` (UTF-16 offsets, exclusive) by text; equal offsets insert. */
export interface Change {
  start: number;
  end: number;
  text: string;
}

export interface Draft {
  template: string;
  tree: Tree;
  changes: Change[];
  /** What it does, in a sentence. */
  explanation: string;
  /** Lower is tried earlier. */
  score: number;
}

/** Everything that a template may look at. */
export interface Scene {
  site: Site;
  tree: Tree;
  origin: Origin;
  levels: Level[];
  siblings: readonly SiblingAnswer[];
  /** Whether the value is known to be undefined, null or neither. */
  value: 'undefined' | 'null' | 'other';
  /** Whether the caller had been answered with success when the failure came. */
  answered: boolean;
}

/** Going on without a credential is never right; both proposers of defaults ask this. */
export function isCredential({ tree, site, origin }: Scene): boolean {
  if (origin.kind !== 'request') return false;
  const text = textOf(tree, site.culprit);
  if (/^(?:user|session|auth)$/.test(origin.part ?? '')) return text.endsWith(`.${origin.part}`);
  return /authorization|cookie|token|api[-_]?key/i.test(text);
}

export type Template = (scene: Scene) => Draft[];

/** The draft as a diff; null when the result cannot be parsed or nothing changes. */
export function diffOf(draft: Draft): string | null {
  const { tree } = draft;
  const text = new MagicString(tree.text);
  for (const { start, end, text: put } of draft.changes) {
    const said = tree.style.newline === '\n' ? put : put.replace(/\r?\n/g, '\r\n');
    if (start === end) text.appendLeft(start, said);
    else if (put === '') text.remove(start, end);
    else text.overwrite(start, end, said);
  }
  const after = text.toString();
  if (after === tree.text || readTree(tree.path, after) === null) return null;
  return unifiedDiff([{ path: tree.path, before: tree.text, after }]);
}

/** Lines of code put in front of a statement, above the comment that belongs to it. */
export function insertBefore(tree: Tree, statement: SyntaxNode, lines: string): Change {
  const at = aboveComments(tree, statement.start);
  const indent = indentAt(tree, statement.start);
  return { start: at, end: at, text: `${indented(lines, indent)}\n${indent}` };
}

/** Stands for source text that must not be indented anew: template literals have lines, too. */
export const hole = '\u0001';

/** Puts source text, as it is, where the hole was left. */
export function filled(change: Change, text: string): Change {
  return { ...change, text: change.text.replace(hole, () => text) };
}

/** Gives every line but the first an indent; empty lines stay empty. */
export function indented(text: string, indent: string): string {
  return text
    .split('\n')
    .map((line, index) => (index === 0 || line === '' ? line : indent + line))
    .join('\n');
}

/** `if (test) { statements }` in the file's indentation, first line unindented. */
export function ifText(
  tree: Tree,
  { test, statements, brief }: { test: string; statements: string; brief: boolean },
): string {
  if (brief && !statements.includes('\n')) return `if (${test}) ${statements}`;
  const inner = indented(`\n${statements}`, tree.style.indent);
  return `if (${test}) {${inner}\n}`;
}

function aboveComments(tree: Tree, offset: number): number {
  let at = offset;
  for (;;) {
    const lineStart = tree.text.lastIndexOf('\n', at - 1) + 1;
    if (tree.text.slice(lineStart, at).trim() !== '' || lineStart === 0) return at;
    const above = tree.text.lastIndexOf('\n', lineStart - 2) + 1;
    const line = tree.text.slice(above, lineStart - 1);
    if (!/^\s*(?:\/\/|\/\*|\*)/.test(line)) return at;
    at = above + (/^\s*/.exec(line)?.[0].length ?? 0);
  }
}

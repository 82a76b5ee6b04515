/** A source file as text and syntax tree together, with parents: what templates navigate in. */
import { isFunction, parseSource, type SyntaxNode, walk } from '../source/syntax.ts';

export interface Tree {
  path: string;
  text: string;
  program: SyntaxNode;
  parents: Map<SyntaxNode, SyntaxNode>;
  style: Style;
}

/** How the file is written, so that what is added looks as if it had always been there. */
export interface Style {
  indent: string;
  quote: "'" | '"';
  semicolon: ';' | '';
  newline: '\n' | '\r\n';
}

/** Each node's place in the list of its tree, parents first: what is below it is a slice. */
const families = new WeakMap<SyntaxNode, { nodes: SyntaxNode[]; start: number; end: number }>();

/** Null when the text is no JavaScript or TypeScript that the parser can read. */
export function readTree(path: string, text: string): Tree | null {
  const parsed = parseSource(path, text);
  if (parsed.kind !== 'parsed') return null;
  const parents = new Map<SyntaxNode, SyntaxNode>();
  const nodes: SyntaxNode[] = [];
  walk(parsed.program, (node, ancestors) => {
    const parent = ancestors.at(-1);
    if (parent !== undefined) parents.set(node, parent);
    for (const ancestor of ancestors) families.get(ancestor)!.end = nodes.length + 1;
    families.set(node, { nodes, start: nodes.length, end: nodes.length + 1 });
    nodes.push(node);
  });
  return { path, text, program: parsed.program, parents, style: styleOf(text) };
}

/** The text of a node. */
export function textOf(tree: Tree, node: SyntaxNode): string {
  return tree.text.slice(node.start, node.end);
}

/** A child by field name; undefined where the field is empty. */
export function child(node: SyntaxNode, field: string): SyntaxNode | undefined {
  const value = node[field];
  return typeof value === 'object' && value !== null ? (value as SyntaxNode) : undefined;
}

/** The children in a list field, without holes. */
export function list(node: SyntaxNode, field: string): SyntaxNode[] {
  const value = node[field];
  return Array.isArray(value) ? (value as (SyntaxNode | null)[]).filter((n) => n !== null) : [];
}

/** Ancestors of a node, nearest first. */
export function ancestorsOf(tree: Tree, node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  let current = tree.parents.get(node);
  while (current !== undefined) {
    found.push(current);
    current = tree.parents.get(current);
  }
  return found;
}

/** The functions around a node, nearest first. */
export function functionsAround(tree: Tree, node: SyntaxNode): SyntaxNode[] {
  return ancestorsOf(tree, node).filter(isFunction);
}

/** The smallest function, or the program, around an offset. */
export function functionAt(tree: Tree, offset: number): SyntaxNode {
  const around = findAll(tree.program, (node) => {
    return isFunction(node) && node.start <= offset && offset < node.end;
  });
  return around.at(-1) ?? tree.program;
}

/** Every node of the tree below (and with) a node that passes the test. */
export function findAll(node: SyntaxNode, test: (node: SyntaxNode) => boolean): SyntaxNode[] {
  const family = families.get(node);
  if (family === undefined) throw new Error('a node of a tree that was not read by readTree');
  return family.nodes.slice(family.start, family.end).filter(test);
}

/** The offset of a 1-based line and column; of the line's first character when column is 0. */
export function offsetOf(tree: Tree, place: { line: number; column: number }): number {
  let offset = 0;
  for (let line = 1; line < place.line; line++) {
    const next = tree.text.indexOf('\n', offset);
    if (next < 0) return tree.text.length;
    offset = next + 1;
  }
  if (place.column > 0) return Math.min(offset + place.column - 1, tree.text.length);
  return offset + (/^[ \t]*/.exec(tree.text.slice(offset))?.[0].length ?? 0);
}

/** The 1-based line of an offset. */
export function lineOf(tree: Tree, offset: number): number {
  return tree.text.slice(0, offset).split('\n').length;
}

/** White space in front of the line that holds an offset. */
export function indentAt(tree: Tree, offset: number): string {
  const start = tree.text.lastIndexOf('\n', offset - 1) + 1;
  return /^[ \t]*/.exec(tree.text.slice(start, offset))?.[0] ?? '';
}

const wrappers = new Set([
  'ChainExpression',
  'AwaitExpression',
  'TSNonNullExpression',
  'TSAsExpression',
  'TSTypeAssertion',
  'TSSatisfiesExpression',
  'ParenthesizedExpression',
]);

/** What stands inside `await`, `as`, `!` and optional chains. */
export function unwrap(node: SyntaxNode): SyntaxNode {
  let current = node;
  while (wrappers.has(current.type)) {
    const inner = child(current, 'expression') ?? child(current, 'argument');
    if (inner === undefined) return current;
    current = inner;
  }
  return current;
}

/** The name of an identifier or of a member access's property; null where it is computed. */
export function nameOf(node: SyntaxNode | undefined): string | null {
  if (node === undefined) return null;
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return node.name as string;
  if (node.type === 'Literal') return String(node.value);
  if (node.type !== 'MemberExpression') return null;
  return propertyName(node);
}

/** `b` of `a.b` and `a['b']`, `0` of `a[0]`; null where the key is an expression. */
export function propertyName(member: SyntaxNode): string | null {
  const property = child(member, 'property');
  if (property === undefined) return null;
  if (member.computed === true && property.type !== 'Literal') return null;
  return nameOf(property);
}

/** Whether evaluating the expression twice does nothing twice: names and plain members only. */
export function isPath(node: SyntaxNode): boolean {
  const inner = unwrapTypes(node);
  if (inner.type === 'Identifier' || inner.type === 'ThisExpression') return true;
  if (inner.type !== 'MemberExpression') return false;
  const property = child(inner, 'property');
  if (inner.computed === true && property?.type !== 'Literal' && !(property && isPath(property))) {
    return false;
  }
  return isPath(child(inner, 'object') as SyntaxNode);
}

/** The identifier that a path begins with; null for `this` and for what is no path. */
export function rootOf(node: SyntaxNode): SyntaxNode | null {
  const inner = unwrapTypes(node);
  if (inner.type === 'Identifier') return inner;
  return inner.type === 'MemberExpression' ? rootOf(child(inner, 'object') as SyntaxNode) : null;
}

function unwrapTypes(node: SyntaxNode): SyntaxNode {
  return node.type === 'AwaitExpression' ? node : unwrapOnce(node);
}

function unwrapOnce(node: SyntaxNode): SyntaxNode {
  if (!wrappers.has(node.type) || node.type === 'AwaitExpression') return node;
  return unwrapOnce(child(node, 'expression') as SyntaxNode);
}

function styleOf(text: string): Style {
  const indents = [...text.matchAll(/^([ ]+|\t+)\S/gm)].map((found) => found[1] ?? '');
  const tabs = indents.filter((indent) => indent.startsWith('\t')).length;
  const spaces = indents.filter((indent) => indent.startsWith(' ') && indent.length > 1);
  const smallest = spaces.reduce((least, indent) => Math.min(least, indent.length), 8);
  const lines = text.split('\n').map((line) => line.trim());
  const ended = lines.filter((line) => line.endsWith(';')).length;
  const bare = lines.filter((line) => /^(const|let|var|return|import)\b.*[\w)'"`\]]$/.test(line));
  const single = text.split("'").length;
  return {
    indent: tabs > spaces.length ? '\t' : ' '.repeat(spaces.length === 0 ? 2 : smallest),
    quote: single >= text.split('"').length ? "'" : '"',
    semicolon: ended >= bare.length ? ';' : '',
    newline: text.includes('\r\n') ? '\r\n' : '\n',
  };
}

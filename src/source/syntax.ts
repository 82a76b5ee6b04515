/** JavaScript and TypeScript as a syntax tree, for templates that edit and checks that read. */
import { parseSync } from 'oxc-parser';

/** An ESTree node; offsets are UTF-16 positions in the source text, `end` exclusive. */
export interface SyntaxNode {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

export type Parsed =
  | { kind: 'parsed'; program: SyntaxNode }
  | { kind: 'unreadable'; reason: string };

const extensions = /\.(?:[cm]?[jt]s|[jt]sx)$/;

/** Whether a path names a file that `parseSource` can read. */
export function isScript(path: string): boolean {
  return extensions.test(path) && !path.endsWith('.d.ts');
}

/** Parses a file; the language follows from its name. Syntax errors make it unreadable. */
export function parseSource(path: string, text: string): Parsed {
  const result = parseSync(path, text, { preserveParens: false });
  const first = result.errors[0];
  if (first !== undefined) return { kind: 'unreadable', reason: `${path}: ${first.message}` };
  return { kind: 'parsed', program: result.program as unknown as SyntaxNode };
}

/** Children of a node in source order. */
export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (const [name, value] of Object.entries(node)) {
    if (name === 'type' || name === 'start' || name === 'end') continue;
    for (const item of Array.isArray(value) ? value : [value]) {
      if (isNode(item)) children.push(item);
    }
  }
  return children.sort((a, b) => a.start - b.start);
}

/** Calls `visit` for every node, parents first, with its ancestors (outermost first). */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, ancestors: readonly SyntaxNode[]) => void,
): void {
  const ancestors: SyntaxNode[] = [];
  const enter = (current: SyntaxNode): void => {
    visit(current, ancestors);
    ancestors.push(current);
    for (const child of childrenOf(current)) enter(child);
    ancestors.pop();
  };
  enter(node);
}

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
]);

export function isFunction(node: SyntaxNode): boolean {
  return functionTypes.has(node.type);
}

/** A name that tells functions of one file apart and survives edits inside them. */
export function functionName(node: SyntaxNode, ancestors: readonly SyntaxNode[]): string {
  const own = identifierName(node.id);
  if (own !== null) return own;
  const parent = ancestors.at(-1);
  if (parent === undefined) return '<program>';
  if (parent.type === 'VariableDeclarator') return identifierName(parent.id) ?? '<anonymous>';
  if (parent.type === 'MethodDefinition' || parent.type === 'Property') {
    return identifierName(parent.key) ?? '<anonymous>';
  }
  if (parent.type === 'CallExpression') return callLabel(parent);
  return '<anonymous>';
}

/** `app.get("/orders/:id")` for a callback passed to a call: callee and literal arguments. */
function callLabel(call: SyntaxNode): string {
  const literals = (call.arguments as SyntaxNode[])
    .filter((argument) => argument.type === 'Literal')
    .map((argument) => JSON.stringify(argument.value));
  return `${memberPath(call.callee as SyntaxNode) ?? '?'}(${literals.join(', ')})`;
}

/** `a.b.c` of an identifier or a chain of plain member accesses; null for anything else. */
export function memberPath(node: SyntaxNode): string | null {
  if (node.type === 'ChainExpression') return memberPath(node.expression as SyntaxNode);
  if (node.type === 'ThisExpression') return 'this';
  if (node.type === 'Identifier') return node.name as string;
  if (node.type !== 'MemberExpression' || node.computed === true) return null;
  const object = memberPath(node.object as SyntaxNode);
  const property = identifierName(node.property);
  return object === null || property === null ? null : `${object}.${property}`;
}

function identifierName(node: unknown): string | null {
  if (!isNode(node)) return null;
  if (node.type === 'Identifier' || node.type === 'PrivateIdentifier') return node.name as string;
  return node.type === 'Literal' ? String(node.value) : null;
}

function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as SyntaxNode).type === 'string' &&
    typeof (value as SyntaxNode).start === 'number'
  );
}

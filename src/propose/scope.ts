/** What a name stands for at a place: its declaration, as far as one file tells. */
import { isFunction, type SyntaxNode } from '../source/syntax.ts';
import { ancestorsOf, child, findAll, list, nameOf, type Tree } from './tree.ts';

export type Binding =
  /** `const NAME = init`; `key` when destructured from init: `const { key: NAME } = init`. */
  | { kind: 'variable'; declarator: SyntaxNode; init: SyntaxNode | null; key: string | null }
  /** Parameter number `index` of `fn`, or destructured from it by `key`. */
  | { kind: 'parameter'; fn: SyntaxNode; index: number; key: string | null; node: SyntaxNode }
  /** `for (const NAME of source)`. */
  | { kind: 'element'; source: SyntaxNode; key: string | null }
  /** An import, a function, a class, a caught exception. */
  | { kind: 'other'; node: SyntaxNode };

/** The binding of a name as seen from a node; null for globals and what is declared elsewhere. */
export function bindingOf(tree: Tree, from: SyntaxNode, name: string): Binding | null {
  for (const scope of ancestorsOf(tree, from)) {
    const found = isFunction(scope) ? parameterOf(scope, name) : declaredIn(tree, scope, name);
    if (found !== null) return found;
  }
  return null;
}

/** Names that are there everywhere. */
const globals = new Set([
  ...['JSON', 'Error', 'TypeError', 'RangeError', 'String', 'Number', 'Boolean', 'Object', 'Array'],
  ...['Date', 'Math', 'console', 'undefined', 'Response', 'URL', 'Buffer', 'process', 'Promise'],
]);

/** Whether a name may be used at a place: bound there, or global. */
export function isVisible(tree: Tree, from: SyntaxNode, name: string): boolean {
  if (name === 'this') return true;
  const binding = bindingOf(tree, from, name);
  if (binding === null) return globals.has(name);
  return binding.kind !== 'variable' || binding.declarator.end <= from.start;
}

/** Identifiers that refer to something outside a piece of the tree, by name, each once. */
export function freeNames(tree: Tree, node: SyntaxNode): string[] {
  const names = findAll(node, (n) => n.type === 'Identifier')
    .filter((identifier) => isReference(tree, identifier))
    .filter((identifier) => {
      const binding = bindingOf(tree, identifier, identifier.name as string);
      const at = binding === null ? null : declarationOf(binding);
      return at === null || at.start < node.start || at.end > node.end;
    })
    .map((identifier) => identifier.name as string);
  return [...new Set(names)];
}

/** Whether an identifier is a use of a variable, not a property's or a declaration's name. */
export function isReference(tree: Tree, identifier: SyntaxNode): boolean {
  const parent = tree.parents.get(identifier);
  if (parent === undefined) return false;
  if (parent.type === 'MemberExpression') {
    return parent.object === identifier || parent.computed === true;
  }
  if (parent.type === 'Property' || parent.type === 'PropertyDefinition') {
    return parent.value === identifier || parent.computed === true;
  }
  if (parent.type === 'MethodDefinition' || parent.type.startsWith('TS')) {
    return parent.expression === identifier;
  }
  if (parent.type === 'VariableDeclarator') return parent.id !== identifier;
  return !isFunction(parent) || parent.body === identifier;
}

function declarationOf(binding: Binding): SyntaxNode {
  if (binding.kind === 'variable') return binding.declarator;
  if (binding.kind === 'parameter') return binding.fn;
  return binding.kind === 'element' ? binding.source : binding.node;
}

function parameterOf(fn: SyntaxNode, name: string): Binding | null {
  for (const [index, node] of list(fn, 'params').entries()) {
    const key = keyFor(node, name);
    if (key !== undefined) return { kind: 'parameter', fn, index, key, node };
  }
  return null;
}

function declaredIn(tree: Tree, scope: SyntaxNode, name: string): Binding | null {
  if (scope.type === 'ForOfStatement' || scope.type === 'ForInStatement') {
    const declarator = declaratorsOf(child(scope, 'left'))[0];
    const key = declarator === undefined ? undefined : keyFor(child(declarator, 'id'), name);
    const source = child(scope, 'right');
    if (key !== undefined && source !== undefined) return { kind: 'element', source, key };
  }
  if (scope.type === 'CatchClause' && keyFor(child(scope, 'param'), name) !== undefined) {
    return { kind: 'other', node: scope };
  }
  const statements = [
    ...list(scope, 'body'),
    ...list(scope, 'consequent'),
    ...(scope.type === 'ForStatement' ? [child(scope, 'init')] : []),
  ];
  for (const statement of statements) {
    const found = statement === undefined ? null : declaredBy(tree, statement, name);
    if (found !== null) return found;
  }
  return null;
}

function declaredBy(tree: Tree, statement: SyntaxNode, name: string): Binding | null {
  const inner = /^Export/.test(statement.type) ? child(statement, 'declaration') : statement;
  if (inner === undefined) return null;
  for (const declarator of declaratorsOf(inner)) {
    const key = keyFor(child(declarator, 'id'), name);
    if (key === undefined) continue;
    const init = child(declarator, 'init') ?? onlyAssigned(tree, declarator);
    return { kind: 'variable', declarator, init, key };
  }
  const named = inner.type === 'FunctionDeclaration' || inner.type === 'ClassDeclaration';
  if (named && nameOf(child(inner, 'id')) === name) return { kind: 'other', node: inner };
  if (inner.type !== 'ImportDeclaration') return null;
  const imported = list(inner, 'specifiers').some((s) => nameOf(child(s, 'local')) === name);
  return imported ? { kind: 'other', node: inner } : null;
}

/** What a variable declared without a value gets, when it is assigned at one place only. */
function onlyAssigned(tree: Tree, declarator: SyntaxNode): SyntaxNode | null {
  const name = nameOf(child(declarator, 'id'));
  const assigned = findAll(tree.program, (n) => n.type === 'AssignmentExpression').filter(
    (n) => n.operator === '=' && nameOf(child(n, 'left')) === name,
  );
  const plain = assigned.filter((n) => child(n, 'left')?.type === 'Identifier');
  return plain.length === 1 ? (child(plain[0] as SyntaxNode, 'right') ?? null) : null;
}

function declaratorsOf(node: SyntaxNode | undefined): SyntaxNode[] {
  return node?.type === 'VariableDeclaration' ? list(node, 'declarations') : [];
}

/** Null: the pattern is the name itself; a key: destructured by it; undefined: not bound. */
function keyFor(pattern: SyntaxNode | undefined, name: string): string | null | undefined {
  if (pattern === undefined) return undefined;
  if (pattern.type === 'Identifier') return pattern.name === name ? null : undefined;
  if (pattern.type === 'AssignmentPattern') return keyFor(child(pattern, 'left'), name);
  if (pattern.type === 'RestElement') return keyFor(child(pattern, 'argument'), name);
  if (pattern.type === 'TSParameterProperty') return keyFor(child(pattern, 'parameter'), name);
  if (pattern.type === 'ObjectPattern') {
    for (const property of list(pattern, 'properties')) {
      const inner = keyFor(child(property, 'value') ?? child(property, 'argument'), name);
      if (inner !== undefined) return inner ?? nameOf(child(property, 'key')) ?? '';
    }
  }
  if (pattern.type === 'ArrayPattern') {
    const elements = (pattern.elements as (SyntaxNode | null)[]) ?? [];
    const index = elements.findIndex((e) => e !== null && keyFor(e, name) !== undefined);
    if (index >= 0) return String(index);
  }
  return undefined;
}

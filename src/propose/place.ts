/** Where a statement can be put so that it runs before the failure and after what it needs. */
import { isFunction, type SyntaxNode } from '../source/syntax.ts';
import { functionUsing, responseAt } from './exits.ts';
import { isVisible } from './scope.ts';
import { ancestorsOf, child, findAll, functionsAround, list, nameOf, type Tree } from './tree.ts';

export type Place =
  | { kind: 'before'; statement: SyntaxNode }
  /** An arrow function that is one expression: it has to become a block first. */
  | { kind: 'expression-body'; fn: SyntaxNode };

const blocks = new Set(['BlockStatement', 'Program', 'StaticBlock', 'SwitchCase']);

/** Names that a path needs: `votes` and `isbn` of `votes[isbn].count`; types are no names. */
export function namesIn(path: string): string[] {
  const bare = path.replace(/'[^']*'|"[^"]*"|\s(?:as|satisfies)\s[^)\]]+/g, '');
  return bare.match(/(?<![.#\w$])[A-Za-z_$][\w$]*/g) ?? [];
}

/**
 * The place for a guard that uses `names`, seen from the failing access or call: in the function
 * that answers the request, before the answer is sent. Null when there is no such place.
 */
export function guardPlace(tree: Tree, at: SyntaxNode, names: string[]): Place | null {
  const response = responseAt(tree, at);
  const fn = response === null ? functionsAround(tree, at)[0] : functionUsing(tree, at, response);
  if (fn === undefined || fn === null) return null;
  const statement = statementIn(tree, fn, at);
  if (statement === null) {
    const arrow = fn.type === 'ArrowFunctionExpression' && fn.body !== undefined;
    const whole = arrow && child(fn, 'body')?.type !== 'BlockStatement';
    return whole && names.every((n) => isVisible(tree, child(fn, 'body') as SyntaxNode, n))
      ? { kind: 'expression-body', fn }
      : null;
  }
  const early = response === null ? statement : beforeAnswer(tree, statement, response);
  return names.every((name) => isVisible(tree, early, name))
    ? { kind: 'before', statement: early }
    : null;
}

/** The statement around a node that stands directly in a block of the function. */
export function statementIn(tree: Tree, fn: SyntaxNode, at: SyntaxNode): SyntaxNode | null {
  const path = [at, ...ancestorsOf(tree, at)];
  const inside = path.slice(0, path.indexOf(fn));
  const foreign = inside.findLastIndex(isFunction);
  for (const node of inside.slice(foreign + 1)) {
    const parent = tree.parents.get(node);
    if (parent !== undefined && blocks.has(parent.type)) return node;
  }
  return null;
}

/** The first statement of the block that answers for certain, when one comes before. */
function beforeAnswer(tree: Tree, statement: SyntaxNode, response: string): SyntaxNode {
  const block = tree.parents.get(statement);
  if (block === undefined) return statement;
  const siblings = [...list(block, 'body'), ...list(block, 'consequent')];
  const earlier = siblings.slice(0, siblings.indexOf(statement));
  return earlier.find((node) => answers(node, response)) ?? statement;
}

const preparing = /^(?:set|setHeader|header|type|status|code|cookie|on|once|vary|append|get)$/;

/** Whether an expression statement sends something: `res.json(...)`, `send(res, ...)`. */
export function answers(node: SyntaxNode, response: string): boolean {
  if (node.type !== 'ExpressionStatement') return false;
  const names = findAll(node, (n) => n.type === 'Identifier' && n.name === response);
  if (names.length === 0) return false;
  const inner = child(node, 'expression');
  const call = inner?.type === 'AwaitExpression' ? child(inner, 'argument') : inner;
  if (call?.type !== 'CallExpression') return false;
  return !preparing.test(nameOf(child(call, 'callee')) ?? '');
}

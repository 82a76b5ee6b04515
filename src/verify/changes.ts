/** What counts as a change of something in memory, in the syntax tree of a program. */
import { childrenOf, type SyntaxNode } from '../source/syntax.ts';

export type Write = (node: SyntaxNode) => string;

const filling = /^(push|unshift|splice|set|add|delete|clear|append|insert|increment|incr)$/;

export function isChange(node: SyntaxNode): boolean {
  const target = targetOf(node);
  return target?.type === 'MemberExpression' || target?.type === 'ChainExpression';
}

/** What is assigned to, counted up, deleted, or whose method that fills it is called. */
export function targetOf(node: SyntaxNode): SyntaxNode | null {
  if (node.type === 'AssignmentExpression') return part(node, 'left');
  const deletes = node.type === 'UnaryExpression' && node.operator === 'delete';
  if (node.type === 'UpdateExpression' || deletes) return part(node, 'argument');
  if (node.type !== 'CallExpression') return null;
  const callee = part(node, 'callee');
  return filling.test(nameOf(callee)) ? callee : null;
}

/** `votes[id] ?? (votes[id] = {})` and `votes[id] ||= {}` store what they bring. */
export function addsWhatIsMissing(choice: SyntaxNode, write: Write): boolean {
  if (choice.type !== 'LogicalExpression' || choice.operator === '&&') return false;
  const right = part(choice, 'right');
  if (right.type !== 'AssignmentExpression') return false;
  return write(part(right, 'left')) === write(part(choice, 'left'));
}

/** Without what waits for it, throws it away or says its type. */
export function bare(node: SyntaxNode): SyntaxNode {
  const wraps = node.type === 'UnaryExpression' && node.operator === 'void';
  if (wraps || node.type === 'AwaitExpression') return bare(part(node, 'argument'));
  return /^TS\w+Expression$/.test(node.type) ? bare(part(node, 'expression')) : node;
}

/** The last name of a callee or of a member. */
export function nameOf(node: SyntaxNode): string {
  const { name, property } = node as { name?: unknown; property?: SyntaxNode };
  return String(name ?? property?.name ?? property?.value ?? '');
}

export function part(node: SyntaxNode, name: string): SyntaxNode {
  return node[name] as SyntaxNode;
}

export function has(node: SyntaxNode, test: (node: SyntaxNode) => boolean): boolean {
  return test(node) || childrenOf(node).some((child) => has(child, test));
}

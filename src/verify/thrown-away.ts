/** Check 8: defaults that a program brings in, changes and keeps nowhere: work that is lost. */
import { childrenOf, isFunction, memberPath, type SyntaxNode, walk } from '../source/syntax.ts';
import {
  addsWhatIsMissing,
  bare,
  has,
  isChange,
  nameOf,
  part,
  targetOf,
  type Write,
} from './changes.ts';

/** A value brought in for a missing one, then changed, and kept nowhere. */
export function isLost(node: SyntaxNode, ancestors: readonly SyntaxNode[], write: Write): boolean {
  if (!isDefault(node) || addsWhatIsMissing(node, write)) return false;
  if (isChangedAt(node, ancestors)) return true;
  const names = namesHeld(node, ancestors);
  if (names.size === 0) return false;
  const scope = ancestors.findLast(isFunction) ?? ancestors[0];
  if (scope === undefined) return false;
  const ofName = (one: SyntaxNode) => one.type === 'Identifier' && names.has(String(one.name));
  let changed = false;
  let kept = false;
  walk(scope, (one, around) => {
    if (ofName(one) && isChangedAt(one, around)) changed = true;
    if (keeps(one, ofName)) kept = true;
  });
  return changed && !kept;
}

/** `x ?? {}`, `x || []`, `x ? x : new Map()`, `x ??= {}` of a variable. */
function isDefault(node: SyntaxNode): boolean {
  if (node.type === 'AssignmentExpression') {
    const isName = part(node, 'left').type === 'Identifier';
    return isName && /^(\?\?|\|\|)=$/.test(String(node.operator)) && isThing(part(node, 'right'));
  }
  if (node.type === 'LogicalExpression')
    return node.operator !== '&&' && isThing(part(node, 'right'));
  if (node.type !== 'ConditionalExpression') return false;
  return isThing(part(node, 'consequent')) || isThing(part(node, 'alternate'));
}

function isThing(node: SyntaxNode): boolean {
  return /^(Object|Array|New|Call)Expression$/.test(bare(node).type);
}

function namesHeld(node: SyntaxNode, ancestors: readonly SyntaxNode[]): Set<string> {
  const at = ancestors.findLastIndex((one) => !/^TS|^Await|^Chain/.test(one.type));
  const holder = node.type === 'AssignmentExpression' ? node : ancestors[at];
  const target =
    holder?.type === 'VariableDeclarator' || holder?.type === 'AssignmentExpression'
      ? ((holder.id ?? holder.left) as SyntaxNode)
      : null;
  const names = new Set<string>();
  if (target === null || target.type === 'MemberExpression') return names;
  walk(target, (one) => {
    if (one.type === 'Identifier') names.add(String(one.name));
  });
  return names;
}

/** Whether a member of the value at this node is assigned, counted up, deleted or filled. */
function isChangedAt(node: SyntaxNode, ancestors: readonly SyntaxNode[]): boolean {
  let inner = node;
  for (let at = ancestors.length - 1; at >= 0; at--) {
    const outer = ancestors[at]!;
    if (outer.type === 'CallExpression' && (outer.arguments as SyntaxNode[])[0] === inner) {
      const isStatement = ancestors[at - 1]?.type === 'ExpressionStatement';
      return isStatement && memberPath(part(outer, 'callee')) === 'Object.assign';
    }
    if (isChange(outer) && inner !== node) return targetOf(outer) === inner;
    const goesOn =
      (outer.type === 'MemberExpression' && outer.object === inner) ||
      /^(ChainExpression|TSNonNullExpression|TSAsExpression)$/.test(outer.type);
    if (!goesOn) return false;
    inner = outer;
  }
  return false;
}

const keeping = /^(push|unshift|splice|set|add|append|insert|put|save|store|update)/;

/** `votes[id] = value`, `map.set(id, value)`, `save(value)`. */
function keeps(node: SyntaxNode, isValue: (node: SyntaxNode) => boolean): boolean {
  if (node.type === 'AssignmentExpression') {
    const place = part(node, 'left');
    const isOther = place.type === 'MemberExpression' && !has(part(place, 'object'), isValue);
    return isOther && holds(part(node, 'right'), isValue);
  }
  if (node.type !== 'CallExpression') return false;
  const callee = part(node, 'callee');
  const isOwn = callee.type === 'MemberExpression' && has(part(callee, 'object'), isValue);
  if (isOwn || !keeping.test(nameOf(callee))) return false;
  return (node.arguments as SyntaxNode[]).some((one) => holds(one, isValue));
}

/** The value itself, or one made of all of it (`[...v]`, `v.slice(0, 9)`); no member of it. */
function holds(node: SyntaxNode, isValue: (node: SyntaxNode) => boolean): boolean {
  if (isValue(node)) return true;
  if (node.type === 'MemberExpression') return false;
  if (node.type === 'Property') return holds(part(node, 'value'), isValue);
  if (node.type !== 'CallExpression') {
    return childrenOf(node).some((child) => holds(child, isValue));
  }
  const callee = part(node, 'callee');
  const isOwn = callee.type === 'MemberExpression' && isValue(part(callee, 'object'));
  return isOwn || (node.arguments as SyntaxNode[]).some((one) => holds(one, isValue));
}

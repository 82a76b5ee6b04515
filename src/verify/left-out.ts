/**
 * Check 8, work in memory: no call shows that a program no longer counts or stores something.
 * Statements that newly run on a condition, and defaults that are changed and thrown away.
 */
import {
  childrenOf,
  isFunction,
  memberPath,
  parseSource,
  type SyntaxNode,
  walk,
} from '../source/syntax.ts';
import type { ChangedFile } from './hiding.ts';

/** What newly may not be done, or be done to nothing; each leaves open whether that is right. */
export function leftOut(files: readonly ChangedFile[]): string[] {
  return files.flatMap(({ path, before, after }) => {
    const old = notesIn(path, before).map(({ key }) => key);
    return notesIn(path, after).flatMap(({ key, says }) => {
      const at = old.indexOf(key);
      if (at >= 0) old.splice(at, 1);
      return at < 0 ? [`${path} ${says}`] : [];
    });
  });
}

interface Note {
  /** Two versions of a file have the same work left out where this is the same. */
  key: string;
  says: string;
}

type Write = (node: SyntaxNode) => string;

const skips = 'leaves work out where it failed before; nothing shows whether that is right';
const loses = 'changes a default that is then thrown away; nothing shows whether that is right';

function notesIn(path: string, text: string | null): Note[] {
  const parsed = parseSource(path, text ?? '');
  if (parsed.kind === 'unreadable') return []; // `hidingOf` says so
  const write: Write = (node) => (text ?? '').slice(node.start, node.end).replace(/\s+/g, '');
  const notes: Note[] = [];
  walk(parsed.program, (node, ancestors) => {
    const skipped = conditionalWork(node, ancestors, write);
    // `a?.b` for `a.b` in a condition leaves it the condition that it was.
    if (skipped !== null) notes.push({ key: skipped, says: `${skips}: ${shown(text, node)}` });
    if (isLost(node, ancestors, write)) {
      notes.push({ key: `lost ${write(node)}`, says: `${loses}: ${shown(text, node)}` });
    }
  });
  return notes;
}

function shown(text: string | null, node: SyntaxNode): string {
  return (text ?? '').slice(node.start, node.end).replace(/\s+/g, ' ').slice(0, 80);
}

/** A key for work that is only done on a condition, with nothing done or said otherwise. */
function conditionalWork(
  node: SyntaxNode,
  ancestors: readonly SyntaxNode[],
  write: Write,
): string | null {
  if (node.type === 'IfStatement') {
    return isHalfDone(node, ancestors, write) ? `if ${unchained(write(part(node, 'test')))}` : null;
  }
  if (node.type === 'ExpressionStatement') {
    const whole = bare(part(node, 'expression'));
    if (whole.type === 'ChainExpression') return `chain ${write(whole)}`;
    if (isChoice(whole) && !addsWhatIsMissing(whole, write)) {
      return `choice ${unchained(write(whole))}`;
    }
  }
  // Elsewhere, too, where the value is not what it is about: `() => list?.push(x)`.
  const held = ancestors.at(-1)?.type !== 'ExpressionStatement';
  if (held && node.type === 'ChainExpression' && isChange(part(node, 'expression'))) {
    return `chain ${write(node)}`;
  }
  const rare = node.type === 'LogicalExpression' ? part(node, 'right') : null;
  const changes = rare !== null && has(rare, isChange) && !addsWhatIsMissing(node, write);
  return held && changes ? `choice ${unchained(write(node))}` : null;
}

/** An `if` with no other way: it neither refuses nor only stores what its test found missing. */
function isHalfDone(node: SyntaxNode, ancestors: readonly SyntaxNode[], write: Write): boolean {
  const otherwise = node.alternate as SyntaxNode | null;
  const body = statementsOf(part(node, 'consequent'));
  const changes = body.some((one) => has(one, isChange));
  const others = otherwise === null ? [] : statementsOf(otherwise);
  if (others.some((one) => !isIdle(one) && (!changes || !setsVariable(one)))) return false;
  if (body.some((one) => has(one, isRefusing))) return false;
  const last = body.at(-1);
  if (last?.type === 'ReturnStatement' && last.argument !== null) {
    const block = ancestors.at(-1);
    const siblings = block === undefined ? [] : statementsOf(block);
    const rest = siblings.slice(siblings.indexOf(node) + 1);
    return rest.some((one) => has(one, isChange) || one.type === 'ExpressionStatement');
  }
  const test = write(part(node, 'test'));
  return !(body.length > 0 && body.every((one) => storesMissing(one, test, write)));
}

/** `if (!votes[id]) votes[id] = {}`, `if (!map.has(id)) map.set(id, [])`. */
function storesMissing(statement: SyntaxNode, test: string, write: Write): boolean {
  const done = statement.expression as SyntaxNode | undefined;
  if (statement.type !== 'ExpressionStatement' || done === undefined) return false;
  if (done.type === 'CallExpression') {
    const callee = part(done, 'callee');
    const [key] = done.arguments as SyntaxNode[];
    if (nameOf(callee) !== 'set' || key === undefined) return false;
    const map = write(part(callee, 'object'));
    return test === `!${map}.has(${write(key)})` || test === `!${map}.get(${write(key)})`;
  }
  const target = done.type === 'AssignmentExpression' ? part(done, 'left') : null;
  if (target?.type !== 'MemberExpression' || done.operator !== '=') return false;
  const place = write(target);
  const missing = ['===undefined', '==undefined', '===null', '==null'];
  return test === `!${place}` || missing.some((says) => test === `${place}${says}`);
}

/** `votes[id] ?? (votes[id] = {})` and `votes[id] ||= {}` store what they bring. */
function addsWhatIsMissing(choice: SyntaxNode, write: Write): boolean {
  if (choice.type !== 'LogicalExpression' || choice.operator === '&&') return false;
  const right = part(choice, 'right');
  if (right.type !== 'AssignmentExpression') return false;
  return write(part(right, 'left')) === write(part(choice, 'left'));
}

/** A value brought in for a missing one, then changed, and kept nowhere. */
function isLost(node: SyntaxNode, ancestors: readonly SyntaxNode[], write: Write): boolean {
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
  for (const outer of ancestors.toReversed()) {
    if (isChange(outer) && inner !== node) return targetOf(outer) === inner;
    const goesOn =
      (outer.type === 'MemberExpression' && outer.object === inner) ||
      /^(ChainExpression|TSNonNullExpression|TSAsExpression)$/.test(outer.type);
    if (!goesOn) return false;
    inner = outer;
  }
  return false;
}

const filling = /^(push|unshift|splice|set|add|delete|clear|append|insert|increment|incr)$/;
const keeping = /^(push|unshift|splice|set|add|append|insert|put|save|store|update|write)/;

function isChange(node: SyntaxNode): boolean {
  const target = targetOf(node);
  return target?.type === 'MemberExpression' || target?.type === 'ChainExpression';
}

/** What is assigned to, counted up, deleted, or whose method that fills it is called. */
function targetOf(node: SyntaxNode): SyntaxNode | null {
  if (node.type === 'AssignmentExpression') return part(node, 'left');
  const deletes = node.type === 'UnaryExpression' && node.operator === 'delete';
  if (node.type === 'UpdateExpression' || deletes) return part(node, 'argument');
  if (node.type !== 'CallExpression') return null;
  const callee = part(node, 'callee');
  return filling.test(nameOf(callee)) ? callee : null;
}

/** `votes[id] = value`, `map.set(id, value)`, `save(value)`. */
function keeps(node: SyntaxNode, isValue: (node: SyntaxNode) => boolean): boolean {
  if (node.type === 'AssignmentExpression') {
    const place = part(node, 'left');
    const isOther = place.type === 'MemberExpression' && !has(part(place, 'object'), isValue);
    return isOther && has(part(node, 'right'), isValue);
  }
  if (node.type !== 'CallExpression') return false;
  const callee = part(node, 'callee');
  const isOwn = callee.type === 'MemberExpression' && has(part(callee, 'object'), isValue);
  if (isOwn || !keeping.test(nameOf(callee))) return false;
  return (node.arguments as SyntaxNode[]).some((one) => has(one, isValue));
}

/** A 4xx or 5xx somewhere, an error thrown or handed on. */
function isRefusing(node: SyntaxNode): boolean {
  if (node.type === 'ThrowStatement') return true;
  const isError = (one: SyntaxNode | undefined) =>
    typeof one?.value === 'number' && one.value >= 400 && one.value < 600;
  if (node.type === 'AssignmentExpression') {
    return /^status(Code)?$/.test(nameOf(part(node, 'left'))) && isError(part(node, 'right'));
  }
  if (node.type !== 'CallExpression') return false;
  const given = node.arguments as SyntaxNode[];
  const hands = /^(next|reject)$/.test(nameOf(part(node, 'callee'))) && given.length > 0;
  return hands || given.some(isError);
}

/** Nothing, or a line for the log. */
function isIdle(statement: SyntaxNode): boolean {
  if (statement.type === 'EmptyStatement') return true;
  const done = statement.expression as SyntaxNode | undefined;
  if (statement.type !== 'ExpressionStatement' || done === undefined) return false;
  if (done.type !== 'CallExpression') return done.type === 'Literal' || done.type === 'Identifier';
  return /^(console|log|logger)\b/.test(memberPath(part(done, 'callee')) ?? '');
}

/** `n = 0;` beside `n = ++votes[id].count;` does not count. */
function setsVariable({ expression }: SyntaxNode): boolean {
  const done = expression as SyntaxNode | undefined;
  if (done?.type !== 'AssignmentExpression' || part(done, 'left').type !== 'Identifier')
    return false;
  return !has(part(done, 'right'), (one) => one.type === 'CallExpression' || isChange(one));
}

function isChoice({ type }: SyntaxNode): boolean {
  return type === 'LogicalExpression' || type === 'ConditionalExpression';
}

function statementsOf(node: SyntaxNode): SyntaxNode[] {
  const { body } = node;
  return Array.isArray(body) ? (body as SyntaxNode[]) : [node];
}

/** Without what waits for it, throws it away or says its type. */
function bare(node: SyntaxNode): SyntaxNode {
  const wraps = node.type === 'UnaryExpression' && node.operator === 'void';
  if (wraps || node.type === 'AwaitExpression') return bare(part(node, 'argument'));
  return /^TS\w+Expression$/.test(node.type) ? bare(part(node, 'expression')) : node;
}

function unchained(text: string): string {
  return text.replace(/\?\.(?=[[(])/g, '').replace(/\?\./g, '.');
}

/** The last name of a callee or of a member. */
function nameOf(node: SyntaxNode): string {
  const { name, property } = node as { name?: unknown; property?: SyntaxNode };
  return String(name ?? property?.name ?? property?.value ?? '');
}

function part(node: SyntaxNode, name: string): SyntaxNode {
  return node[name] as SyntaxNode;
}

function has(node: SyntaxNode, test: (node: SyntaxNode) => boolean): boolean {
  return test(node) || childrenOf(node).some((child) => has(child, test));
}

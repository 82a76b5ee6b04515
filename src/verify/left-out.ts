/**
 * Check 8, work in memory: no call shows that a program no longer counts or stores something.
 * Statements that newly run on a condition, and defaults that are changed and thrown away.
 */
import { memberPath, parseSource, type SyntaxNode, walk } from '../source/syntax.ts';
import { addsWhatIsMissing, bare, has, isChange, nameOf, part, type Write } from './changes.ts';
import type { ChangedFile } from './hiding.ts';
import { isLost } from './thrown-away.ts';

/** What newly may not be done, or be done to nothing; each leaves open whether that is right. */
export function leftOut(files: readonly ChangedFile[]): string[] {
  const found = files.flatMap(({ path, before, after }) => {
    const old = notesIn(path, before).map(({ key }) => key);
    return notesIn(path, after).flatMap(({ key, says }) => {
      const at = old.indexOf(key);
      if (at >= 0) old.splice(at, 1);
      return at < 0 ? [`${path} ${says}`] : [];
    });
  });
  const changes = (side: 'before' | 'after') =>
    files.reduce((sum, file) => sum + changesIn(file.path, file[side]), 0);
  return changes('after') < changes('before') ? [...found, drops] : found;
}

interface Note {
  /** Two versions of a file have the same work left out where this is the same. */
  key: string;
  says: string;
}

const skips = 'leaves work out where it failed before; nothing shows whether that is right';
const drops = 'changes less in memory than before; nothing shows whether that is right';
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

/** How often a program changes something that it holds. */
function changesIn(path: string, text: string | null): number {
  const parsed = parseSource(path, text ?? '');
  let count = 0;
  if (parsed.kind === 'unreadable') return count;
  walk(parsed.program, (node) => {
    if (isChange(node)) count++;
  });
  return count;
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

function unchained(text: string): string {
  return text.replace(/\?\.(?=[[(])/g, '').replace(/\?\./g, '.');
}

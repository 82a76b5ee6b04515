/** A database refused what the caller sent in place of a number or a UUID: ask before asking it. */
import type { Trace } from '../../domain/failure.ts';
import type { SyntaxNode } from '../../source/syntax.ts';
import { type Draft, ifText, insertBefore } from '../draft.ts';
import { exitsFor, responseAt } from '../exits.ts';
import { originAt } from '../origin.ts';
import { guardPlace, namesIn } from '../place.ts';
import type { Frame } from '../site.ts';
import {
  child,
  findAll,
  isPath,
  list,
  nameOf,
  rootOf,
  type Tree,
  textOf,
  unwrap,
} from '../tree.ts';

/** Messages of PostgreSQL (src/backend/utils/adt) and of MySQL for a number that is none. */
const messages: readonly { pattern: RegExp; what: 'integer' | 'uuid' }[] = [
  { pattern: /^invalid input syntax for type (?:integer|bigint|smallint)\b/, what: 'integer' },
  { pattern: /^value "[^"]*" is out of range for type (?:integer|bigint)/, what: 'integer' },
  { pattern: /^Unknown column 'NaN' in 'where clause'/, what: 'integer' },
  { pattern: /^invalid input syntax for type uuid\b/, what: 'uuid' },
];

/** Whether the trace is a database's refusal of a value's form. */
export function isBadNumber(trace: Trace): boolean {
  return messages.some(({ pattern }) => pattern.test(trace.message));
}

/** A guard in the innermost function that has a request to refuse. */
export function badNumber(trace: Trace, frames: readonly Frame[]): Draft[] {
  const what = messages.find(({ pattern }) => pattern.test(trace.message))?.what;
  if (what === undefined) return [];
  for (const frame of frames) {
    const { tree } = frame;
    const call = callAt(frame);
    if (call === null || responseAt(tree, call) === null) continue;
    for (const given of list(call, 'arguments').flatMap((argument) => valuesIn(argument))) {
      if (originAt({ frames, tree, node: given }).kind !== 'request') continue;
      const drafts = guards(tree, { call, given, what });
      if (drafts.length > 0) return drafts;
    }
  }
  return [];
}

function guards(
  tree: Tree,
  { call, given, what }: { call: SyntaxNode; given: SyntaxNode; what: 'integer' | 'uuid' },
): Draft[] {
  const inner = argumentOf(given);
  const root = rootOf(inner);
  const place = root === null ? null : guardPlace(tree, call, namesIn(textOf(tree, inner)));
  if (place?.kind !== 'before') return [];
  const text = textOf(tree, inner);
  const test =
    what === 'uuid'
      ? `!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(${text})`
      : `!Number.isInteger(${inner === given && isNumber(tree, given) ? text : `Number(${text})`})`;
  const kind = what === 'uuid' ? 'a UUID' : 'an integer';
  const message = `${nameOf(inner) ?? 'id'} must be ${kind}`;
  return exitsFor(tree, call, { status: 400, message }).map((exit, index) => ({
    template: 'early-exit',
    tree,
    changes: [insertBefore(tree, place.statement, ifText(tree, { test, ...exit }))],
    explanation: `Answers ${exit.status} when \`${text}\` is not ${kind}.`,
    score: 10 + 12 * index,
  }));
}

/** `X` of `Number(X)`, `parseInt(X, 10)` and `+X`; else the expression itself. */
function argumentOf(node: SyntaxNode): SyntaxNode {
  const inner = unwrap(node);
  if (inner.type === 'UnaryExpression') return child(inner, 'argument') as SyntaxNode;
  return inner.type === 'CallExpression' ? (list(inner, 'arguments')[0] ?? inner) : inner;
}

/** Conversions and plain paths inside an argument (also of an array or an object). */
function valuesIn(argument: SyntaxNode): SyntaxNode[] {
  return findAll(argument, (node) => {
    if (node.type === 'UnaryExpression') return node.operator === '+';
    if (node.type === 'CallExpression') {
      const name = nameOf(child(node, 'callee')) ?? '';
      return /^(?:Number|parseInt|parseFloat)$/.test(name) && isPath(argumentOf(node));
    }
    return (node.type === 'MemberExpression' || node.type === 'Identifier') && isPath(node);
  });
}

/** Whether a name was made by a conversion: `const id = Number(req.params.id)`. */
function isNumber(tree: Tree, node: SyntaxNode): boolean {
  const name = nameOf(node);
  const made = findAll(tree.program, (n) => n.type === 'VariableDeclarator').filter(
    (declarator) => nameOf(child(declarator, 'id')) === name,
  );
  return made.some((declarator) => {
    const init = child(declarator, 'init');
    return init !== undefined && /^(?:Number|parseInt|\+)/.test(textOf(tree, init));
  });
}

/** The outermost call that begins at the place where a frame stands. */
function callAt({ tree, offset }: Frame): SyntaxNode | null {
  const calls = findAll(tree.program, (node) => {
    if (node.type !== 'CallExpression') return false;
    return node.start <= offset && offset <= (child(node, 'callee') as SyntaxNode).end;
  });
  return calls.at(-1) ?? null;
}

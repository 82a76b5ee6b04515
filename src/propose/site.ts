/** Where in the source an exception comes from: the exact expression, and the calls to it. */
import type { StackLine, Trace } from '../domain/failure.ts';
import type { SyntaxNode } from '../source/syntax.ts';
import { type Fault, faultOf, innermost } from './fault.ts';
import {
  child,
  findAll,
  functionAt,
  lineOf,
  list,
  nameOf,
  offsetOf,
  propertyName,
  type Tree,
  textOf,
  unwrap,
} from './tree.ts';

/** An in-app stack line with its file. */
export interface Frame {
  tree: Tree;
  line: StackLine;
  offset: number;
  /** The function that was running (or the program). */
  running: SyntaxNode;
}

export interface Site {
  trace: Trace;
  fault: Fault;
  /** In-app stack lines that could be read, innermost first; at least one. */
  frames: Frame[];
  /** What failed: the member access, the call, the pattern, the loop. */
  access: SyntaxNode;
  /** The expression whose value was not what the access needs. */
  culprit: SyntaxNode;
}

/** Reads files of the repository at the release's commit; null when absent or no script. */
export type ReadTree = (path: string) => Promise<Tree | null>;

/** The in-app stack lines of a trace that can be found in the repository. */
export async function framesOf(trace: Trace, read: ReadTree): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (const line of trace.lines.filter((l) => l.inApp && l.line > 0)) {
    const tree = await read(line.file);
    if (tree === null) continue;
    const offset = offsetOf(tree, line);
    frames.push({ tree, line, offset, running: functionAt(tree, offset) });
  }
  return frames;
}

/** Null when the place cannot be told for certain: templates have nothing to say then. */
export async function siteOf(trace: Trace, read: ReadTree): Promise<Site | null> {
  const inner = innermost(trace);
  const frames = await framesOf(inner, read);
  const first = frames[0];
  // Were the innermost line in a file that cannot be read, a caller would take the blame.
  if (first === undefined || first.line !== inner.lines.find((line) => line.inApp)) return null;
  const fault = faultOf(inner);
  const top = inner.lines.findIndex((line) => line.inApp);
  const builtIn = fault.kind === 'refused-argument' || fault.kind === 'nullish-argument';
  const tolerated = builtIn || ['invalid-date', 'answered-twice'].includes(fault.kind);
  if (top > 0 && !tolerated) return null;
  const found =
    nearest(first, candidatesOf(fault, first.tree)) ??
    exactlyAt(first, candidatesOf(renamed(fault), first.tree));
  if (found === null) return null;
  return { trace: inner, fault, frames, ...found };
}

interface Candidate {
  access: SyntaxNode;
  culprit: SyntaxNode;
  /** Where V8 points for this form. */
  at: number;
  /** The key is an expression, so that the message may mean another access: a second choice. */
  vague?: boolean;
}

/** A bundler gives other names to variables: the message then quotes what the source never says. */
function renamed(fault: Fault): Fault {
  if (fault.kind === 'not-iterable') return { ...fault, expression: null };
  if (fault.kind !== 'not-callable') return { kind: 'other' };
  const member = fault.expression.includes('.') ? `.${lastName(fault.expression)}` : '';
  return { ...fault, expression: `(intermediate value)${member}` };
}

/** Every place of a file where the fault could have been raised. */
function candidatesOf(fault: Fault, tree: Tree): Candidate[] {
  switch (fault.kind) {
    case 'nullish-read':
    case 'nullish-write':
      return reads(tree, fault.property);
    case 'nullish-pattern':
      return patterns(tree, fault.property);
    case 'not-callable':
      return calls(tree, (text) => sameText(text, fault.expression));
    case 'not-iterable':
      return iterations(tree, fault.expression);
    case 'nullish-argument':
      return [...argumentsOf(tree, () => true), ...ins(tree)];
    case 'not-defined':
      return findAll(tree.program, (n) => n.type === 'Identifier' && n.name === fault.name).map(
        (node) => ({ access: node, culprit: node, at: node.start }),
      );
    case 'refused-argument':
      return argumentsOf(tree, (text) => lastName(text) === lastName(fault.callee ?? ''));
    case 'invalid-date':
      return [
        ...calls(tree, (text) => /\.(?:toISOString|toJSON)$/.test(text)),
        ...argumentsOf(tree, (text) => /\.format$/.test(text)),
      ];
    default:
      return [];
  }
}

function reads(tree: Tree, property: string | null): Candidate[] {
  const members = findAll(tree.program, (node) => node.type === 'MemberExpression').filter(
    (node) => {
      if (node.optional === true) return false;
      const name = propertyName(node);
      return name === null || property === null || name === property;
    },
  );
  const inPatterns = findAll(tree.program, (node) => node.type === 'ObjectPattern').flatMap(
    (pattern) =>
      list(pattern, 'properties')
        .filter((entry) => nameOf(child(entry, 'key')) === property)
        .map((entry) => ({ access: entry, culprit: pattern, at: entry.start })),
  );
  return [
    ...members.map((node) => ({
      access: node,
      culprit: child(node, 'object') as SyntaxNode,
      at: readAt(tree, node),
      vague: propertyName(node) === null,
    })),
    ...inPatterns.filter(({ culprit }) => tree.parents.get(culprit)?.type === 'Property'),
  ];
}

/** V8 points at the access's own step, but at that of its object in `a[k].n += 1` and `a.b.n++`. */
function readAt(tree: Tree, member: SyntaxNode): number {
  const parent = tree.parents.get(member);
  const updates =
    parent?.type === 'UpdateExpression' ||
    (parent?.type === 'AssignmentExpression' &&
      parent.operator !== '=' &&
      child(parent, 'left') === member);
  if (!updates) return stepOf(tree, member);
  if (propertyName(member) === null) return (child(member, 'property') as SyntaxNode).start;
  return stepOf(tree, child(member, 'object') as SyntaxNode);
}

/** `c` of `a.b.c` and of `a.b.c()`, the bracket of `a[k]`, the start of a name. */
function stepOf(tree: Tree, node: SyntaxNode): number {
  const inner = unwrap(node);
  if (inner.type === 'CallExpression') return stepOf(tree, child(inner, 'callee') as SyntaxNode);
  if (inner.type !== 'MemberExpression') return inner.start;
  const { start } = child(inner, 'property') as SyntaxNode;
  return inner.computed === true ? tree.text.lastIndexOf('[', start - 1) : start;
}

/** `const { p } = x`, `({ p } = x)`, and `function f({ p })`, which is its own culprit. */
function patterns(tree: Tree, property: string | null): Candidate[] {
  return findAll(tree.program, (node) => node.type === 'ObjectPattern')
    .filter((pattern) => {
      const names = list(pattern, 'properties').map((entry) => nameOf(child(entry, 'key')));
      return property === null || names.includes(property);
    })
    .map((pattern) => {
      const parent = tree.parents.get(pattern);
      const source = parent === undefined ? undefined : (child(parent, 'init') ?? right(parent));
      return { access: pattern, culprit: source ?? pattern, at: pattern.start };
    });
}

function right(parent: SyntaxNode): SyntaxNode | undefined {
  return parent.type === 'AssignmentExpression' ? child(parent, 'right') : undefined;
}

function calls(tree: Tree, matches: (calleeText: string) => boolean): Candidate[] {
  return findAll(tree.program, (n) => n.type === 'CallExpression' || n.type === 'NewExpression')
    .map((node) => ({ node, callee: unwrap(child(node, 'callee') as SyntaxNode) }))
    .filter(({ callee }) => matches(textOf(tree, callee)))
    .map(({ node, callee }) => {
      const member = callee.type === 'MemberExpression';
      const culprit = member ? (child(callee, 'object') as SyntaxNode) : callee;
      const at = member ? (child(callee, 'property') as SyntaxNode).start : callee.start;
      return { access: node, culprit, at };
    });
}

function iterations(tree: Tree, expression: string | null): Candidate[] {
  const found: Candidate[] = [];
  const add = (access: SyntaxNode, culprit: SyntaxNode | undefined) => {
    if (culprit === undefined) return;
    if (expression !== null && !sameText(textOf(tree, culprit), expression)) return;
    const inner = unwrap(culprit);
    const at = (inner.type === 'MemberExpression' && child(inner, 'property')) || culprit;
    found.push({ access, culprit, at: at.start });
  };
  for (const node of findAll(tree.program, () => true)) {
    if (node.type === 'ForOfStatement') add(node, child(node, 'right'));
    if (node.type === 'SpreadElement') add(node, child(node, 'argument'));
    if (node.type === 'ArrayPattern') {
      const parent = tree.parents.get(node);
      if (parent !== undefined) add(node, child(parent, 'init') ?? right(parent));
    }
    if (
      node.type === 'NewExpression' &&
      /^(?:Set|Map)$/.test(nameOf(child(node, 'callee')) ?? '')
    ) {
      add(node, list(node, 'arguments')[0]);
    }
    const callee = node.type === 'CallExpression' ? textOf(tree, child(node, 'callee')!) : '';
    if (/^(?:Promise\.\w+|Object\.fromEntries|Array\.from)$/.test(callee)) {
      add(node, list(node, 'arguments')[0]);
    }
  }
  return found;
}

function argumentsOf(tree: Tree, matches: (calleeText: string) => boolean): Candidate[] {
  return findAll(tree.program, (n) => n.type === 'CallExpression' || n.type === 'NewExpression')
    .filter((node) => matches(textOf(tree, child(node, 'callee') as SyntaxNode)))
    .filter((node) => list(node, 'arguments').length > 0)
    .map((node) => {
      const callee = unwrap(child(node, 'callee') as SyntaxNode);
      const property = callee.type === 'MemberExpression' ? child(callee, 'property') : undefined;
      const culprit = list(node, 'arguments')[0] as SyntaxNode;
      return { access: node, culprit, at: (property ?? node).start };
    });
}

function ins(tree: Tree): Candidate[] {
  return findAll(tree.program, (n) => n.type === 'BinaryExpression' && n.operator === 'in').map(
    (node) => {
      const culprit = child(node, 'right') as SyntaxNode;
      return { access: node, culprit, at: culprit.start };
    },
  );
}

/** How many lines a mapped stack line may be off before the place counts as unknown. */
const linesOffMax = 2;

/** Within a line, an access that the message names goes before one that it may mean. */
const vaguePenalty = 5000;

/** The candidate that V8's line and column point at; source maps may be off by a little. */
function nearest(frame: Frame, candidates: Candidate[]): Omit<Candidate, 'at'> | null {
  const known = frame.line.column > 0;
  const scored = candidates
    .map((candidate) => {
      const { access, at } = candidate;
      const away = Math.abs(at - frame.offset);
      const inside = access.start <= frame.offset && frame.offset <= access.end;
      const lines = Math.abs(lineOf(frame.tree, at) - frame.line.line);
      const off = lines * 10_000 + away + (candidate.vague ? vaguePenalty : 0);
      const score = known && away === 0 ? (candidate.vague ? -1 : -2) : off - (inside ? 0.5 : 0);
      return { candidate, score, lines };
    })
    .filter(({ lines }) => lines <= linesOffMax)
    .sort((a, b) => a.score - b.score);
  const best = scored[0]?.candidate;
  return best === undefined ? null : { access: best.access, culprit: best.culprit };
}

/** Only what V8's column names exactly, for candidates that say little by themselves. */
function exactlyAt(frame: Frame, candidates: Candidate[]): Omit<Candidate, 'at'> | null {
  if (frame.line.column === 0) return null;
  const there = candidates.filter(({ at }) => at === frame.offset);
  const [only] = there;
  return only === undefined || there.length > 1
    ? null
    : { access: only.access, culprit: only.culprit };
}

/** Equal but for white space; V8 prints `(intermediate value)` for what it does not print. */
function sameText(source: string, printed: string): boolean {
  const bare = (text: string) => text.replace(/\s+|\?(?=\.)|!(?=\.)/g, '');
  const parts = bare(printed).split(/\(intermediatevalue\)|\(\.\.\.\)/);
  if (parts.length === 1) return bare(source) === parts[0];
  return bare(source).endsWith(parts.at(-1) ?? '');
}

function lastName(text: string): string {
  return text.split('.').at(-1) ?? '';
}

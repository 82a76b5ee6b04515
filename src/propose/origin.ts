/** Where the value that failed comes from: out of the request, a search, or a field of a record. */
import type { SyntaxNode } from '../source/syntax.ts';
import { bindingOf } from './scope.ts';
import type { Frame, Site } from './site.ts';
import {
  child,
  findAll,
  functionsAround,
  isPath,
  list,
  nameOf,
  propertyName,
  rootOf,
  type Tree,
  textOf,
  unwrap,
} from './tree.ts';

export type Origin =
  /** What the caller sent: a refusal is an honest answer. `part` as in `req.query`. */
  | { kind: 'request'; part: string | null }
  /** The whole result of looking something up: it was not found. */
  | { kind: 'lookup' }
  /** A part of something that was there. */
  | { kind: 'field' }
  | { kind: 'unknown' };

/** The same value as it is called in the failing function, in its caller, and so on. */
export interface Level {
  tree: Tree;
  /** The failing access, or the call that led there. */
  at: SyntaxNode;
  /** Source text of the value here. */
  path: string;
  depth: number;
}

const depthMax = 8;
const requestNames = /^(?:req|request|ctx|context|c|event)$/;
const requestParts =
  /^(?:body|query|params|headers|cookies|rawBody|url|files?|param|header|user|session|auth)$/;
const searches =
  /^(?:(?:find|get|load|fetch|lookup|query|select)\w*|match|exec|pop|shift|at|first|one\w*)$/;

export function originOf(site: Site): Origin {
  const frame = site.frames[0] as Frame;
  return originAt({ frames: site.frames, tree: frame.tree, node: site.culprit });
}

/** The origin of any expression of a file on the stack. */
export function originAt(place: {
  frames: readonly Frame[];
  tree: Tree;
  node: SyntaxNode;
}): Origin {
  return trace({ ...place, depth: 0 });
}

/** Names of the value outwards, as long as it can be named without evaluating anything twice. */
export function levelsOf(site: Site): Level[] {
  return isPath(site.culprit) ? levelsFrom(site, site.culprit) : [];
}

/** The same for any path in the failing function; `inside` tells what a wrapper was made from. */
export function levelsFrom(
  site: Site,
  path: SyntaxNode,
  inside: (given: SyntaxNode) => SyntaxNode = (given) => given,
): Level[] {
  const levels: Level[] = [];
  let { tree } = site.frames[0] as Frame;
  let at = site.access;
  let expression = path;
  let suffix = '';
  for (let depth = 0; depth < depthMax; depth++) {
    levels.push({ tree, at, path: bare(textOf(tree, expression)) + suffix, depth });
    const next = outwards({ frames: site.frames, tree, expression, inside });
    if (next === null) {
      const keyed = suffix === '' ? withGivenKey({ frames: site.frames, tree, expression }) : null;
      if (keyed !== null) levels.push({ ...keyed, depth: depth + 1 });
      break;
    }
    suffix = next.suffix + suffix;
    ({ tree, at, expression } = next);
  }
  return levels;
}

interface Step {
  frames: readonly Frame[];
  tree: Tree;
  node: SyntaxNode;
  depth: number;
}

function trace({ frames, tree, node, depth }: Step): Origin {
  const on = (next: SyntaxNode, where = tree): Origin =>
    trace({ frames, tree: where, node: next, depth: depth + 1 });
  if (depth > 12) return { kind: 'unknown' };
  const inner = unwrap(node);
  if (inner.type === 'LogicalExpression') return on(child(inner, 'left') as SyntaxNode);
  if (inner.type === 'CallExpression') return traceCall(inner, tree, on);
  if (inner.type === 'NewExpression' && nameOf(child(inner, 'callee')) === 'Date') {
    const made = list(inner, 'arguments')[0];
    return made === undefined ? { kind: 'unknown' } : on(made);
  }
  if (inner.type === 'MemberExpression') {
    const name = propertyName(inner);
    return memberOf(on(child(inner, 'object') as SyntaxNode), name);
  }
  if (inner.type === 'TemplateLiteral' && list(inner, 'expressions').length === 1) {
    return on(list(inner, 'expressions')[0] as SyntaxNode);
  }
  if (inner.type !== 'Identifier') return { kind: 'unknown' };
  const binding = bindingOf(tree, inner, inner.name as string);
  if (binding === null || binding.kind === 'other') return { kind: 'unknown' };
  if (binding.kind === 'element') return elementOf(on(binding.source));
  if (binding.kind === 'variable') {
    if (binding.init === null) return { kind: 'unknown' };
    const whole = on(binding.init);
    return binding.key === null ? whole : memberOf(whole, binding.key);
  }
  const call = callOf(frames, tree, binding.fn);
  const argument = call === null ? undefined : list(call.call, 'arguments')[binding.index];
  const opaque = binding.key === null || argument?.type !== 'ObjectExpression';
  const value = opaque ? null : argumentFor(argument, binding.key as string);
  if (call !== null && value !== null && value !== undefined) return on(value, call.tree);
  if (call !== null && argument !== undefined) {
    const whole = on(argument, call.tree);
    if (whole.kind !== 'unknown') return binding.key ? memberOf(whole, binding.key) : whole;
  }
  const name = nameOf(binding.node);
  if (name === 'event') return { kind: 'request', part: 'body' };
  if (name !== null && requestNames.test(name)) return { kind: 'request', part: null };
  if (binding.key !== null && requestParts.test(binding.key)) {
    return { kind: 'request', part: binding.key };
  }
  return binding.key === null ? { kind: 'unknown' } : { kind: 'field' };
}

function traceCall(call: SyntaxNode, tree: Tree, on: (node: SyntaxNode) => Origin): Origin {
  const callee = unwrap(child(call, 'callee') as SyntaxNode);
  const text = textOf(tree, callee);
  const argument = list(call, 'arguments')[0];
  if (text === 'JSON.parse')
    return receives(tree, call) ? { kind: 'request', part: 'body' } : from();
  if (/^(?:String|Number|parseInt|parseFloat|decodeURIComponent)$/.test(text)) return from();
  const name = nameOf(callee) ?? '';
  if (callee.type === 'MemberExpression') {
    const receiver = on(child(callee, 'object') as SyntaxNode);
    if (receiver.kind === 'request') {
      return {
        kind: 'request',
        part: name === 'json' || name === 'text' ? 'body' : (receiver.part ?? name),
      };
    }
  }
  return searches.test(name) ? { kind: 'lookup' } : { kind: 'unknown' };

  function from(): Origin {
    return argument === undefined ? { kind: 'unknown' } : on(argument);
  }
}

/** Whether a place is inside a function that is given a request. */
function receives(tree: Tree, node: SyntaxNode): boolean {
  return functionsAround(tree, node).some((fn) =>
    list(fn, 'params').some((param) => requestNames.test(nameOf(param) ?? '')),
  );
}

function memberOf(whole: Origin, name: string | null): Origin {
  if (whole.kind === 'request') {
    if (whole.part !== null || name === null || /^(?:req|request)$/.test(name)) return whole;
    // What middleware puts on the request (`req.order`) did not come from the caller.
    return requestParts.test(name) ? { kind: 'request', part: name } : { kind: 'field' };
  }
  if (name === null) return { kind: 'lookup' };
  if (/^\d+$|^rows$|^data$/.test(name) && whole.kind !== 'field') return { kind: 'lookup' };
  return { kind: 'field' };
}

function elementOf(whole: Origin): Origin {
  return whole.kind === 'request' ? whole : { kind: 'field' };
}

interface Call {
  tree: Tree;
  call: SyntaxNode;
}

/** The call that led into a function: told by the stack, or the only one in its file. */
function callOf(frames: readonly Frame[], tree: Tree, fn: SyntaxNode): Call | null {
  const index = frames.findIndex((frame) => frame.tree === tree && frame.running === fn);
  const caller = index < 0 ? undefined : frames[index + 1];
  if (caller !== undefined) {
    const calls = findAll(caller.tree.program, (node) => {
      if (node.type !== 'CallExpression' && node.type !== 'NewExpression') return false;
      const callee = child(node, 'callee') as SyntaxNode;
      return node.start <= caller.offset && caller.offset <= callee.end;
    });
    const innermostCall = calls.at(-1);
    if (innermostCall !== undefined) return { tree: caller.tree, call: innermostCall };
  }
  const name = nameOf(child(fn, 'id')) ?? nameOf(child(tree.parents.get(fn) ?? fn, 'id'));
  if (name === null) return null;
  const byName = findAll(
    tree.program,
    (node) => node.type === 'CallExpression' && nameOf(child(node, 'callee')) === name,
  );
  return byName.length === 1 ? { tree, call: byName[0] as SyntaxNode } : null;
}

interface Outer {
  tree: Tree;
  at: SyntaxNode;
  expression: SyntaxNode;
  suffix: string;
}

/** One step from a name to what it was given from: an argument, or the value of a constant. */
function outwards(options: {
  frames: readonly Frame[];
  tree: Tree;
  expression: SyntaxNode;
  inside: (given: SyntaxNode) => SyntaxNode;
}): Outer | null {
  const { frames, tree, expression, inside } = options;
  const root = rootOf(expression);
  if (root === null) return null;
  const rest = bare(tree.text.slice(root.end, expression.end));
  const binding = bindingOf(tree, root, root.name as string);
  const key = binding !== null && 'key' in binding && binding.key ? `.${binding.key}` : '';
  if (!/^(?:\.[\w$]+)?$/.test(key) || /^\.\d/.test(key)) return null;
  if (binding?.kind === 'variable' && binding.init !== null && isPath(binding.init)) {
    const at = binding.declarator;
    return { tree, at, expression: unwrap(binding.init), suffix: key + rest };
  }
  // A key that is a name of this function says something else in its caller.
  if (binding?.kind !== 'parameter' || /\[[^\d'"]/.test(rest)) return null;
  const call = callOf(frames, tree, binding.fn);
  const argument = call === null ? undefined : list(call.call, 'arguments')[binding.index];
  if (call === null || argument === undefined) return null;
  const found = key === '' ? argument : argumentFor(argument, key.slice(1));
  const given = found === null ? null : inside(found);
  if (given === null || !isPath(given)) return null;
  const suffix = given === argument ? key + rest : rest;
  return { tree: call.tree, at: call.call, expression: unwrap(given), suffix };
}

/** `votes[req.body.isbn]` in the caller of `function bump(isbn) { votes[isbn].count++; }`. */
function withGivenKey(options: {
  frames: readonly Frame[];
  tree: Tree;
  expression: SyntaxNode;
}): Omit<Level, 'depth'> | null {
  const { frames, tree, expression } = options;
  const key = child(expression, 'property');
  const root = rootOf(expression);
  if (expression.computed !== true || key?.type !== 'Identifier' || root === null) return null;
  const binding = bindingOf(tree, key, key.name as string);
  if (binding?.kind !== 'parameter' || binding.key !== null) return null;
  const call = callOf(frames, tree, binding.fn);
  const given = call === null ? undefined : list(call.call, 'arguments')[binding.index];
  if (call?.tree.path !== tree.path || given === undefined || !isPath(given)) return null;
  const here = bindingOf(tree, root, root.name as string);
  const there = bindingOf(call.tree, call.call, root.name as string);
  const same = here?.kind === 'variable' && there?.kind === 'variable';
  if (!same || here.declarator.start !== there.declarator.start) return null;
  const owner = tree.text.slice(expression.start, key.start);
  const path = `${owner}${textOf(call.tree, given)}${tree.text.slice(key.end, expression.end)}`;
  return { tree: call.tree, at: call.call, path: bare(path) };
}

/** The value of `key` where an object is written out at the call, else the argument itself. */
function argumentFor(argument: SyntaxNode, key: string): SyntaxNode | null {
  if (argument.type !== 'ObjectExpression') return argument;
  const property = list(argument, 'properties').find((p) => nameOf(child(p, 'key')) === key);
  return property === undefined ? null : (child(property, 'value') ?? null);
}

/** Without `!` and without line breaks inside. */
function bare(text: string): string {
  return text.replace(/!(?=[.[]|$)/g, '').replace(/\s+(?=[.?[])/g, '');
}

/** How this code base refuses a request, learnt from where it already does, and said again. */
import { isFunction, type SyntaxNode } from '../source/syntax.ts';
import { bindingOf, freeNames, isVisible } from './scope.ts';
import {
  ancestorsOf,
  child,
  findAll,
  functionsAround,
  indentAt,
  list,
  nameOf,
  type Tree,
  textOf,
} from './tree.ts';

/** A refusal with a status that is wanted at a place. */
export interface Wanted {
  status: number;
  message: string;
}

/** The statements of a refusal, without braces, first line unindented. */
export interface Exit {
  statements: string;
  /** Where it was learnt; null when it is what the framework's manual says. */
  learntAt: { path: string; offset: number } | null;
  status: number;
  /** Whether the example does without braces: `if (x) return ...;` */
  brief: boolean;
}

const responseNames = /^(?:res|resp|response|reply|rep|ctx|context|c)$/;
const statusNames = new Map([
  ['BAD_REQUEST', 400],
  ['UNAUTHORIZED', 401],
  ['NOT_FOUND', 404],
  ['CONFLICT', 409],
  ['UNPROCESSABLE_ENTITY', 422],
]);
const errorNames: readonly [RegExp, number][] = [
  [/not_?found/i, 404],
  [/bad_?request|validation|invalid_?(?:input|argument)/i, 400],
  [/unauthori[sz]ed/i, 401],
  [/conflict/i, 409],
  [/unprocessable/i, 422],
];
const headerCalls = /^(?:writeHead|set|setHeader|header|type|get|is|accepts)$/;
const messageKeys = /^(?:error|message|msg|detail|title|reason|description|err)$/;

/** The response parameter that code at a place can answer with; null when there is none. */
export function responseAt(tree: Tree, at: SyntaxNode): string | null {
  for (const fn of functionsAround(tree, at)) {
    for (const param of list(fn, 'params')) {
      const name = nameOf(param);
      if (name !== null && responseNames.test(name)) return name;
    }
  }
  return null;
}

/** Refusals that fit a place: the nearest example, then what the framework's manual shows. */
export function exitsFor(tree: Tree, at: SyntaxNode, wanted: Wanted): Exit[] {
  const own = functionsAround(tree, at);
  const learnt = examplesIn(tree)
    .filter((example) => !contains(example, at))
    .map((example) => ({ example, exit: rewritten(tree, { example, at, wanted }) }))
    .filter((found): found is { example: SyntaxNode; exit: Exit } => found.exit !== null)
    .map(({ example, exit }) => {
      const sameFunction = functionsAround(tree, example)[0] === own[0] ? 0 : 2;
      const sameStatus = statusOf(tree, example) === wanted.status ? 0 : 1;
      return { exit, rank: sameFunction + sameStatus };
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ exit }) => exit);
  const manual = manualExit(tree, at, wanted);
  const all = manual === null ? learnt.slice(0, 1) : [...learnt.slice(0, 1), manual];
  return all.filter((e, i) => all.findIndex((o) => o.statements === e.statements) === i);
}

/** Consequents of `if` and catch bodies that answer 4xx, or throw what stands for it. */
export function examplesIn(tree: Tree): SyntaxNode[] {
  return findAll(tree.program, (node) => node.type === 'IfStatement' || node.type === 'CatchClause')
    .map((node) => child(node, node.type === 'IfStatement' ? 'consequent' : 'body'))
    .filter((body): body is SyntaxNode => body !== undefined)
    .filter((body) => leaves(body) && statusOf(tree, body) !== null);
}

/** Whether control never goes past a statement. */
export function leaves(node: SyntaxNode | undefined): boolean {
  if (node === undefined) return false;
  if (node.type === 'BlockStatement') return leaves(list(node, 'body').at(-1));
  return /^(?:Return|Throw|Continue|Break)Statement$/.test(node.type);
}

/** The 4xx status that a piece of code names, by number or by name. */
export function statusOf(tree: Tree, node: SyntaxNode): number | null {
  for (const literal of findAll(node, (n) => n.type === 'Literal')) {
    const value = literal.value;
    if (typeof value === 'number' && value >= 400 && value < 500) return value;
  }
  for (const member of findAll(node, (n) => n.type === 'MemberExpression')) {
    const status = statusNames.get(nameOf(member) ?? '');
    if (status !== undefined) return status;
  }
  for (const call of findAll(
    node,
    (n) => n.type === 'NewExpression' || n.type === 'CallExpression',
  )) {
    const callee = textOf(tree, child(call, 'callee') as SyntaxNode);
    const named = errorNames.find(([pattern]) => pattern.test(callee));
    if (named !== undefined) return named[1];
  }
  return null;
}

interface Rewriting {
  example: SyntaxNode;
  at: SyntaxNode;
  wanted: Wanted;
}

/** The example said again with another status and message; null where names do not carry over. */
function rewritten(tree: Tree, { example, at, wanted }: Rewriting): Exit | null {
  const changes: { start: number; end: number; text: string }[] = [];
  const statements = example.type === 'BlockStatement' ? list(example, 'body') : [example];
  const first = statements[0];
  const last = statements.at(-1);
  if (first === undefined || last === undefined || statements.length > 3) return null;
  if (!setStatus(tree, example, wanted, changes)) return null;
  const messages = messagesIn(tree, example);
  for (const node of messages) {
    const text = quoted(wanted.message, textOf(tree, node)[0] === '"' ? '"' : tree.style.quote);
    changes.push({ start: node.start, end: node.end, text });
  }
  const inMessage = (node: SyntaxNode) =>
    messages.some((m) => m.start <= node.start && node.end <= m.end);
  for (const name of freeNames(tree, example)) {
    const uses = findAll(example, (n) => n.type === 'Identifier' && n.name === name);
    const outside = uses.filter((use) => !inMessage(use));
    if (outside.length === 0) continue;
    const carried = carryOver(tree, { name, from: example, to: at });
    if (carried === null) return null;
    for (const use of outside) {
      if (carried !== name) changes.push({ start: use.start, end: use.end, text: carried });
    }
  }
  const { start } = first;
  let text = tree.text.slice(start, last.end);
  for (const change of changes.sort((a, b) => b.start - a.start)) {
    text = text.slice(0, change.start - start) + change.text + text.slice(change.end - start);
  }
  const learntAt = { path: tree.path, offset: start };
  const brief = example.type !== 'BlockStatement';
  const said = outdent(text, indentAt(tree, start));
  return { statements: said, learntAt, status: wanted.status, brief };
}

/** Puts the wanted status in the place of the example's; false when the example cannot say it. */
function setStatus(
  tree: Tree,
  example: SyntaxNode,
  wanted: Wanted,
  changes: { start: number; end: number; text: string }[],
): boolean {
  if (statusOf(tree, example) === wanted.status) return true;
  const literals = findAll(example, (n) => n.type === 'Literal' && typeof n.value === 'number');
  const numbers = literals.filter((n) => (n.value as number) >= 400 && (n.value as number) < 500);
  for (const { start, end } of numbers) changes.push({ start, end, text: String(wanted.status) });
  if (numbers.length > 0) return true;
  const name = [...statusNames].find(([, status]) => status === wanted.status)?.[0];
  const members = findAll(example, (n) => n.type === 'MemberExpression').filter(
    (n) => statusNames.get(nameOf(n) ?? '') !== undefined,
  );
  for (const member of name === undefined ? [] : members) {
    const property = child(member, 'property') as SyntaxNode;
    changes.push({ start: property.start, end: property.end, text: name as string });
  }
  return name !== undefined && members.length > 0;
}

/** String and template literals that are said to people. */
function messagesIn(tree: Tree, example: SyntaxNode): SyntaxNode[] {
  return findAll(example, (node) => {
    const string = node.type === 'Literal' && typeof node.value === 'string';
    if (!string && node.type !== 'TemplateLiteral') return false;
    const parent = tree.parents.get(node);
    if (parent?.type === 'Property') return messageKeys.test(nameOf(child(parent, 'key')) ?? '');
    if (parent?.type !== 'CallExpression' && parent?.type !== 'NewExpression') return false;
    const called = nameOf(child(parent, 'callee')) ?? '';
    return !headerCalls.test(called) && !/^[\w-]+\/[\w.+-]+/.test(String(node.value ?? ''));
  });
}

/** What a name of the example is called at the place: itself, or the handler's own parameter. */
function carryOver(
  tree: Tree,
  { name, from, to }: { name: string; from: SyntaxNode; to: SyntaxNode },
): string | null {
  const there = bindingOf(tree, from, name);
  const here = bindingOf(tree, to, name);
  if (there?.kind === 'parameter') {
    if (here?.kind === 'parameter') return name;
    return responseNames.test(name) ? responseAt(tree, to) : null;
  }
  if (there === null && here === null) return isVisible(tree, to, name) ? name : null;
  return same(there, here) && isVisible(tree, to, name) ? name : null;
}

function same(a: ReturnType<typeof bindingOf>, b: ReturnType<typeof bindingOf>): boolean {
  if (a === null || b === null || a.kind !== b.kind) return false;
  if (a.kind === 'other' && b.kind === 'other') return a.node === b.node;
  return a.kind === 'variable' && b.kind === 'variable' && a.declarator === b.declarator;
}

/** What each framework's manual shows, for code that never refuses anything. */
function manualExit(tree: Tree, at: SyntaxNode, wanted: Wanted): Exit | null {
  const res = responseAt(tree, at);
  if (res === null) return fetchExit(tree, at, wanted);
  const { semicolon: end, newline } = tree.style;
  const body = `{ ${errorKey(tree)}: ${quoted(wanted.message, tree.style.quote)} }`;
  const uses = (member: string) => new RegExp(`\\b${res}\\.${member}\\b`).test(tree.text);
  const json = quoted('application/json', tree.style.quote);
  const type = quoted('content-type', tree.style.quote);
  const { status } = wanted;
  let lines: string[] | null = null;
  if (/^(?:ctx|context)$/.test(res) && (uses('body') || uses('status'))) {
    lines = [`${res}.status = ${status}${end}`, `${res}.body = ${body}${end}`, `return${end}`];
  } else if (res === 'c') {
    lines = uses('json') ? [`return ${res}.json(${body}, ${status})${end}`] : null;
  } else if (uses('code') || /^(?:reply|rep)$/.test(res)) {
    lines = [`return ${res}.code(${status}).send(${body})${end}`];
  } else if (uses('writeHead') || uses('end') || uses('statusCode')) {
    lines = [
      `${res}.writeHead(${status}, { ${type}: ${json} })${end}`,
      `${res}.end(JSON.stringify(${body}))${end}`,
      `return${end}`,
    ];
  } else if (uses('json') || uses('send') || uses('status') || uses('render')) {
    lines = [`${res}.status(${status}).json(${body})${end}`, `return${end}`];
  }
  if (lines === null) return null;
  return { statements: lines.join(newline), learntAt: null, status, brief: false };
}

/** Handlers that return a `Response`: Next.js, Remix, Bun, workers. */
function fetchExit(tree: Tree, at: SyntaxNode, { status, message }: Wanted): Exit | null {
  const own = functionsAround(tree, at)[0];
  for (const name of ['NextResponse', 'Response']) {
    if (own === undefined || functionUsing(tree, at, name) !== own) continue;
    const body = `{ ${errorKey(tree)}: ${quoted(message, tree.style.quote)} }`;
    const statements = `return ${name}.json(${body}, { status: ${status} })${tree.style.semicolon}`;
    return { statements, learntAt: null, status, brief: false };
  }
  return null;
}

function errorKey(tree: Tree): string {
  const count = (key: string) => tree.text.split(new RegExp(`\\b${key}:\\s*['"\`]`)).length;
  return count('message') > count('error') ? 'message' : 'error';
}

function contains(outer: SyntaxNode, inner: SyntaxNode): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

function outdent(text: string, indent: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    .join('\n');
}

/** A string literal, escaped. */
export function quoted(text: string, quote: string): string {
  const escaped = text
    .replace(/\\/g, '\\\\')
    .replace(/\r?\n/g, ' ')
    .replaceAll(quote, `\\${quote}`);
  return `${quote}${escaped}${quote}`;
}

/** The nearest function around a place that itself uses a name. */
export function functionUsing(tree: Tree, at: SyntaxNode, name: string): SyntaxNode | null {
  const users = functionsAround(tree, at).filter((fn) => {
    const uses = findAll(fn, (n) => n.type === 'Identifier' && n.name === name);
    return uses.some((use) => ancestorsOf(tree, use).find(isFunction) === fn);
  });
  return users[0] ?? null;
}

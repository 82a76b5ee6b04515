/** Refuses before the failure, in the words in which this code base refuses elsewhere. */
import type { SyntaxNode } from '../../source/syntax.ts';
import {
  type Change,
  type Draft,
  filled,
  hole,
  ifText,
  indented,
  insertBefore,
  isCredential,
  type Scene,
} from '../draft.ts';
import { type Exit, exitsFor, statusOf } from '../exits.ts';
import { needOf } from '../need.ts';
import { guardPlace, namesIn, type Place, statementIn } from '../place.ts';
import { isVisible } from '../scope.ts';
import { child, functionsAround, indentAt, nameOf, type Tree, textOf, unwrap } from '../tree.ts';

const exitsMax = 2;
/** The code base's own form of a refusal goes before the manual's. */
const manualPenalty = 12;
/** The caller has been answered already: a refusal would take a success away. */
const answeredPenalty = 15;
/** How good an early exit is, by where the value comes from. */
const scores = { lookup: 10, request: 10, field: 50, unknown: 40 };
/** A query parameter is seldom required. */
const queryScore = 26;

export function earlyExit(scene: Scene): Draft[] {
  const taken = new Set<SyntaxNode | undefined>();
  return scene.levels.length === 0 ? extracted(scene) : scene.levels.flatMap(atLevel);

  function atLevel(level: Scene['levels'][number]): Draft[] {
    const { tree, at, path, depth } = level;
    const place = guardPlace(tree, at, namesIn(path));
    const test = testOf(scene, path);
    const fn = functionsAround(tree, at)[0];
    if (place === null || test === null || taken.has(fn)) return [];
    taken.add(fn);
    const wanted = { status: statusFor(scene, tree), message: messageOf(scene, path) };
    return exitsFor(tree, at, wanted)
      .slice(0, exitsMax)
      .map((exit, index) => ({
        template: 'early-exit',
        tree,
        changes: [guard(tree, place, { test, exit })],
        explanation: `Answers ${exit.status} when ${said(test)}, before it is needed.`,
        score: scoreOf(scene) + depth + manualPenalty * index,
      }));
  }
}

/** `const user = users.find(...)` first, when the failing value is not a mere name. */
function extracted(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const { culprit, access } = site;
  const { kind } = scene.origin;
  if (kind !== 'lookup' && kind !== 'request' && kind !== 'unknown') return [];
  if (!/^nullish-(?:read|write)$/.test(site.fault.kind)) return [];
  const fn = functionsAround(tree, access)[0];
  if (fn === undefined) return [];
  const statement = statementIn(tree, fn, access);
  const body = child(fn, 'body') as SyntaxNode;
  if (statement === null && body.type === 'BlockStatement') return [];
  const name = freshName(tree, statement ?? body, nounOf(culprit));
  const wanted = { status: kind === 'request' ? 400 : 404, message: notFound(words(name)) };
  return exitsFor(tree, access, wanted)
    .slice(0, 1)
    .map((exit) => {
      const value = `const ${name} = ${hole}${tree.style.semicolon}`;
      const source = textOf(tree, culprit);
      const test = ifText(tree, { test: `!${name}`, ...exit });
      const range = outer(tree, culprit);
      const lines = `${value}\n${test}`;
      return {
        template: 'early-exit',
        tree,
        changes:
          statement === null
            ? [filled(asBlock(tree, fn, { lines, replace: { ...range, text: name } }), source)]
            : [filled(insertBefore(tree, statement, lines), source), { ...range, text: name }],
        explanation: `Answers ${exit.status} when nothing is found, before its fields are read.`,
        score: scoreOf(scene) + 1,
      };
    });
}

function guard(tree: Tree, place: Place, options: { test: string; exit: Exit }): Change {
  const text = ifText(tree, { test: options.test, ...options.exit });
  if (place.kind === 'before') return insertBefore(tree, place.statement, text);
  return asBlock(tree, place.fn, { lines: text, replace: null });
}

/** `=> expression` becomes `=> { lines; return expression; }`. */
function asBlock(
  tree: Tree,
  fn: SyntaxNode,
  { lines, replace }: { lines: string; replace: Change | null },
): Change {
  const body = child(fn, 'body') as SyntaxNode;
  const from = tree.text.lastIndexOf('=>', body.start) + 2;
  const indent = indentAt(tree, fn.start);
  const inner = indent + tree.style.indent;
  const expression =
    replace === null
      ? tree.text.slice(from, fn.end)
      : tree.text.slice(from, replace.start) + replace.text + tree.text.slice(replace.end, fn.end);
  const end = tree.style.semicolon;
  const text = `${indented(lines, inner)}\n${inner}return ${expression.trim()}${end}`;
  return { start: from, end: fn.end, text: ` {\n${inner}${text}\n${indent}}` };
}

/** The condition under which the code cannot go on; null when the path says too little. */
function testOf(scene: Scene, path: string): string | null {
  const { tree, site, origin } = scene;
  const need = needOf(tree, site);
  const rest = need === null ? '' : tree.text.slice(site.culprit.end, need.on.end);
  const asked = origin.kind === 'request';
  const nullish = scene.value !== 'other';
  if (need !== null && (asked || !nullish)) {
    const on = asked ? lenient(path + (rest === '' ? '' : `?${rest.trim()}`)) : path + rest;
    const quote = tree.style.quote;
    if (need.shape === 'array') return `!Array.isArray(${on})`;
    if (need.shape === 'string' || need.shape === 'number') {
      return `typeof ${on} !== ${quote}${need.shape}${quote}`;
    }
    return `!${on}`;
  }
  if (!nullish) return null;
  const scalar = need !== null && need.on === site.culprit && need.shape !== 'object';
  if (scalar && need.shape !== 'array') return `${path} == null`;
  return `!${asked ? lenient(path) : path}`;
}

/** A body may be absent as a whole: `req.body.items` is asked as `req.body?.items`. */
function lenient(path: string): string {
  return path.replace(/^((?:[\w$]+\.)?body)\.(?=[\w$])/, '$1?.');
}

function statusFor(scene: Scene, tree: Tree): number {
  if (isCredential(scene)) return 401;
  if (scene.origin.kind === 'request' || scene.origin.kind === 'unknown') return 400;
  if (scene.origin.kind === 'lookup') return 404;
  const used = /\b(409|422)\b/.exec(tree.text)?.[1];
  return statusOf(tree, tree.program) === null || used === undefined ? 422 : Number(used);
}

function scoreOf(scene: Scene): number {
  const { origin } = scene;
  if (isCredential(scene)) return scores.request;
  if (origin.kind === 'request' && /^(?:query|headers|cookies)$/.test(origin.part ?? '')) {
    return queryScore;
  }
  return scores[origin.kind] + (scene.answered ? answeredPenalty : 0);
}

function messageOf(scene: Scene, path: string): string {
  const { tree, site, origin } = scene;
  const need = needOf(tree, site);
  const rest = need === null ? '' : tree.text.slice(site.culprit.end, need.on.end);
  const names = (origin.kind === 'request' ? path + rest : path)
    .split(/\.|\?\.|\[|\]/)
    .filter((part) => /^[\w$]+$/.test(part));
  const own = names.filter((n) => !/^(?:this|req|request|ctx|c|body|query|params)$/.test(n));
  const field = own.filter((name) => !/^\d+$/.test(name));
  if (origin.kind === 'request') {
    const given =
      /^(?:req|request|ctx|c)\b/.test(path) || field.length < 2 ? field : field.slice(1);
    if (field.length === 0 && /\bbody$/.test(path)) return 'body is missing';
    const name = given.join('.') || 'the request';
    const shapes: Record<string, string> = {
      array: 'must be an array',
      string: 'must be a string',
      number: 'must be a number',
    };
    return `${name} ${shapes[need?.shape ?? ''] ?? 'is missing'}`;
  }
  const last = words(own.filter((n) => !/^(?:\d+|rows)$/.test(n)).at(-1) ?? 'record');
  if (origin.kind === 'lookup') return notFound(last);
  const parts = path.split('.').filter((part) => /^[\w$]+$/.test(part) && part !== 'this');
  const owner = parts.length > 1 ? words(parts.at(-2) ?? '') : '';
  return owner === '' ? `${last} is missing` : `${owner} has no ${words(parts.at(-1) ?? '')}`;
}

/** Names that say nothing to a caller are left out. */
function notFound(noun: string): string {
  const vague = /^(?:found|first|row|record|result|data|value|res|obj|it|.)$/;
  return vague.test(noun) ? 'not found' : `${noun} not found`;
}

/** `orderItem` and `order_item` as people say it. */
function words(name: string): string {
  return name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/_+/g, ' ')
    .trim()
    .toLowerCase();
}

function said(test: string): string {
  return `\`${test}\``;
}

/** A name for what an expression finds: `users.find(...)` finds a user. */
function nounOf(culprit: SyntaxNode): string {
  const inner = unwrap(culprit);
  if (inner.type === 'MemberExpression') {
    const name = nameOf(inner);
    if (name !== null && /^\d+$/.test(name)) return 'row';
    return name ?? 'found';
  }
  const callee = inner.type === 'CallExpression' ? child(inner, 'callee') : undefined;
  const name = nameOf(callee) ?? '';
  const verb = /^(?:get|find|load|fetch|lookup|read)(?:One|By\w*)?([A-Z]\w*?)?(?:By\w+)?$/.exec(
    name,
  );
  const object =
    callee?.type === 'MemberExpression' ? nameOf(unwrap(child(callee, 'object')!)) : null;
  const noun = verb?.[1] ?? singular(object ?? '') ?? '';
  return noun.length < 2 || noun === 'this' ? 'found' : noun[0]!.toLowerCase() + noun.slice(1);
}

function singular(name: string): string {
  if (/ies$/.test(name)) return name.replace(/ies$/, 'y');
  return /[^s]s$/.test(name) ? name.slice(0, -1) : name;
}

function freshName(tree: Tree, at: SyntaxNode, wanted: string): string {
  const taken = (name: string) =>
    isVisible(tree, at, name) ||
    new RegExp(`\\b${name}\\b`).test(tree.text.slice(at.start, at.end));
  const base = /^[A-Za-z_$][\w$]*$/.test(wanted) ? wanted : 'found';
  const names = [base, `found${base[0]!.toUpperCase()}${base.slice(1)}`, 'found', 'foundValue'];
  return names.find((name) => !taken(name)) ?? `${base}Found`;
}

/** The range of an expression with the parentheses around it, which the tree leaves out. */
function outer(tree: Tree, node: SyntaxNode): { start: number; end: number } {
  const before = /\(\s*$/.exec(tree.text.slice(0, node.start));
  const after = /^\s*\)/.exec(tree.text.slice(node.end));
  const parent = tree.parents.get(node);
  const member = parent?.type === 'MemberExpression' && node.type === 'AwaitExpression';
  if (!member || before === null || after === null) return { start: node.start, end: node.end };
  return { start: node.start - before[0].length, end: node.end + after[0].length };
}

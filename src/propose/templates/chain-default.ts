/** Goes on without the value: `a?.b.c() ?? default`, at the narrowest place. */
import type { SyntaxNode } from '../../source/syntax.ts';
import { type Change, type Draft, isCredential, type Scene } from '../draft.ts';
import { type Chain, chainOf, defaultsFor, isUnused, needOf, shapeOfReceiver } from '../need.ts';
import {
  ancestorsOf,
  child,
  findAll,
  nameOf,
  propertyName,
  type Tree,
  textOf,
  unwrap,
} from '../tree.ts';

const scores = { field: 10, unknown: 15, request: 22, lookup: 30 };
const queryScore = 10;
const defaultsMax = 3;
/** With more uses than this, the value belongs to be mended where it is made. */
const othersMax = 4;
/** Methods that change the receiver: going on without it loses what should have been kept. */
const changing = /^(?:push|unshift|set|add|append|splice)$/;

export function chainDefault(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const fault = site.fault.kind;
  if (isCredential(scene)) return [];
  if (fault === 'nullish-read' && site.access.type === 'MemberExpression') {
    if (changing.test(propertyName(site.access) ?? '')) return [];
    return [...optional(scene), ...typed(scene)];
  }
  if (fault === 'not-callable' && site.access.type === 'CallExpression') {
    return [...optionalCall(scene), ...typed(scene)];
  }
  const { culprit } = site;
  if (fault === 'not-iterable' || fault === 'nullish-argument') {
    return ['Array', ...(fault === 'not-iterable' ? ['checked'] : [])].map((how, index) => ({
      template: 'default-value',
      tree,
      changes: [replaceWhole(tree, culprit, how === 'checked' ? checked(tree, culprit) : or())],
      explanation: `Takes ${index === 0 ? 'nothing at all' : 'what is no list'} for an empty one.`,
      score: scoreOf(scene) + 2 * index,
    }));
  }
  return [];

  function or(): string {
    const empty = fault === 'not-iterable' ? '[]' : '{}';
    return guarded(tree, culprit, `${textOf(tree, culprit)} ?? ${empty}`);
  }
}

function optional(scene: Scene): Draft[] {
  const { tree, site, siblings } = scene;
  const chain = chainOf(tree, site.culprit);
  const top = awaited(tree, chain.top);
  const deep = scene.origin.kind === 'request';
  const others = sameElsewhere(scene);
  const defaults =
    isUnused(tree, top) || decides(tree, top)
      ? ['']
      : defaultsFor(tree, top, { siblings, links: chain.links });
  const drafts: Draft[] = [];
  for (const [index, text] of defaults.slice(0, defaultsMax).entries()) {
    const changes = [...links(tree, chain, deep), ...fallback(tree, top, text)];
    const draft = {
      template: text === '' ? 'optional-chain' : 'default-value',
      tree,
      explanation: explain(tree, site.culprit, text),
      score: scoreOf(scene) + 2 * index,
    };
    if (others.length > 0) {
      const all = others.flatMap((access) => alsoThere(scene, access, deep));
      drafts.push({ ...draft, changes: [...changes, ...all] });
    }
    drafts.push({ ...draft, changes, score: draft.score + (others.length > 0 ? 9 : 0) });
  }
  return drafts;
}

/** `typeof x === 'string' ? x.trim() : ''`: for what callers send, wrong types included. */
function typed(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const need = needOf(tree, site);
  if (need === null || (scene.origin.kind !== 'request' && scene.value !== 'other')) return [];
  const chain = chainOf(tree, site.culprit);
  const top = awaited(tree, chain.top);
  if (isUnused(tree, top) || top !== chain.top) return [];
  const rest = tree.text.slice(site.culprit.end, need.on.end);
  const given = textOf(tree, site.culprit).replace(/^((?:[\w$]+\.)?body)\.(?=[\w$])/, '$1?.');
  const on = given + (rest === '' ? '' : `?${rest.trim()}`);
  const quote = tree.style.quote;
  const test =
    need.shape === 'array'
      ? `Array.isArray(${on})`
      : `typeof ${on} === ${quote}${need.shape}${quote}`;
  if (need.shape !== 'array' && need.shape !== 'string' && need.shape !== 'number') return [];
  const options = { siblings: scene.siblings, links: chain.links };
  const otherwise = defaultsFor(tree, top, options).find((text) => text !== '') ?? 'null';
  const text = `${test} ? ${textOf(tree, top)} : ${otherwise}`;
  return [
    {
      template: 'type-guard',
      tree,
      changes: [replaceWhole(tree, top, guarded(tree, top, text))],
      explanation: `Uses \`${on}\` only when its type is ${need.shape}.`,
      score: scoreOf(scene) + 3,
    },
  ];
}

/** `callback?.()` where there is no callback. */
function optionalCall(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const callee = unwrap(child(site.access, 'callee') as SyntaxNode);
  const named = callee.type === 'MemberExpression' ? propertyName(callee) : null;
  if (shapeOfReceiver(named) !== null) return [];
  const open = tree.text.indexOf('(', callee.end);
  if (open < 0) return [];
  const top = awaited(tree, chainOf(tree, callee).top);
  const defaults = isUnused(tree, top) || decides(tree, top) ? [''] : ['', 'null'];
  return defaults.map((text, index) => ({
    template: 'optional-call',
    tree,
    changes: [{ start: open, end: open, text: '?.' }, ...fallback(tree, top, text)],
    explanation: `Calls \`${textOf(tree, callee)}\` only when there is one.`,
    score: scoreOf(scene) + 8 + index,
  }));
}

/** Turns `.` after the culprit into `?.`; with `deep`, after every later member as well. */
function links(tree: Tree, chain: Chain, deep: boolean): Change[] {
  const members = chain.links.filter((link) => link.type === 'MemberExpression');
  const first = unwrap(child(members[0] as SyntaxNode, 'object') as SyntaxNode);
  const owner = first.type === 'MemberExpression' ? child(first, 'object') : undefined;
  const ofBody = deep && owner !== undefined && propertyNameOf(owner) === 'body' ? [first] : [];
  const later = members.slice(0, deep ? 4 : 1);
  return [...ofBody, ...later].flatMap((member) => optionalAt(tree, member));
}

function propertyNameOf(node: SyntaxNode): string | null {
  return node.type === 'MemberExpression' ? propertyName(node) : nameOf(node);
}

function optionalAt(tree: Tree, member: SyntaxNode): Change[] {
  if (member.optional === true) return [];
  const from = unwrap(child(member, 'object') as SyntaxNode).end;
  const to = (child(member, 'property') as SyntaxNode).start;
  const between = tree.text.slice(from, to);
  const sign = between.search(/[.[](?!.*[.[])/s);
  if (sign < 0) return [];
  const at = from + sign;
  const change = member.computed
    ? { start: at, end: at, text: '?.' }
    : { start: at, end: at + 1, text: '?.' };
  const sure = tree.text[at - 1] === '!' ? [{ start: at - 1, end: at, text: '' }] : [];
  return [...sure, change];
}

function fallback(tree: Tree, top: SyntaxNode, text: string): Change[] {
  if (text === '') return [];
  if (!needsParentheses(tree, top)) return [{ start: top.end, end: top.end, text: ` ?? ${text}` }];
  return [
    { start: top.start, end: top.start, text: '(' },
    { start: top.end, end: top.end, text: ` ?? ${text})` },
  ];
}

/** Other reads of the same value in the same function that would fail next. */
function sameElsewhere({ tree, site }: Scene): SyntaxNode[] {
  const first = site.frames[0];
  const path = textOf(tree, site.culprit);
  if (first === undefined || first.running === tree.program) return [];
  const others = findAll(first.running, (node) => node.type === 'MemberExpression').filter(
    (node) => {
      if (node.optional === true || node.start <= site.access.start) return false;
      const object = child(node, 'object') as SyntaxNode;
      if (textOf(tree, object) !== path) return false;
      const tested = ancestorsOf(tree, node).some((ancestor) => {
        const test = child(ancestor, 'test');
        return test !== undefined && textOf(tree, test).includes(path);
      });
      return !tested;
    },
  );
  return others.length <= othersMax ? others : [];
}

function alsoThere(scene: Scene, access: SyntaxNode, deep: boolean): Change[] {
  const { tree, siblings } = scene;
  const chain = chainOf(tree, child(access, 'object') as SyntaxNode);
  const top = awaited(tree, chain.top);
  const plain = isUnused(tree, top) || decides(tree, top);
  const text = plain ? '' : (defaultsFor(tree, top, { siblings, links: chain.links })[0] ?? '');
  return [...links(tree, chain, deep), ...fallback(tree, top, text)];
}

/** Whether only truth counts here, so that undefined is as good as any default. */
function decides(tree: Tree, top: SyntaxNode): boolean {
  const parent = tree.parents.get(top);
  if (parent === undefined) return false;
  if (parent.type === 'LogicalExpression') return true;
  if (parent.type === 'UnaryExpression') return parent.operator === '!';
  if (parent.type === 'BinaryExpression') return /^[!=]==?$/.test(String(parent.operator));
  return parent.test === top;
}

function awaited(tree: Tree, top: SyntaxNode): SyntaxNode {
  const parent = tree.parents.get(top);
  return parent?.type === 'AwaitExpression' ? parent : top;
}

const loose = new Set([
  ...[
    'VariableDeclarator',
    'Property',
    'ReturnStatement',
    'AssignmentExpression',
    'ArrayExpression',
  ],
  ...['ArrowFunctionExpression', 'TemplateLiteral', 'ForOfStatement', 'PropertyDefinition'],
  ...['CallExpression', 'NewExpression', 'AssignmentPattern', 'IfStatement', 'ExpressionStatement'],
]);

/** Whether `x ?? y` in the place of the node would be read differently without parentheses. */
function needsParentheses(tree: Tree, node: SyntaxNode): boolean {
  const parent = tree.parents.get(node);
  if (parent === undefined || /^\s*\)/.test(tree.text.slice(node.end)) === false) {
    return parent !== undefined && !(loose.has(parent.type) && parent.callee !== node);
  }
  return parent.callee === node || !loose.has(parent.type);
}

function guarded(tree: Tree, node: SyntaxNode, text: string): string {
  return needsParentheses(tree, node) ? `(${text})` : text;
}

function checked(tree: Tree, node: SyntaxNode): string {
  const text = textOf(tree, node);
  return guarded(tree, node, `Array.isArray(${text}) ? ${text} : []`);
}

function replaceWhole(_tree: Tree, node: SyntaxNode, text: string): Change {
  return { start: node.start, end: node.end, text };
}

function scoreOf({ origin }: Scene): number {
  if (origin.kind === 'request' && /^(?:query|headers|cookies)$/.test(origin.part ?? '')) {
    return queryScore;
  }
  return scores[origin.kind];
}

function explain(tree: Tree, culprit: SyntaxNode, text: string): string {
  const path = textOf(tree, culprit);
  const short = path.length > 60 ? 'the value' : `\`${path}\``;
  return text === ''
    ? `Goes on without ${short} when it is not there.`
    : `Uses \`${text}\` when ${short} is not there.`;
}

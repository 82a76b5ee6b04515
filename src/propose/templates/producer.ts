/** Gives the value a default where it is made, so that every later use has one. */
import type { SyntaxNode } from '../../source/syntax.ts';
import { type Draft, insertBefore, isCredential, type Scene } from '../draft.ts';
import { chainOf, emptyText, needOf, type Shape, shapeOfReceiver } from '../need.ts';
import { originAt } from '../origin.ts';
import { statementIn } from '../place.ts';
import { bindingOf } from '../scope.ts';
import {
  child,
  findAll,
  functionsAround,
  isPath,
  list,
  nameOf,
  propertyName,
  type Tree,
  textOf,
} from '../tree.ts';

/** After a refusal, also after one that takes an answer back. */
const askedScore = 26;
const scores = { field: 20, unknown: 20, request: 28, lookup: 36 };

export function producerDefault(scene: Scene): Draft[] {
  if (scene.value === 'other' || isCredential(scene)) return [];
  if (scene.site.fault.kind === 'nullish-pattern') return patternDefault(scene);
  return [...initialise(scene), ...whereDeclared(scene)];
}

/** `const { a } = x ?? {}` and `function f({ a } = {})`. */
function patternDefault(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const { access, culprit } = site;
  if (access !== culprit) {
    const draft = draftOf(scene, `Takes nothing for an object without fields.`, 10);
    return [{ ...draft, changes: [append(tree, culprit, ' ?? {}')] }];
  }
  const parent = tree.parents.get(access);
  const parameter = parent !== undefined && list(parent, 'params').includes(access);
  if (!parameter || scene.value !== 'undefined') return [];
  const draft = draftOf(scene, 'Gives the parameter a default without fields.', 12);
  return [{ ...draft, changes: [append(tree, access, ' = {}')] }];
}

/** `lists[key] ??= [];` before `lists[key].push(x)`; `a.b ??= {};` before `a.b.c = x`. */
function initialise(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const { culprit, access } = site;
  const method = access.type === 'MemberExpression' ? propertyName(access) : null;
  const write = site.fault.kind === 'nullish-write';
  const grows = /^(?:push|unshift)$/.test(method ?? '');
  const kept = keptShape(tree, culprit, access);
  if (
    (!write && !grows && kept === null) ||
    culprit.type !== 'MemberExpression' ||
    !isPath(culprit)
  )
    return [];
  const fn = functionsAround(tree, access)[0];
  const statement = fn === undefined ? null : statementIn(tree, fn, access);
  if (statement === null) return [];
  const value = kept ?? (grows ? '[]' : '{}');
  const text = `${textOf(tree, culprit)} ??= ${value}${tree.style.semicolon}`;
  const explanation = `Makes \`${textOf(tree, culprit)}\` when it is not there yet.`;
  return [
    {
      ...draftOf(scene, explanation, kept !== null && isAsked(scene) ? askedScore : 8),
      template: 'initialise',
      changes: [insertBefore(tree, statement, text)],
    },
  ];
}

/** `{ count: 0 }` for `votes[k].count += 1` where the file has `votes[other] = { count: 0 }`. */
function keptShape(tree: Tree, culprit: SyntaxNode, access: SyntaxNode): string | null {
  const parent = tree.parents.get(access);
  const assigned = parent?.type === 'AssignmentExpression' && child(parent, 'left') === access;
  const counts = parent?.type === 'UpdateExpression' || assigned;
  if (!counts || culprit.type !== 'MemberExpression' || culprit.computed !== true) return null;
  const owner = textOf(tree, child(culprit, 'object') as SyntaxNode);
  const made = findAll(tree.program, (node) => {
    const left = node.type === 'AssignmentExpression' ? child(node, 'left') : undefined;
    if (left?.type !== 'MemberExpression' || left.computed !== true) return false;
    return textOf(tree, child(left, 'object') as SyntaxNode) === owner;
  }).map((node) => child(node, 'right') as SyntaxNode);
  const fresh = made.find((node) => node.type === 'ObjectExpression' && isConstant(node));
  return fresh === undefined ? null : textOf(tree, fresh).replace(/\s*\n\s*/g, ' ');
}

/** Says the same wherever it stands: literals only, without text that has lines of its own. */
function isConstant(object: SyntaxNode): boolean {
  return (
    findAll(object, (node) => node !== object).every((node) => {
      if (node.type === 'Property') return node.computed !== true && node.shorthand !== true;
      return /^(?:Literal|Identifier|ObjectExpression|ArrayExpression)$/.test(node.type);
    }) &&
    list(object, 'properties').every((property) => {
      const value = child(property, 'value');
      return value !== undefined && findAll(value, (n) => n.type === 'Identifier').length === 0;
    })
  );
}

/** Whether callers choose the key: making an entry for any key is then seldom what is meant. */
function isAsked({ tree, site }: Scene): boolean {
  const key = child(site.culprit, 'property');
  const { frames } = site;
  return key !== undefined && originAt({ frames, tree, node: key }).kind === 'request';
}

/** At the variable's declaration, the destructuring, or the parameter. */
function whereDeclared(scene: Scene): Draft[] {
  const { tree, site, value } = scene;
  const { culprit } = site;
  if (culprit.type !== 'Identifier') return [];
  const name = culprit.name as string;
  const binding = bindingOf(tree, culprit, name);
  const shape = shapeWanted(scene);
  const text = shape === null ? null : emptyText(shape, tree.style.quote);
  if (text === null || binding === null) return [];
  const draft = draftOf(scene, `Gives \`${name}\` the default \`${text}\` where it is made.`, 0);
  if (binding.kind === 'variable' && binding.init !== null && binding.key === null) {
    if (binding.init.type === 'LogicalExpression') return [];
    return [{ ...draft, changes: [append(tree, binding.init, ` ?? ${text}`)] }];
  }
  if (value !== 'undefined') return [];
  const pattern =
    binding.kind === 'variable' ? child(binding.declarator, 'id') : patternOf(binding);
  const element = pattern === undefined ? null : elementNamed(pattern, name);
  if (element === null) return [];
  return [{ ...draft, changes: [append(tree, element, ` = ${text}`)] }];
}

function patternOf(binding: NonNullable<ReturnType<typeof bindingOf>>): SyntaxNode | undefined {
  return binding.kind === 'parameter' ? binding.node : undefined;
}

/** The place of a name in a pattern, where ` = default` can follow; null when it has one. */
function elementNamed(pattern: SyntaxNode, name: string): SyntaxNode | null {
  if (pattern.type === 'Identifier') return pattern.name === name ? pattern : null;
  const inner = [...list(pattern, 'properties'), ...list(pattern, 'elements')];
  for (const entry of inner) {
    const value = child(entry, 'value') ?? entry;
    if (value.type === 'AssignmentPattern' || value.type === 'RestElement') continue;
    const found = elementNamed(value, name);
    if (found !== null) return found;
  }
  return null;
}

/** An empty object stands in only where its missing fields harm nobody. */
function shapeWanted({ tree, site }: Scene): Shape | null {
  if (site.fault.kind === 'not-iterable') return 'array';
  if (site.fault.kind === 'nullish-argument') return 'object';
  const need = needOf(tree, site);
  if (need !== null && need.on === site.culprit) return need.shape;
  const { links } = chainOf(tree, site.culprit);
  const method = links[0]?.type === 'MemberExpression' ? propertyName(links[0]) : null;
  if (method === 'length') return 'array';
  const only = links.length === 1 && shapeOfReceiver(method) === null;
  return only && site.fault.kind === 'nullish-read' ? 'object' : null;
}

function append(tree: Tree, node: SyntaxNode, text: string) {
  const after = /^\s*\)/.exec(tree.text.slice(node.end));
  const before = /\(\s*$/.exec(tree.text.slice(0, node.start));
  const parent = tree.parents.get(node);
  const call =
    parent !== undefined && (list(parent, 'params').length > 0 || nameOf(parent) !== null);
  const wrapped =
    !call && after !== null && before !== null && parent?.type === 'VariableDeclarator';
  const at = wrapped ? node.end + after[0].length : node.end;
  return { start: at, end: at, text };
}

function draftOf(scene: Scene, explanation: string, score: number): Omit<Draft, 'changes'> {
  return {
    template: 'producer-default',
    tree: scene.tree,
    explanation,
    score: score === 0 ? scores[scene.origin.kind] : score,
  };
}

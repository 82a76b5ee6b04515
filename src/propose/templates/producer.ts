/** Gives the value a default where it is made, so that every later use has one. */
import type { SyntaxNode } from '../../source/syntax.ts';
import { type Draft, insertBefore, isCredential, type Scene } from '../draft.ts';
import { chainOf, emptyText, needOf, type Shape, shapeOfReceiver } from '../need.ts';
import { statementIn } from '../place.ts';
import { bindingOf } from '../scope.ts';
import {
  child,
  functionsAround,
  isPath,
  list,
  nameOf,
  propertyName,
  type Tree,
  textOf,
} from '../tree.ts';

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
  if ((!write && !grows) || culprit.type !== 'MemberExpression' || !isPath(culprit)) return [];
  const fn = functionsAround(tree, access)[0];
  const statement = fn === undefined ? null : statementIn(tree, fn, access);
  if (statement === null) return [];
  const text = `${textOf(tree, culprit)} ??= ${grows ? '[]' : '{}'}${tree.style.semicolon}`;
  const explanation = `Makes \`${textOf(tree, culprit)}\` when it is not there yet.`;
  return [
    {
      ...draftOf(scene, explanation, 8),
      template: 'initialise',
      changes: [insertBefore(tree, statement, text)],
    },
  ];
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

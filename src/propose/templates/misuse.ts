/** The value is there and is used wrongly: a forgotten await, another type, a slip in a name. */
import type { SyntaxNode } from '../../source/syntax.ts';
import type { Draft, Scene } from '../draft.ts';
import { needOf, type Shape, shapeOfReceiver } from '../need.ts';
import { bindingOf, isVisible } from '../scope.ts';
import {
  child,
  findAll,
  functionsAround,
  nameOf,
  propertyName,
  rootOf,
  type Tree,
  textOf,
} from '../tree.ts';

export function misuse(scene: Scene): Draft[] {
  return [...missingAwait(scene), ...coerced(scene), ...misspelt(scene)];
}

/** `const user = load(id)` in an async function, and `user` turns out to be a promise. */
function missingAwait({ tree, site, value }: Scene): Draft[] {
  const root = rootOf(site.culprit);
  const fn = functionsAround(tree, site.access)[0];
  if (root === null || fn?.async !== true) return [];
  // What is null or undefined itself is no promise.
  if (site.culprit === root && value !== 'other') return [];
  const binding = bindingOf(tree, root, root.name as string);
  if (binding?.kind !== 'variable' || binding.init?.type !== 'CallExpression') return [];
  if (functionsAround(tree, binding.declarator)[0] !== fn) return [];
  const callee = child(binding.init, 'callee') as SyntaxNode;
  const own = callee.type === 'Identifier' || child(callee, 'object')?.type === 'ThisExpression';
  const known = own && isAsync(tree, nameOf(callee));
  const wrongType = site.fault.kind === 'not-callable' || site.fault.kind === 'not-iterable';
  if (!known && !(wrongType && site.culprit === root)) return [];
  const at = binding.init.start;
  return [
    {
      template: 'missing-await',
      tree,
      changes: [{ start: at, end: at, text: 'await ' }],
      explanation: `Waits for \`${root.name}\`, which is a promise.`,
      score: known ? 2 : 14,
    },
  ];
}

/** Whether every function of the file with this name is async, and there is one. */
function isAsync(tree: Tree, name: string | null): boolean {
  if (name === null) return false;
  const named = findAll(tree.program, (node) => {
    const value = child(node, 'value') ?? child(node, 'init') ?? node;
    if (!/Function/.test(value.type)) return false;
    return nameOf(child(node, 'key') ?? child(node, 'id')) === name;
  }).map((node) => child(node, 'value') ?? child(node, 'init') ?? node);
  return named.length > 0 && named.every((fn) => fn.async === true);
}

const conversions: Partial<Record<Shape, (text: string) => string>> = {
  number: (text) => `Number(${text})`,
  string: (text) => `String(${text})`,
  date: (text) => `new Date(${text})`,
};

/** `Number(row.price).toFixed(2)`: databases and forms give texts where numbers were meant. */
function coerced(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const need = needOf(tree, site);
  if (site.fault.kind !== 'not-callable' || need === null || need.on !== site.culprit) return [];
  const convert = conversions[need.shape];
  if (convert === undefined) return [];
  const { start, end } = site.culprit;
  const text = textOf(tree, site.culprit);
  return [
    {
      template: 'convert',
      tree,
      changes: [{ start, end, text: convert(text) }],
      explanation: `Takes \`${text}\` as a ${need.shape}, whatever type it comes in.`,
      score: scene.origin.kind === 'request' ? 24 : 9,
    },
  ];
}

/** The one visible name, or the one known method, that is a slip of the pen away. */
function misspelt({ tree, site }: Scene): Draft[] {
  const { fault, culprit, access } = site;
  if (fault.kind === 'not-defined') {
    const names = findAll(tree.program, (node) => node.type === 'Identifier')
      .map((node) => node.name as string)
      .filter((name) => isSlip(fault.name, name) && isVisible(tree, access, name));
    return renaming(tree, culprit, [...new Set(names)]);
  }
  if (fault.kind !== 'not-callable' || access.type !== 'CallExpression') return [];
  const callee = child(access, 'callee') as SyntaxNode;
  const method = callee.type === 'MemberExpression' ? propertyName(callee) : null;
  if (method === null || shapeOfReceiver(method) !== null) return [];
  const used = findAll(tree.program, (node) => node.type === 'MemberExpression')
    .map((node) => propertyName(node) ?? '')
    .filter((name) => name !== method);
  const known = [...used, ...builtInMethods].filter((name) => isSlip(method, name));
  return renaming(tree, child(callee, 'property') as SyntaxNode, [...new Set(known)]);
}

const builtInMethods = [String, Array, Number, Date, Promise, Map, Set].flatMap((type) =>
  Object.getOwnPropertyNames(type.prototype),
);

function renaming(tree: Tree, { start, end }: SyntaxNode, names: string[]): Draft[] {
  const [only] = names;
  if (only === undefined || names.length > 1) return [];
  return [
    {
      template: 'misspelt-name',
      tree,
      changes: [{ start, end, text: only }],
      explanation: `Says \`${only}\` where \`${tree.text.slice(start, end)}\` was written.`,
      score: 4,
    },
  ];
}

/** One letter more, less, other, or two swapped; or only capitals differ. */
function isSlip(written: string, meant: string): boolean {
  if (written === meant || meant.length < 3) return false;
  if (written.toLowerCase() === meant.toLowerCase()) return true;
  const [short, long] = written.length <= meant.length ? [written, meant] : [meant, written];
  let at = 0;
  while (at < short.length && short[at] === long[at]) at += 1;
  if (long.length - short.length === 1) return short.slice(at) === long.slice(at + 1);
  if (long.length !== short.length) return false;
  const swapped = short[at] === long[at + 1] && short[at + 1] === long[at];
  return (
    short.slice(at + 1) === long.slice(at + 1) ||
    (swapped && short.slice(at + 2) === long.slice(at + 2))
  );
}

/** What the code wanted of the value, and what may stand in for it. */
import type { SyntaxNode } from '../source/syntax.ts';
import type { Site } from './site.ts';
import { child, findAll, nameOf, propertyName, type Tree, textOf, unwrap } from './tree.ts';

export type Shape = 'string' | 'number' | 'boolean' | 'array' | 'object' | 'date' | 'function';

/** The whole expression that hangs on the culprit: `a.b.c.d()` for the culprit `a.b`. */
export interface Chain {
  top: SyntaxNode;
  /** Member accesses and calls from the culprit outwards. */
  links: SyntaxNode[];
}

/** A sample of what a route answers when all is well; `body` is parsed JSON or text. */
export interface SiblingAnswer {
  status: number;
  body: unknown;
}

const methodsOf: Record<'string' | 'array' | 'number' | 'date', readonly string[]> = {
  string: [
    ...['toLowerCase', 'toUpperCase', 'trim', 'trimStart', 'trimEnd', 'split', 'replace', 'match'],
    ...['replaceAll', 'startsWith', 'endsWith', 'padStart', 'padEnd', 'charAt', 'charCodeAt'],
    ...['substring', 'substr', 'localeCompare', 'normalize', 'toLocaleLowerCase', 'repeat'],
  ],
  array: [
    ...['map', 'filter', 'forEach', 'reduce', 'some', 'every', 'find', 'findIndex', 'flatMap'],
    ...['push', 'unshift', 'sort', 'join', 'splice', 'flat', 'reverse', 'toSorted', 'pop', 'shift'],
  ],
  number: ['toFixed', 'toPrecision', 'toExponential'],
  date: ['toISOString', 'getTime', 'getFullYear', 'getMonth', 'getDate', 'toLocaleDateString'],
};

const resultOf = new Map<string, Shape>(
  Object.entries({
    ...Object.fromEntries(
      [
        'toLowerCase',
        'toUpperCase',
        'trim',
        'trimStart',
        'trimEnd',
        'replace',
        'replaceAll',
        'join',
      ]
        .concat(['padStart', 'padEnd', 'charAt', 'substring', 'substr', 'normalize', 'repeat'])
        .concat(['toFixed', 'toPrecision', 'toISOString', 'toString', 'toLocaleDateString'])
        .map((name) => [name, 'string' as const]),
    ),
    ...Object.fromEntries(
      ['split', 'map', 'filter', 'sort', 'flat', 'flatMap', 'reverse', 'toSorted', 'splice'].map(
        (name) => [name, 'array' as const],
      ),
    ),
    ...Object.fromEntries(
      ['startsWith', 'endsWith', 'some', 'every', 'includes', 'has'].map((name) => [
        name,
        'boolean' as const,
      ]),
    ),
    ...Object.fromEntries(
      ['length', 'size', 'indexOf', 'getTime', 'findIndex', 'charCodeAt', 'localeCompare', 'reduce']
        .concat(['getFullYear', 'getMonth', 'getDate'])
        .map((name) => [name, 'number' as const]),
    ),
  }),
);

export function chainOf(tree: Tree, culprit: SyntaxNode): Chain {
  const links: SyntaxNode[] = [];
  let top = culprit;
  for (;;) {
    const parent = tree.parents.get(top);
    if (parent === undefined) break;
    const member = parent.type === 'MemberExpression' && parent.object === top;
    const call = parent.type === 'CallExpression' && parent.callee === top;
    const passing = parent.type === 'TSNonNullExpression' || parent.type === 'ChainExpression';
    if (!member && !call && !passing) break;
    if (member || call) links.push(parent);
    top = parent;
  }
  return { top, links };
}

/** The value that has to be of a type, and that type: `a.b.c` and string for `a.b.c.trim()`. */
export function needOf(tree: Tree, site: Site): { on: SyntaxNode; shape: Shape } | null {
  if (site.fault.kind === 'not-iterable') return { on: site.culprit, shape: 'array' };
  if (site.fault.kind === 'nullish-argument') return { on: site.culprit, shape: 'object' };
  const { links } = chainOf(tree, site.culprit);
  let on = site.culprit;
  for (const link of links) {
    if (link.type !== 'MemberExpression') return null;
    const parent = tree.parents.get(link);
    const called = parent?.type === 'CallExpression' && parent.callee === link;
    const shape = called ? shapeOfReceiver(propertyName(link)) : null;
    if (shape !== null) return { on, shape };
    on = link;
  }
  return null;
}

/** What kind of value has a method of this name; null when several have. */
export function shapeOfReceiver(method: string | null): Shape | null {
  for (const [shape, methods] of Object.entries(methodsOf)) {
    if (method !== null && methods.includes(method)) return shape as Shape;
  }
  return null;
}

/**
 * Texts that may stand in for the chain's value, the most fitting first; '' means undefined,
 * that is, no `?? default` at all.
 */
export function defaultsFor(
  tree: Tree,
  top: SyntaxNode,
  options: { siblings: readonly SiblingAnswer[]; links: readonly SyntaxNode[] },
): string[] {
  const sink = sinkOf(tree, top);
  const declared = sink === null ? null : declaredType(tree, sink.name);
  const seen = sink === null ? new Set<string>() : shapesIn(options.siblings, sink.name);
  const shape =
    shapeOfTop(tree, top, options.links) ?? shapeNamed(declared) ?? shapeNamed([...seen][0]);
  const empty = shape === null ? null : emptyText(shape, tree.style.quote);
  const filled = declared === null && seen.has('string') && !seen.has('empty');
  const nullable = declared !== null && /\bnull\b/.test(declared);
  const optional = declared !== null && /\bundefined\b|\?$/.test(declared);
  if (nullable || filled || seen.has('null')) return unique(['null', empty, '']);
  if (optional) return unique(['', empty, 'null']);
  if (empty !== null && isComputedWith(tree, top)) return [empty];
  if (sink === null) return unique([empty, '', 'null']);
  if (empty !== null) return unique([empty, 'null', '']);
  return unique(['null', '']);
}

/** Whether the value is reckoned with at once, so that nothing but its own kind will do. */
function isComputedWith(tree: Tree, top: SyntaxNode): boolean {
  return /^(?:TemplateLiteral|BinaryExpression)$/.test(tree.parents.get(top)?.type ?? '');
}

/** The text of an empty value of a shape. */
export function emptyText(shape: Shape, quote: string): string | null {
  switch (shape) {
    case 'string':
      return `${quote}${quote}`;
    case 'number':
      return '0';
    case 'boolean':
      return 'false';
    case 'array':
      return '[]';
    case 'object':
      return '{}';
    default:
      return null;
  }
}

/** Whether a statement throws the value away. */
export function isUnused(tree: Tree, top: SyntaxNode): boolean {
  const parent = tree.parents.get(top);
  if (parent?.type === 'AwaitExpression' || parent?.type === 'UnaryExpression') {
    return isUnused(tree, parent);
  }
  return parent?.type === 'ExpressionStatement';
}

/** The name under which the value goes on: a property, a variable, a column. */
function sinkOf(tree: Tree, top: SyntaxNode): { name: string } | null {
  const parent = tree.parents.get(top);
  if (parent === undefined) return null;
  if (parent.type === 'AwaitExpression') return sinkOf(tree, parent);
  const name =
    parent.type === 'Property' || parent.type === 'PropertyDefinition'
      ? nameOf(child(parent, 'key'))
      : parent.type === 'VariableDeclarator'
        ? nameOf(child(parent, 'id'))
        : parent.type === 'AssignmentExpression'
          ? nameOf(child(parent, 'left'))
          : null;
  return name === null ? null : { name };
}

/** `string | null` when an interface or a declaration of this file says so for the name. */
function declaredType(tree: Tree, name: string): string | null {
  for (const node of findAll(tree.program, (n) => n.typeAnnotation !== undefined)) {
    const annotation = child(node, 'typeAnnotation');
    const named = nameOf(node) ?? nameOf(child(node, 'key'));
    if (annotation === undefined || named !== name) continue;
    const text = textOf(tree, annotation).replace(/^:\s*/, '');
    return node.optional === true ? `${text} ?` : text;
  }
  return null;
}

function shapeOfTop(tree: Tree, top: SyntaxNode, links: readonly SyntaxNode[]): Shape | null {
  const inner = unwrap(top);
  const last = inner.type === 'CallExpression' ? unwrap(child(inner, 'callee')!) : inner;
  const method = last.type === 'MemberExpression' ? propertyName(last) : null;
  const known = method === null || links.length === 0 ? undefined : resultOf.get(method);
  if (known !== undefined) return known;
  const parent = tree.parents.get(top);
  if (parent?.type === 'TemplateLiteral') return 'string';
  if (parent?.type === 'SpreadElement') {
    return tree.parents.get(parent)?.type === 'ObjectExpression' ? 'object' : 'array';
  }
  if (parent?.type === 'ForOfStatement' && parent.right === top) return 'array';
  const arithmetic = /^(?:[-*/%]|\*\*|[<>]=?)$/;
  if (parent?.type === 'BinaryExpression' && arithmetic.test(String(parent.operator)))
    return 'number';
  return null;
}

function shapeNamed(type: string | null | undefined): Shape | null {
  if (type === null || type === undefined) return null;
  if (/\[\]|^(?:readonly\s|Array<|ReadonlyArray<|array\b)/.test(type)) return 'array';
  const found = /^(string|number|boolean)\b/.exec(type);
  return found === null ? null : (found[1] as Shape);
}

/** JSON types that siblings have under a name, wherever it stands. */
function shapesIn(siblings: readonly SiblingAnswer[], name: string): Set<string> {
  const seen = new Set<string>();
  const look = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null || depth > 5) return;
    for (const [key, inner] of Object.entries(value).slice(0, 200)) {
      if (key === name) {
        seen.add(inner === null ? 'null' : Array.isArray(inner) ? 'array' : typeof inner);
        if (inner === '') seen.add('empty');
      }
      look(inner, depth + 1);
    }
  };
  for (const { status, body } of siblings) if (status < 400) look(body, 0);
  return seen;
}

function unique(texts: (string | null)[]): string[] {
  return [...new Set(texts.filter((text) => text !== null))];
}

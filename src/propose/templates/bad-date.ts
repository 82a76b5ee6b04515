/** A date that is none: refused where the request is at hand, also when a helper writes it. */
import type { SyntaxNode } from '../../source/syntax.ts';
import { type Draft, ifText, insertBefore, type Scene } from '../draft.ts';
import { exitsFor } from '../exits.ts';
import { chainOf } from '../need.ts';
import { levelsFrom, originAt } from '../origin.ts';
import { guardPlace, namesIn } from '../place.ts';
import { bindingOf, isReference } from '../scope.ts';
import { ancestorsOf, child, findAll, isPath, list, type Tree, textOf, unwrap } from '../tree.ts';

const exitsMax = 2;
/** Where nobody can tell that the caller sent it, another remedy may be the right one. */
const unknownPenalty = 8;

export function badDate(scene: Scene): Draft[] {
  return [...guards(scene), ...defaultValue(scene)];
}

/** In the failing function, in its caller, and so on: wherever there is a way to refuse. */
function guards(scene: Scene): Draft[] {
  const { site } = scene;
  const source = sourceOf(scene.tree, site.culprit);
  if (source === null) return [];
  const origin = originAt({ frames: site.frames, tree: scene.tree, node: source.path });
  const penalty = origin.kind === 'request' ? 0 : unknownPenalty;
  const levels = levelsFrom(site, source.path, (given) => madeFrom(given) ?? given);
  const drafts: Draft[] = [];
  for (const { tree, at, path, depth } of levels) {
    const place = guardPlace(tree, at, namesIn(path));
    if (place?.kind !== 'before') continue;
    const value =
      depth === 0 ? textOf(scene.tree, site.culprit) : `new Date(${source.around(path)})`;
    const test = `Number.isNaN(${value}.getTime())`;
    const message = `${said(path)} is not a valid date`;
    const exits = exitsFor(tree, at, { status: 400, message }).slice(0, exitsMax);
    for (const [index, exit] of exits.entries()) {
      drafts.push({
        template: 'early-exit',
        tree,
        changes: [insertBefore(tree, place.statement, ifText(tree, { test, ...exit }))],
        explanation: `Answers 400 when \`${test}\`.`,
        score: 10 + penalty + depth + 3 * index,
      });
    }
    if (exits.length > 0) break;
  }
  return drafts;
}

/** Null where there is no date: `x ? new Date(x).toISOString().slice(0, 10) : null`. */
function defaultValue(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const made = madeFrom(site.culprit);
  if (made === null || !isPath(made)) return [];
  const { top } = chainOf(tree, site.access);
  const text = `${textOf(tree, made)} ? ${textOf(tree, top)} : null`;
  const parent = tree.parents.get(top);
  const loose = ['Property', 'VariableDeclarator', 'ReturnStatement', 'CallExpression'];
  const safe = loose.includes(parent?.type ?? '');
  return [
    {
      template: 'default-value',
      tree,
      changes: [{ start: top.start, end: top.end, text: safe ? text : `(${text})` }],
      explanation: 'Says null where there is no date.',
      score: scene.origin.kind === 'request' ? 20 : 11,
    },
  ];
}

/** `x` of `new Date(x)`; null for every other expression. */
function madeFrom(node: SyntaxNode): SyntaxNode | null {
  const inner = unwrap(node);
  const made = inner.type === 'NewExpression' ? list(inner, 'arguments') : [];
  return made.length === 1 ? (made[0] ?? null) : null;
}

interface Source {
  path: SyntaxNode;
  /** The expression that the date is made from, with another text in the place of the path. */
  around: (path: string) => string;
}

/** The one value that a date depends on; null when there are several, or work would be redone. */
function sourceOf(tree: Tree, date: SyntaxNode): Source | null {
  const inner = unwrap(date);
  if (inner.type === 'Identifier') {
    const binding = bindingOf(tree, inner, inner.name as string);
    const init = binding?.kind === 'variable' && binding.key === null ? binding.init : null;
    const made = init === null ? null : madeFrom(init);
    return made === null ? { path: inner, around: (path) => path } : within(tree, made);
  }
  const made = madeFrom(date);
  if (made !== null) return within(tree, made);
  return isPath(inner) ? { path: inner, around: (path) => path } : null;
}

function within(tree: Tree, made: SyntaxNode): Source | null {
  const calls = findAll(made, (node) => /^(?:Call|New|Await|Update|Assign)/.test(node.type));
  if (calls.some((call) => !isPure(tree, call))) return null;
  const used = findAll(made, (node) => node.type === 'Identifier' && isReference(tree, node))
    .filter((name) => bindingOf(tree, name, name.name as string) !== null)
    .map((name) => wholePath(tree, name));
  const [first] = used;
  const text = first === undefined ? '' : textOf(tree, first);
  if (first === undefined || used.some((path) => textOf(tree, path) !== text)) return null;
  return {
    path: first,
    around: (path) => {
      const ends = used.toReversed();
      return ends.reduce(
        (whole, { start, end }) =>
          whole.slice(0, start - made.start) + path + whole.slice(end - made.start),
        textOf(tree, made),
      );
    },
  };
}

/** Asking the clock or a conversion twice does nothing twice. */
function isPure(tree: Tree, call: SyntaxNode): boolean {
  const callee = call.type === 'CallExpression' ? textOf(tree, child(call, 'callee')!) : '';
  return /^(?:Date\.(?:now|parse)|Number|String|parseInt|parseFloat|Math\.\w+)$/.test(callee);
}

/** `body.due` of its `body`: the longest path that begins with a name. */
function wholePath(tree: Tree, name: SyntaxNode): SyntaxNode {
  const longer = ancestorsOf(tree, name).findIndex(
    (node) => node.type !== 'MemberExpression' || !isPath(node) || node.start !== name.start,
  );
  return longer <= 0 ? name : (ancestorsOf(tree, name)[longer - 1] as SyntaxNode);
}

/** The last name of a path: what callers know the value by. */
function said(path: string): string {
  return path.match(/[A-Za-z_$][\w$]*/g)?.at(-1) ?? 'input';
}

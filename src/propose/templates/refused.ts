/** A built-in refused what it was given: ask first, or catch exactly that call and refuse too. */
import type { SyntaxNode } from '../../source/syntax.ts';
import {
  type Change,
  type Draft,
  filled,
  hole,
  ifText,
  indented,
  insertBefore,
  type Scene,
} from '../draft.ts';
import { type Exit, exitsFor, responseAt } from '../exits.ts';
import { guardPlace, statementIn } from '../place.ts';
import {
  child,
  functionsAround,
  indentAt,
  isPath,
  list,
  nameOf,
  rootOf,
  type Tree,
  textOf,
  unwrap,
} from '../tree.ts';
import { badDate } from './bad-date.ts';

export function refusedArgument(scene: Scene): Draft[] {
  const { fault } = scene.site;
  if (fault.kind === 'invalid-date') return badDate(scene);
  if (fault.kind !== 'refused-argument') return [];
  return /(?:^|\.)URL$/.test(fault.callee ?? '') ? urlGuard(scene) : caught(scene);
}

/** `let data; try { data = JSON.parse(x); } catch { refuse }`. */
function caught(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const call = site.access;
  const fn = functionsAround(tree, call)[0];
  const statement = fn === undefined ? null : statementIn(tree, fn, call);
  if (statement === null || responseAt(tree, call) === null) return [];
  const indent = indentAt(tree, statement.start);
  return exitsFor(tree, call, { status: 400, message: messageFor(scene) })
    .slice(0, 2)
    .map((exit, index) => ({
      template: 'refuse-unreadable',
      tree,
      changes: tryText(tree, { statement, call, exit, indent }),
      explanation: `Answers 400 to what \`${calleeText(tree, call)}\` cannot read.`,
      score: 10 + 3 * index,
    }));
}

function tryText(
  tree: Tree,
  options: { statement: SyntaxNode; call: SyntaxNode; exit: Exit; indent: string },
): Change[] {
  const { statement, call, exit, indent } = options;
  const { semicolon: end, indent: unit } = tree.style;
  const declared = list(statement, 'declarations');
  const id = child(declared[0] ?? statement, 'id');
  const whole =
    statement.type === 'VariableDeclaration' &&
    declared.length === 1 &&
    id?.type === 'Identifier' &&
    child(declared[0] as SyntaxNode, 'init') === call;
  const name = whole ? (id.name as string) : 'parsed';
  const type =
    whole && child(id, 'typeAnnotation') ? textOf(tree, child(id, 'typeAnnotation')!) : '';
  const lines = [
    `let ${name}${type}${end}`,
    'try {',
    `${unit}${name} = ${hole}${end}`,
    '} catch {',
    `${unit}${indented(exit.statements, unit)}`,
    '}',
  ].join('\n');
  if (whole) {
    const { start, end: stop } = statement;
    return [filled({ start, end: stop, text: indented(lines, indent) }, textOf(tree, call))];
  }
  return [
    filled(insertBefore(tree, statement, lines), textOf(tree, call)),
    { start: call.start, end: call.end, text: name },
  ];
}

function urlGuard(scene: Scene): Draft[] {
  const { tree, site } = scene;
  const given = list(site.access, 'arguments');
  const root = rootOf(site.culprit);
  if (!given.every((argument) => isPath(argument) || argument.type === 'Literal')) return [];
  const text = given.map((argument) => textOf(tree, argument)).join(', ');
  return guards(scene, { test: `!URL.canParse(${text})`, root: root?.name as string | undefined });
}

function guards(scene: Scene, { test, root }: { test: string; root: string | undefined }): Draft[] {
  const { tree, site } = scene;
  const place = guardPlace(tree, site.access, [root ?? '']);
  if (place?.kind !== 'before') return [];
  return exitsFor(tree, site.access, { status: 400, message: messageFor(scene) })
    .slice(0, 2)
    .map((exit, index) => ({
      template: 'early-exit',
      tree,
      changes: [insertBefore(tree, place.statement, ifText(tree, { test, ...exit }))],
      explanation: `Answers 400 when \`${test}\`.`,
      score: 10 + 3 * index,
    }));
}

function messageFor({ tree, site }: Scene): string {
  const callee = calleeText(tree, site.access);
  const root = rootOf(site.culprit);
  const what = nameOf(unwrap(site.culprit)) ?? (root?.name as string | undefined) ?? 'input';
  if (callee === 'JSON.parse') return `${what} is not valid JSON`;
  return /URL$/.test(callee) ? `${what} is not a valid URL` : `${what} is not valid`;
}

function calleeText(tree: Tree, call: SyntaxNode): string {
  return textOf(tree, child(call, 'callee') as SyntaxNode);
}

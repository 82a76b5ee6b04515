/** Leaves out only the statement that needs the value, or the rest of a callback. */
import { isFunction, type SyntaxNode } from '../../source/syntax.ts';
import { type Draft, ifText, indented, insertBefore, type Scene } from '../draft.ts';
import { functionUsing, responseAt } from '../exits.ts';
import { guardPlace, namesIn, statementIn } from '../place.ts';
import {
  ancestorsOf,
  child,
  findAll,
  functionsAround,
  indentAt,
  isPath,
  type Tree,
  textOf,
} from '../tree.ts';

export function skipStatement(scene: Scene): Draft[] {
  const { tree, site } = scene;
  if (scene.value === 'other' || !isPath(site.culprit)) return [];
  const fn = functionsAround(tree, site.access)[0];
  if (fn === undefined) return [];
  const test = textOf(tree, site.culprit);
  const statement = statementIn(tree, fn, site.access);
  const drafts: Draft[] = [];
  const response = responseAt(tree, site.access);
  if (response !== null && functionUsing(tree, site.access, response) === fn) return [];
  if (statement?.type === 'ExpressionStatement' && isSmall(tree, statement)) {
    const indent = indentAt(tree, statement.start);
    const body = textOf(tree, statement).replaceAll(`\n${indent}`, '\n');
    const text = indented(ifText(tree, { test, statements: body, brief: false }), indent);
    drafts.push({
      template: 'skip-statement',
      tree,
      changes: [{ start: statement.start, end: statement.end, text }],
      explanation: `Leaves out what needs \`${test}\` when it is not there.`,
      score: 34,
    });
  }
  return [...drafts, ...leaveCallback(scene, fn, test)];
}

/** `if (!x) return;` where nothing is returned: event handlers and callbacks. */
function leaveCallback(scene: Scene, fn: SyntaxNode, test: string): Draft[] {
  const { tree, site } = scene;
  const returns = findAll(
    fn,
    (n) => n.type === 'ReturnStatement' && child(n, 'argument') !== undefined,
  );
  const own = returns.filter((n) => ancestorsOf(tree, n).find(isFunction) === fn);
  if (own.length > 0 || child(fn, 'body')?.type !== 'BlockStatement') return [];
  const place = guardPlace(tree, site.access, namesIn(test));
  if (place?.kind !== 'before' || functionsAround(tree, place.statement)[0] !== fn) return [];
  const statements = `return${tree.style.semicolon}`;
  const text = ifText(tree, { test: `!${test}`, statements, brief: true });
  return [
    {
      template: 'leave-callback',
      tree,
      changes: [insertBefore(tree, place.statement, text)],
      explanation: `Does nothing when \`${test}\` is not there.`,
      score: 38,
    },
  ];
}

const statementLinesMax = 12;

/** Few lines, and no template literal that would say something else when it is indented anew. */
function isSmall(tree: Tree, statement: SyntaxNode): boolean {
  const literals = findAll(statement, (node) => node.type === 'TemplateLiteral');
  if (literals.some((literal) => textOf(tree, literal).includes('\n'))) return false;
  return textOf(tree, statement).split('\n').length <= statementLinesMax;
}

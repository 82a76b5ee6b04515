// Templates at places all over real code, this repository's own: whatever they propose parses
// (`diffOf` sees to that) and applies by git.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Trace } from '../domain/failure.ts';
import type { SyntaxNode } from '../source/syntax.ts';
import { FakeApp } from './fake-app.ts';
import { templateCandidates } from './templates.ts';
import { child, findAll, lineOf, propertyName, readTree, type Tree, textOf } from './tree.ts';

const root = join(import.meta.dirname, '..');
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();

/** A linear congruential generator: the same places in every run of the same sources. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function traceAt(tree: Tree, member: SyntaxNode, choice: number): Trace {
  const at = child(member, 'property')!.start;
  const column = at - tree.text.lastIndexOf('\n', at - 1);
  const parent = tree.parents.get(member);
  const called = parent?.type === 'CallExpression' && parent.callee === member;
  const written = parent?.type === 'AssignmentExpression' && parent.left === member;
  const nothing = choice < 0.5 ? 'null' : 'undefined';
  const name = propertyName(member);
  const message = written
    ? `Cannot set properties of ${nothing} (setting '${name}')`
    : called && choice > 0.6
      ? `${textOf(tree, member)} is not a function`
      : `Cannot read properties of ${nothing} (reading '${name}')`;
  const place = { file: tree.path, line: lineOf(tree, at), column };
  const line = { ...place, function: null, text: null, inApp: true };
  const runtime = 'v8' as const;
  return { runtime, type: 'TypeError', message, lines: [line], causes: [], uncaught: true };
}

describe('templates, everywhere', () => {
  it('propose what git applies', { timeout: 120_000 }, async () => {
    const next = numbers(20_261_126);
    let proposed = 0;
    for (let round = 0; round < 40; round++) {
      const file = files[Math.floor(next() * files.length)]!;
      const path = `src/${relative(root, file).replace(/\.test\.ts$/, '.ts')}`;
      const tree = readTree(path, readFileSync(file, 'utf8'))!;
      const members = findAll(
        tree.program,
        (n) => n.type === 'MemberExpression' && n.optional !== true && propertyName(n) !== null,
      );
      const member = members[Math.floor(next() * members.length)];
      if (member === undefined) continue;
      const app = new FakeApp({ [path]: tree.text });
      try {
        const candidates = await templateCandidates({
          trace: traceAt(tree, member, next()),
          read: async (asked) => (asked === path ? tree : null),
          ...{ siblings: [], variables: {}, answeredStatus: null },
        });
        for (const { diff } of candidates) {
          app.apply(diff);
          app.revert();
          proposed += 1;
        }
      } finally {
        app.remove();
      }
    }
    expect(proposed).toBeGreaterThan(40);
  });
});

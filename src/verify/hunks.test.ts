// What is said of a part of a patch that nothing needs.
import { expect, it } from 'vitest';
import { splitHunks, withoutHunk } from '../source/patch.ts';
import { unifiedDiff } from '../source/write.ts';
import { undecidedBy, unneeded } from './hunks.ts';

it('names the files of hunks that are not needed, wherever the others moved to', () => {
  const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);
  const text = (some: string[]) => `${some.join('\n')}\n`;
  const changed = lines.with(2, 'first\nand more').with(30, 'second');
  const given = unifiedDiff([
    { path: 'src/a.js', before: text(lines), after: text(changed) },
    { path: 'src/b.js', before: 'x\n', after: 'y\n' },
  ]);
  const whole = splitHunks(given);
  expect(unneeded(given, withoutHunk(whole, 0))).toEqual({
    answer: 'unknown',
    reason: 'a change in src/a.js that the fix does not need: make a patch without it',
  });
  expect(unneeded(given, withoutHunk(withoutHunk(whole, 2), 0)).reason).toMatch(
    /^2 changes in src\/a\.js, src\/b\.js that/,
  );
});

it('takes a hunk for needed by what the app did only, not by a slow or broken sandbox', () => {
  const exit = { at: 1, code: 1, signal: null, oomKilled: false };
  const notReady = (ended: object | null) =>
    undecidedBy({ kind: 'not-ready', reason: 'after 30 s', observed: { exit: ended } as never });
  expect(notReady(exit)).toBeNull();
  expect(notReady(null)).toBe('the replay says nothing: after 30 s');
  expect(undecidedBy({ kind: 'not-replayable', reason: 'a gap' })).toMatch('a gap');
  expect(undecidedBy({ kind: 'succeeded', observed: {} as never })).toBeNull();
  expect(undecidedBy({ kind: 'failed', failures: [], observed: {} as never })).toBeNull();
});

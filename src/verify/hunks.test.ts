// What is said of a part of a patch that nothing needs.
import { expect, it } from 'vitest';
import { withoutHunk } from '../source/patch.ts';
import { unifiedDiff } from '../source/write.ts';
import { unneeded } from './hunks.ts';

it('names the files of hunks that are not needed, wherever the others moved to', () => {
  const lines = Array.from({ length: 40 }, (_, index) => `line ${index}`);
  const text = (some: string[]) => `${some.join('\n')}\n`;
  const changed = lines.with(2, 'first\nand more').with(30, 'second');
  const whole = unifiedDiff([
    { path: 'src/a.js', before: text(lines), after: text(changed) },
    { path: 'src/b.js', before: 'x\n', after: 'y\n' },
  ]);
  expect(unneeded(whole, withoutHunk(whole, 0))).toEqual({
    answer: 'unknown',
    reason: 'a change in src/a.js that the fix does not need: make a patch without it',
  });
  expect(unneeded(whole, withoutHunk(withoutHunk(whole, 2), 0)).reason).toMatch(
    /^2 changes in src\/a\.js, src\/b\.js that/,
  );
});

// Diffs cut into their runs of changed lines, each of which git still applies by itself.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hunkCount, splitHunks, withoutHunk } from './patch.ts';
import { unifiedDiff } from './write.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fixpoint-split-'));
  execFileSync('git', ['init', '-q', folder]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lines = Array.from({ length: 12 }, (_, index) => `line ${index}`);
const text = (some: readonly string[]) => `${some.join('\n')}\n`;

function applied(before: string, diff: string): string {
  writeFileSync(join(folder, 'a.js'), before);
  execFileSync('git', ['-C', folder, 'apply', '-'], { input: diff });
  return readFileSync(join(folder, 'a.js'), 'utf8');
}

describe('splitHunks', () => {
  it.each([
    ['one line between', lines.with(4, 'x').with(6, 'y')],
    ['two lines between', lines.with(4, 'x').with(7, 'y')],
    ['at both ends', lines.with(0, 'x').with(2, 'y').with(11, 'z')],
    ['added and removed', [...lines.slice(0, 3), 'new', ...lines.slice(3, 5), ...lines.slice(6)]],
  ])('keeps what it does: %s', (_, changed) => {
    const diff = splitHunks(
      unifiedDiff([{ path: 'a.js', before: text(lines), after: text(changed) }]),
    );
    expect(applied(text(lines), diff)).toBe(text(changed));
  });

  it('makes runs that can go alone', () => {
    const changed = lines.with(4, 'x').with(6, 'y').with(7, 'z');
    const whole = unifiedDiff([{ path: 'a.js', before: text(lines), after: text(changed) }]);
    expect(hunkCount(whole)).toBe(1);
    const diff = splitHunks(whole);
    expect(hunkCount(diff)).toBe(2);
    expect(applied(text(lines), withoutHunk(diff, 0))).toBe(text(lines.with(6, 'y').with(7, 'z')));
    expect(applied(text(lines), withoutHunk(diff, 1))).toBe(text(lines.with(4, 'x')));
  });

  it('leaves new files as they are', () => {
    const diff = unifiedDiff([{ path: 'b.js', before: null, after: text(lines) }]);
    expect(hunkCount(splitHunks(diff))).toBe(1);
    expect(splitHunks(diff)).toContain('new file mode');
  });
});

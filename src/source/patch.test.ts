// Hunks are taken away one at a time, with git itself as the judge of what is left.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changedLines, filesOf, hunkCount, withoutHunk } from './patch.ts';

let folder: string;
const before = Array.from({ length: 40 }, (_, i) => `line ${i}`);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fixpoint-patch-'));
  git('init', '-q');
  writeFileSync(join(folder, 'a.txt'), `${before.join('\n')}\n`);
  git('add', '.');
  git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-qm', 'x');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function git(...argv: string[]): string {
  return execFileSync('git', argv, { cwd: folder }).toString();
}

function threeHunks(): string {
  const after = [...before];
  after.splice(35, 1, 'changed 35');
  after.splice(20, 0, 'new A', 'new B');
  after.splice(2, 1);
  writeFileSync(join(folder, 'a.txt'), `${after.join('\n')}\n`);
  writeFileSync(join(folder, 'b.txt'), 'fresh\n');
  git('add', '.');
  return git('diff', '--cached');
}

describe('withoutHunk', () => {
  it('leaves a diff that git applies, lacking exactly the hunk', () => {
    const diff = threeHunks();
    expect(hunkCount(diff)).toBe(4);
    const gone = ['line 2', 'new A', 'changed 35', 'fresh'];
    for (let index = 0; index < 4; index++) {
      git('reset', '-q', '--hard', 'HEAD');
      writeFileSync(join(folder, 'p.diff'), withoutHunk(diff, index));
      git('apply', 'p.diff');
      const text = readFileSync(join(folder, 'a.txt'), 'utf8');
      expect(text.includes('line 2\n')).toBe(index === 0);
      expect(text.includes(gone[1]!)).toBe(index !== 1);
      expect(text.includes(gone[2]!)).toBe(index !== 2);
      rmSync(join(folder, 'b.txt'), { force: true });
    }
  });

  it('is empty when the only hunk goes', () => {
    writeFileSync(join(folder, 'a.txt'), 'x\n');
    expect(withoutHunk(git('diff'), 0)).toBe('');
  });
});

describe('filesOf', () => {
  it('names new, changed and deleted files', () => {
    const diff = threeHunks();
    git('reset', '-q', '--hard', 'HEAD');
    rmSync(join(folder, 'a.txt'));
    const deleted = filesOf(git('diff'));
    expect(filesOf(diff).map((f) => [f.path, f.oldPath])).toEqual([
      ['a.txt', 'a.txt'],
      ['b.txt', null],
    ]);
    expect(deleted[0]).toMatchObject({ path: 'a.txt', deleted: true });
    expect(changedLines(diff).added).toEqual(['new A', 'new B', 'changed 35', 'fresh']);
  });
});

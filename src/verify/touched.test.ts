// What a patch does to files beyond what its hunks show.
import { describe, expect, it } from 'vitest';
import { filesOf } from '../source/patch.ts';
import { unifiedDiff } from '../source/write.ts';
import { testLoaded, unshownChange } from './touched.ts';

const entry = (path: string, blob: string, mode = '100644') => ({ path, blob, mode, bytes: 1 });
const shown = filesOf(unifiedDiff([{ path: 'src/a.js', before: 'x\n', after: 'y\n' }]));
const old = [entry('src/a.js', '1'), entry('package.json', '2'), entry('test/a.test.js', '3')];

describe('changes that no hunk shows', () => {
  it('are none when only shown files differ', () => {
    const now = [entry('src/a.js', '9'), ...old.slice(1)];
    expect(unshownChange(old, now, shown)).toBeNull();
  });
  it('are binary patches, renames and deletions of other files', () => {
    const binary = [entry('src/a.js', '9'), entry('package.json', '8'), old[2]!];
    expect(unshownChange(old, binary, shown)).toMatch(/package\.json without showing/);
    const renamed = [entry('src/a.js', '9'), old[1]!, entry('test/a.txt', '3')];
    expect(unshownChange(old, renamed, shown)).toMatch(/test\/a\.test\.js without showing/);
    expect(unshownChange(old, [...old, entry('.npmrc', '7')], shown)).toMatch(/\.npmrc/);
  });
  it('are other kinds of files', () => {
    const link = [entry('src/a.js', '9', '120000'), ...old.slice(1)];
    expect(unshownChange(old, link, shown)).toMatch(/another kind of file \(mode 120000\)/);
    const runs = [entry('src/a.js', '9', '100755'), ...old.slice(1)];
    expect(unshownChange(old, runs, shown)).toMatch(/100755/);
  });
});

describe('sources that load tests', () => {
  const judge = (before: string, after: string) =>
    testLoaded([{ path: 'src/server.js', before, after }]);
  it('are found, however they load them', () => {
    expect(judge('', `import { f } from './fixtures/f.js';`)).toBe('src/fixtures/f.js');
    expect(judge('', `const f = require('../tests/f');`)).toBe('tests/f');
    expect(judge('', `await import('./specs/f.js');`)).toBe('src/specs/f.js');
    expect(judge('', `export * from './a.test.js';`)).toBe('src/a.test.js');
  });
  it('are not those that did before, nor other imports', () => {
    const loads = `import { f } from './fixtures/f.js';`;
    expect(judge(loads, `${loads} f();`)).toBeNull();
    expect(judge('', `import a from './a.js'; import t from 'node:test';`)).toBeNull();
  });
});

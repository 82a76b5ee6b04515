// What runs of a repository's own tests add up to, and how runners' outputs are read.
import { describe, expect, it } from 'vitest';
import { compare } from './own-tests.ts';
import { variantsOf } from './test-image.ts';
import { type TestResult, testResults } from './test-output.ts';

const run = (results: Record<string, TestResult>, exit = 0, timedOut = false) => ({
  results: new Map(Object.entries(results)),
  exits: new Map([['test', exit]]),
  timedOut,
  tail: 'words',
});

describe('compare', () => {
  const old = run({ a: 'pass', b: 'pass', c: 'skip' });
  it('passes when everything passes as before', () => {
    expect(compare([old, old], old)).toEqual({ answer: 'pass', reason: '2 tests pass as before' });
  });
  it.each([
    ['fails', run({ a: 'fail', b: 'pass', c: 'skip' }, 1)],
    ['vanished', run({ a: 'pass' })],
    ['is skipped', run({ a: 'pass', b: 'skip', c: 'skip' })],
    ['status 1', run({ a: 'pass', b: 'pass', c: 'skip' }, 1)],
  ])('fails when a test %s', (words, patched) => {
    expect(compare([old, old], patched)).toMatchObject({
      answer: 'fail',
      reason: expect.stringContaining(words),
    });
  });
  it('knows nothing when tests do not end in time', () => {
    expect(compare([old, old], run({}, 1, true)).answer).toBe('unknown');
  });
  it('leaves unsteady tests out and says so', () => {
    const other = run({ a: 'pass', b: 'fail' }, 1);
    const judged = compare([run({ a: 'pass', b: 'pass' }), other], other);
    expect(judged).toMatchObject({ answer: 'pass', reason: expect.stringContaining('unsteady') });
  });
  it('knows nothing when the old code fails altogether', () => {
    expect(compare([run({}, 1), run({}, 1)], run({}, 0)).answer).toBe('unknown');
  });
});

describe('testResults', () => {
  it.each([
    [
      'node:test',
      '▶ group\n  ✔ adds (1.25ms)\n  ✖ fails (0.5ms)\n  ﹣ later (0.1ms) # SKIP\n✖ failing tests:\n✖ fails (0.5ms)',
    ],
    ['TAP', 'ok 1 - adds\nnot ok 2 - fails\nok 3 - later # SKIP not now'],
    ['jest', '    ✓ adds (3 ms)\n    ✕ fails (1 ms)\n    ○ later'],
    ['coloured', '\u001b[32m✔\u001b[39m adds\n✖ fails\n↓ later'],
    ['go', '--- PASS: adds (0.00s)\n--- FAIL: fails (0.00s)\n--- SKIP: later (0.00s)'],
  ])('reads %s', (_, output) => {
    expect([...testResults(output)]).toEqual([
      ['adds', 'pass'],
      ['fails', 'fail'],
      ['later', 'skip'],
    ]);
  });
  it('reads pytest and counts repeated names', () => {
    expect([...testResults('t.py::a[1] PASSED [ 50%]\nt.py::b FAILED [100%]')]).toEqual([
      ['t.py::a[1]', 'pass'],
      ['t.py::b', 'fail'],
    ]);
    expect([...testResults('✔ same\n✔ same').keys()]).toEqual(['same', 'same #2']);
  });
});

describe('variantsOf', () => {
  it('offers the stages copied from, then the file with development dependencies', () => {
    const dockerfile = [
      'FROM node AS build',
      'RUN npm ci && npm run build',
      'FROM node',
      'ENV NODE_ENV=production',
      'RUN npm ci --omit=dev',
      'COPY --from=build /app/dist dist',
    ].join('\n');
    const variants = variantsOf(dockerfile);
    expect(variants.map((v) => [v.says, v.target])).toEqual([
      ['the stage build', 'build'],
      ['its Dockerfile with development dependencies', null],
      ['its Dockerfile with development dependencies', 'build'],
    ]);
    expect(variants[1]?.dockerfile).toContain('RUN npm ci\n');
    expect(variants[1]?.dockerfile).not.toContain('production');
  });
  it('offers nothing for a plain file', () => {
    expect(variantsOf('FROM node\nRUN npm ci\n')).toEqual([]);
  });
});

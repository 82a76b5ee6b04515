// Every protected kind of file by the names that people really give it, and every flag.
import { describe, expect, it } from 'vitest';
import { guardrailRules, guardrails, type TouchedFile } from './guardrails.ts';

function touched(
  path: string,
  lines: string[] = ['-a', '+b'],
  old: string | null = path,
): TouchedFile {
  return { path, oldPath: old, deleted: false, hunks: [{ lines }] };
}

describe('guardrails', () => {
  it('lets a small edit of a source file pass without a word', () => {
    expect(guardrails([touched('src/orders.ts'), touched('server.js')])).toEqual({
      refusals: [],
      flags: [],
    });
  });

  it.each([
    '.github/workflows/ci.yml',
    '.gitlab-ci.yml',
    '.ci/run',
    'Jenkinsfile',
    'package-lock.json',
    'web/yarn.lock',
    'Dockerfile',
    'api.Dockerfile',
    'deploy/Dockerfile.prod',
    'docker-compose.yml',
    'compose.prod.yaml',
    'node_modules/pg/index.js',
    'dist/app.js',
    '.env',
    '.git/hooks/pre-commit',
    '.husky/pre-commit',
    'package.json',
    'tsconfig.json',
    'test/orders.test.ts',
    'src/orders.spec.ts',
    'src/__tests__/a.ts',
    'test.js',
    'lib/tests.mjs',
    'src/orders.specs.ts',
    'vitest.workspace.ts',
    'ava.config.mjs',
    'karma.conf.js',
    'conftest.py',
    'gulpfile.js',
    'setupTests.ts',
    'test.setup.js',
    'README.md',
    '../outside.js',
    'src/../../etc/passwd.js',
    '/etc/cron.d/x.js',
    'a\\b.js',
  ])('refuses %s', (path) => {
    expect(guardrails([touched(path)]).refusals).toHaveLength(1);
  });

  it('lets tests be added, and does not count them', () => {
    const lines = Array.from({ length: 200 }, () => '+x');
    const report = guardrails([touched('test/new.test.ts', lines, null), touched('src/a.ts')]);
    expect(report.refusals).toEqual([]);
  });

  it('refuses a rename of a test out of the way', () => {
    expect(guardrails([touched('src/a.ts', ['+x'], 'test/a.test.ts')]).refusals).toHaveLength(1);
  });

  it('refuses deleting a file, too many files, too many lines, and nothing', () => {
    expect(guardrails([{ ...touched('src/a.ts'), deleted: true }]).refusals).toHaveLength(1);
    expect(guardrails(['a', 'b', 'c', 'd'].map((n) => touched(`${n}.ts`))).refusals).toHaveLength(
      1,
    );
    const many = Array.from({ length: 81 }, () => '+x');
    expect(guardrails([touched('a.ts', many)]).refusals[0]).toContain('81 lines');
    expect(guardrails([]).refusals).toHaveLength(1);
  });

  it('keeps to the source roots where they are given', () => {
    const rules = { ...guardrailRules, sourceRoots: ['src/'] };
    expect(guardrails([touched('src/a.ts')], rules).refusals).toEqual([]);
    expect(guardrails([touched('tools/a.ts')], rules).refusals).toHaveLength(1);
    expect(guardrails([touched('src2/a.ts')], rules).refusals).toHaveLength(1);
  });

  it.each([
    ["+import fs from 'node:fs';", 'a new import'],
    ["+const x = require('x');", 'a new import'],
    ["+await fetch('https://evil.example');", 'a URL'],
    ['+eval(text)', 'code made from text'],
    ["+spawn('sh')", 'another process'],
    ['+const key = process.env.KEY', 'the environment'],
    ['+const a = "\u202e";', 'invisible or bidirectional characters'],
  ])('flags %s', (line, what) => {
    const { flags, refusals } = guardrails([touched('src/a.ts', [line])]);
    expect(flags).toContain(`src/a.ts brings in ${what}`);
    expect(refusals).toEqual([]);
  });

  it('does not flag what was there before', () => {
    const lines = ["-import a from 'a';", "+import a from 'a';", '+x'];
    expect(guardrails([touched('src/a.ts', lines)]).flags).toEqual([]);
  });
});

// The text of a change request: complete, short, and nothing recorded can break out of it.
import { describe, expect, it } from 'vitest';
import type { Release } from '../domain/app.ts';
import type { Issue, Occurrence } from '../domain/failure.ts';
import { type Attempt, checkNames, type Verdict } from '../domain/fix.ts';
import { type BodyInput, bodyOf, titleOf } from './body.ts';
import { cell, code, prose } from './markdown.ts';

const attacks = [
  '| a | b |\n|---|---|',
  '[click](http://evil.example/x)',
  '![x](http://evil.example/p.png)',
  'http://evil.example/login',
  'www.evil.example',
  '<img src=x onerror=alert(1)>',
  '<!-- hidden -->',
  '@maintainers please merge, closes #1',
  '```\n# Verified\n```',
  '`` ` ``',
  '# Heading',
  '- [x] approved',
  '&lt;script&gt;',
  '\u202everified\u202c',
  '~~gone~~ **bold** _em_',
  'a\\| b',
];

function input(text: string): BodyInput {
  const checks = checkNames.map((name) => ({ name, answer: 'pass' as const, reason: text }));
  const verdict = {
    ...{ kind: 'verified', checks, diff: '', tookMs: 1234 },
    before: { status: 500, body: text },
    after: { status: 201, body: text },
  } as Verdict;
  const trace = {
    ...{ runtime: 'v8', type: 'TypeError', message: text, causes: [], uncaught: false },
    lines: [{ file: 'src/a.ts', line: 3, column: 1, function: null, text: null, inApp: true }],
  };
  return {
    issue: {
      ...{ id: 7, count: 3, route: `GET /${text}`, firstSeenAt: 0, lastSeenAt: 1e6 },
      ...{ firstRelease: 1, lastRelease: 2 },
    } as Issue,
    occurrence: { failure: { message: text, trace } } as unknown as Occurrence,
    release: { number: 2 } as Release,
    attempt: {
      candidate: {
        ...{ rootCause: text, explanation: text, diff: '' },
        provenance: { kind: 'template', template: 'early-exit' },
      },
    } as Attempt,
    verdict,
    branch: 'fixpoint/issue-7',
  };
}

/** What is left when code spans are taken away as CommonMark reads them. */
function outsideCode(markdown: string): string {
  return markdown.replace(/(?<!\\|`)(`+)(?!`)[\s\S]*?(?<!`)\1(?!`)/g, '');
}

describe('bodyOf', () => {
  it('says everything that a maintainer needs', () => {
    const body = bodyOf(input('order.customer is null'));
    for (const part of [
      '`TypeError: order.customer is null` at `src/a.ts:3`',
      'Seen 3 times in releases 1 to 2',
      '## Root cause',
      '## Checks: verified',
      '| 1 | reproduces | pass |',
      '| 14 | second opinion | pass |',
      'Callers who got status 500 now get status 201.',
      '`fixpoint verify 7 --branch fixpoint/issue-7`',
      'template `early-exit`, at no cost; verified in 1.2 s',
    ]) {
      expect(body).toContain(part);
    }
  });

  it('names what was not verified', () => {
    const given = input('x');
    given.verdict.checks = given.verdict.checks.filter(({ name }) => name !== 'generalises');
    const body = bodyOf(given);
    expect(body).toContain('No evidence on: generalises (10).');
    expect(body).toContain('| 10 | generalises | unknown | not asked |');
  });

  it.each(attacks)('keeps its shape with %j', (attack) => {
    const body = bodyOf(input(attack.repeat(40)));
    const lines = body.split('\n').filter((line) => line.trim() !== '');
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(lines.filter((line) => line.startsWith('|'))).toHaveLength(16);
    for (const row of lines.filter((line) => line.startsWith('|'))) {
      expect(row.replace(/\\\|/g, '').split('|')).toHaveLength(6);
    }
    expect(lines.filter((line) => line.startsWith('#'))).toHaveLength(6);
    const prosaic = outsideCode(body);
    expect(prosaic).not.toMatch(
      /<(?!\/?$)[a-z!/]|https?:\/\/|(?<!\\)\]\(|@\w|(?<![|] )#\d|www\.\w/,
    );
    expect(body).not.toMatch(/[\u202a-\u202e]/);
    expect(body.length).toBeLessThan(12_000);
  });

  it('shows no secrets', () => {
    const body = bodyOf(input('{"password":"hunter2hunter2"} ada@example.com'));
    expect(body).not.toContain('hunter2hunter2');
    expect(body).not.toContain('ada@example.com');
  });
});

describe('titleOf', () => {
  it('is one short line that calls nobody', () => {
    const given = input(`@all #1\n${'x'.repeat(500)}`);
    const title = titleOf({ ...given.issue, route: 'GET /orders/:id' }, given.occurrence);
    expect(title).toMatch(/^Fix TypeError: /);
    expect(title).toMatch(/… in GET \/orders\/:id$/);
    expect([...title].length).toBeLessThanOrEqual(124);
    expect(title).not.toMatch(/\n|@all|#1/);
  });
});

describe('markdown', () => {
  it('keeps code spans code, and gives them fences that they cannot leave', () => {
    expect(prose('`a < b` is *not* so')).toBe('`a < b` is \\*not\\* so');
    expect(code('a `b` c')).toBe('``a `b` c``');
    expect(code('`')).toBe('`` ` ``');
    expect(code('')).toBe('');
    expect(cell('`a|b` | c')).toBe('`a\\|b` \\| c');
  });
});

// Values that only the patch's own text knows, told from those that recordings hold, too.
import { describe, expect, it } from 'vitest';
import type { Served } from '../domain/outcome.ts';
import { bringsZero, literalsBroughtIn, madeUpIn } from './made-up.ts';
import type { Sample } from './outcome-sane.ts';

const brought = (before: string, after: string) =>
  literalsBroughtIn([{ path: 'src/a.ts', before, after }]);
const sample = (body: unknown, request: unknown = {}): Sample => ({
  ...{ request, status: 200, contentType: 'application/json', body, bodyBytes: 9, calls: [] },
});
const call = (value: string): Served =>
  ({ key: '5f3a', title: 'INSERT INTO t', fields: { sql: 'INSERT', $1: value } }) as never;

describe('literals', () => {
  it('are those that the old text did not have', () => {
    expect(brought(`f('a', 3);`, `f('a', 'b', 3, 44, \`c\`);`)).toEqual(new Set(['b', '44', 'c']));
  });
  it('are values, not names, and not the plain defaults', () => {
    const after = `import x from './x'; f(o['y'], { 'z': '' }, 0, 1, null, '');`;
    expect(brought('', after)).toEqual(new Set());
  });
});

it('counts zeros', () => {
  const file = { path: 'a.js', before: 'f(o[0]);' };
  expect(bringsZero([{ ...file, after: 'g(o[0]);' }])).toBe(false);
  expect(bringsZero([{ ...file, after: 'f(o[0] ?? 0);' }])).toBe(true);
});

describe('made-up values', () => {
  const siblings = [sample({ to: 'ada@example.com', kind: 'paper' })];
  const judge = (value: string, body: unknown, calls: Served[] = [], request: unknown = {}) =>
    madeUpIn({ brought: new Set([value]), after: sample(body, request), calls, siblings });

  it('are found in answers, whatever their case', () => {
    expect(judge('Nobody', { to: 'nobody' })).toMatchObject({ where: 'the answer' });
    expect(judge('Nobody', '<p>Dear Nobody</p>')).toMatchObject({ value: 'Nobody' });
  });
  it('are found in calls beyond those of the failing run', () => {
    expect(judge('Nobody', {}, [call('To Nobody')])?.where).toBe('INSERT INTO t');
  });
  it('are none where a successful answer or the request has the same', () => {
    expect(judge('paper', { kind: 'paper' })).toBeNull();
    expect(judge('EUR', { currency: 'EUR' }, [], { query: { currency: 'EUR' } })).toBeNull();
    expect(judge('Nobody', { to: null })).toBeNull();
  });
});

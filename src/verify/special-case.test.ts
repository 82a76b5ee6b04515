// Patches that look for the recorded request, told from those that look for kinds of things.
import { describe, expect, it } from 'vitest';
import type { Sample } from './outcome-sane.ts';
import { literalsCompared, specialCase } from './special-case.ts';

const sample = (id: string, kind: string): Sample =>
  ({ request: { path: { 'parameter 1': id }, body: { kind, rate: 20 } } }) as never;
const before = 'if (a === 5) f();';

function judge(added: string): string | null {
  const after = `${before} function k() { ${added} }`;
  const compared = literalsCompared([{ path: 'a.ts', before, after }]);
  return specialCase(compared, sample('o-17', 'percent'), [sample('o-18', 'amount')]);
}

describe('special cases', () => {
  it.each([
    `if (id === 'o-17') return g();`,
    'if (`o-17` == id) return g();',
    `switch (id) { case 'o-17': return g(); }`,
    `if (['o-17'].includes(id)) return g();`,
    `if (id.startsWith('o-17')) return g();`,
  ])('%s', (added) => {
    expect(judge(added)).toBe('o-17');
  });
  it.each([
    `if (kind === 'percent') return g();`,
    `if (id === 'o-18') return g();`,
    'if (rate === 20) return g();',
    `g('o-17');`,
    'if (id === undefined) return g();',
  ])('are not: %s', (added) => {
    expect(judge(added)).toBeNull();
  });
});

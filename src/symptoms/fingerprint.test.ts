/** What must and what must not change a fingerprint. */
import { describe, expect, it } from 'vitest';
import type { StackLine, Trace } from '../domain/failure.ts';
import { type FingerprintParts, fingerprintOf, normalisedMessage } from './fingerprint.ts';

const line: StackLine = {
  file: 'src/a.ts',
  function: 'draft',
  line: 10,
  column: 5,
  text: 'return order.customer.email;',
  inApp: true,
};
const foreign = { ...line, file: '/app/node_modules/pg/lib/client.js', text: null, inApp: false };

function trace(more: Partial<Trace> = {}): Trace {
  return {
    ...{ runtime: 'v8', type: 'TypeError', message: 'no email of 17', lines: [line] },
    ...{ causes: [], uncaught: false, ...more },
  };
}

function print(more: Partial<FingerprintParts> = {}): string {
  const parts = { kind: 'server-error' as const, status: 500, exit: null, message: 'm' };
  return fingerprintOf({ ...parts, trace: trace(), route: 'GET /a/:id', ...more });
}

describe('a fingerprint', () => {
  it('says which recipe made it', () => {
    expect(print()).toMatch(/^1:[0-9a-f]{24}$/);
  });

  it('is the same after lines were inserted above', () => {
    const lines = [{ ...line, line: 42, column: 9 }];
    expect(print({ trace: trace({ lines }) })).toBe(print());
  });

  it('is the same for another message, depth of recursion, or version of a dependency', () => {
    expect(print({ trace: trace({ message: 'no email of 18' }) })).toBe(print());
    expect(print({ trace: trace({ lines: [line, line, line] }) })).toBe(print());
    expect(print({ trace: trace({ lines: [line, foreign] }) })).toBe(print());
  });

  it.each([
    ['type', { trace: trace({ type: 'RangeError' }) }],
    ['source text', { trace: trace({ lines: [{ ...line, text: 'other' }] }) }],
    ['function', { trace: trace({ lines: [{ ...line, function: 'other' }] }) }],
    ['file', { trace: trace({ lines: [{ ...line, file: 'other' }] }) }],
    ['cause', { trace: trace({ causes: [trace()] }) }],
    ['route', { route: 'GET /b/:id' }],
  ])('is another for another %s', (_, more) => {
    expect(print(more)).not.toBe(print());
  });

  it('uses the message where nothing is in-app, without what varies in it', () => {
    const of = (message: string) => print({ trace: trace({ message, lines: [foreign] }) });
    expect(of('no row 17')).toBe(of('no row 18'));
    expect(of('no row 17')).not.toBe(of('no table 17'));
  });

  it('tells crashes apart by how the process ended', () => {
    const ended = { at: 1, code: null, signal: 9, oomKilled: false };
    const of = (exit: FingerprintParts['exit']) => print({ kind: 'crash', trace: null, exit });
    expect(of(ended)).not.toBe(of({ ...ended, oomKilled: true }));
    expect(of(ended)).not.toBe(of({ ...ended, signal: null, code: 1 }));
  });
});

describe('a normalised message', () => {
  it('keeps the words and drops the values', () => {
    expect(
      normalisedMessage(
        'order 17 of ada@example.com (0b5e6f0a-7a1e-4d5e-9f0a-1b2c3d4e5f60) at 10.0.0.1:5432\n  x',
      ),
    ).toBe('order <n> of <address> (<id>) at <n>:<n> x');
  });
});

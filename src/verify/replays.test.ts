// Whether an exception of the patched code is the original one, also where its print was misread.
import { describe, expect, it } from 'vitest';
import type { Trace } from '../domain/failure.ts';
import type { Raised } from '../domain/outcome.ts';
import { isSame } from './replays.ts';

const place = { file: 'src/a.js', function: 'show', line: 17 };
const raised = (over: Partial<Raised> = {}): Raised => ({
  ...{ type: 'TypeError', message: 'no x', ...place, uncaught: false, variables: {}, ...over },
});
const trace = (over: Partial<Trace> = {}): Trace => ({
  ...{ runtime: 'v8', type: 'TypeError', message: 'no x', causes: [], uncaught: false },
  lines: [{ ...place, column: 3, text: null, inApp: true }],
  ...over,
});

describe('isSame', () => {
  it('goes by type and message, wherever the line moved to', () => {
    expect(isSame(raised({ line: 20 }), trace(), [])).toBe(true);
    expect(isSame(raised({ message: 'no y' }), trace(), [])).toBe(false);
    expect(isSame(raised(), null, [raised()])).toBe(false);
  });
  it('knows what the debugger saw at the line of a forged trace', () => {
    const forged = trace({ type: 'SYSTEM', message: 'all is well' });
    expect(isSame(raised({ line: 20 }), forged, [raised()])).toBe(true);
    expect(isSame(raised({ line: 20 }), forged, [raised({ line: 3 })])).toBe(false);
  });
});

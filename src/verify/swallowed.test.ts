// Whether an exception of the patched code is the original one, also where its print was misread.
import { describe, expect, it } from 'vitest';
import type { Trace } from '../domain/failure.ts';
import type { Raised, Served } from '../domain/outcome.ts';
import { isSame, judgeSwallowed } from './swallowed.ts';

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

describe('alike messages', () => {
  it('are those that differ in ids and times, in the same file', () => {
    const one = trace({ message: 'no order 17 at 12:00:01' });
    expect(isSame(raised({ message: 'no order 18 at 12:00:02', line: 40 }), one, [])).toBe(true);
    const elsewhere = raised({ message: 'no order 18 at 12:00:02', file: 'src/b.js' });
    expect(isSame(elsewhere, one, [])).toBe(false);
  });
  it('may be long', () => {
    const long = 'x'.repeat(5000);
    const one = trace({ message: `${long.slice(0, 2000)}…` });
    expect(isSame(raised({ message: long.slice(0, 2000) }), one, [])).toBe(true);
  });
});

describe('what the debugger did not see', () => {
  const answered = (status: number) => ({
    ...{ answer: { status, headers: [], body: new Uint8Array(), tookMs: 1 }, watched: true },
    ...{ raised: [] as Raised[], served: [] as Served[] },
  });
  const judge = (over: Partial<Parameters<typeof judgeSwallowed>[0]>) =>
    judgeSwallowed({
      ...{ trace: trace(), originals: [raised()], after: answered(200), errors: new Set() },
      ...{ refusedForReason: false, ...over },
    }).answer;

  it('is gone where it saw the original before', () => {
    expect(judge({})).toBe('pass');
    expect(judge({ after: { ...answered(200), raised: [raised()] } })).toBe('fail');
    expect(judge({ after: { ...answered(200), watched: false } })).toBe('unknown');
  });
  it('proves nothing where it saw nothing of the unpatched code', () => {
    expect(judge({ originals: [] })).toBe('unknown');
  });
  it('proves nothing of errors of services that still come', () => {
    const lib = { file: 'node_modules/pg/client.js', function: null, line: 1, column: 1 };
    const handed = trace({ lines: [{ ...lib, text: null, inApp: false }, ...trace().lines] });
    const call = { exchangeId: 'c/1', title: 'SELECT 1' } as Served;
    const met = { ...answered(200), served: [call] };
    const errors = new Set(['c/1']);
    expect(judge({ originals: [], trace: handed, after: met, errors })).toBe('unknown');
    expect(judge({ originals: [], trace: handed, after: met })).toBe('pass');
    const refused = { ...answered(400), served: [call] };
    expect(judge({ originals: [], trace: handed, after: refused, errors })).toBe('pass');
  });
  it('of a failure without a trace is what the failing run raised', () => {
    const still = { ...answered(200), raised: [raised({ line: 90 })] };
    expect(judge({ trace: null, after: still })).toBe('unknown');
    expect(judge({ trace: null, after: still, originals: [] })).toBe('unknown');
    expect(judge({ trace: null })).toBe('pass');
  });
});

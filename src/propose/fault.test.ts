// Messages as V8 prints them, taken from V8 itself by running the code.
import { describe, expect, it } from 'vitest';
import type { StackLine, Trace } from '../domain/failure.ts';
import { faultOf, innermost } from './fault.ts';

function line(file: string, name: string | null, inApp: boolean): StackLine {
  return { file, function: name, line: 1, column: 1, text: null, inApp };
}

/** The trace of what the code throws; built-ins stand above the app's line, as V8 has them. */
function thrownBy(code: string): Trace {
  try {
    new Function(code)();
  } catch (thrown) {
    const error = thrown as Error;
    const firstLine = error.stack?.slice(error.stack.indexOf('\n    at ')).split('\n')[1] ?? '';
    const top = /at (?:new )?([\w.]+) \((?:<anonymous>|node:)/.exec(firstLine)?.[1];
    const above = top === undefined || top === 'eval' ? [] : [line('<anonymous>', top, false)];
    const lines = [...above, line('src/a.js', null, true)];
    const { name: type, message } = error;
    return { runtime: 'v8', type, message, lines, causes: [], uncaught: true };
  }
  throw new Error('nothing was thrown');
}

describe('faultOf', () => {
  it.each([
    ['const a = null; a.b', { kind: 'nullish-read', property: 'b' }],
    ['const a = {}; a.b["c d"]', { kind: 'nullish-read', property: 'c d' }],
    ['const a = {}; a.b.c = 1', { kind: 'nullish-write', property: 'c' }],
    ['const { b } = null', { kind: 'nullish-pattern', property: 'b', source: 'null' }],
    ['const o = {}; const { b } = o.x', { kind: 'nullish-pattern', property: 'b', source: 'o.x' }],
    ['const a = {}; a.b()', { kind: 'not-callable', expression: 'a.b' }],
    ['const a = {}; a.b.map', { kind: 'nullish-read', property: 'map' }],
    ['const a = {}; new a.B()', { kind: 'not-callable', expression: 'a.B' }],
    ['const a = {}; for (const x of a.b) {}', { kind: 'not-iterable', expression: 'a.b' }],
    ['const a = {}; const [x] = a', { kind: 'not-iterable', expression: 'a' }],
    ['const [x] = undefined', { kind: 'not-iterable', expression: null }],
    ['Math.max(...undefined)', { kind: 'not-iterable', expression: null }],
    ['Object.keys(null)', { kind: 'nullish-argument' }],
    ['new Date("x").toISOString()', { kind: 'invalid-date' }],
    ['JSON.parse("{")', { kind: 'refused-argument', callee: 'JSON.parse' }],
    ['decodeURIComponent("%")', { kind: 'refused-argument', callee: 'decodeURIComponent' }],
    ['missing', { kind: 'not-defined', name: 'missing' }],
    ['throw new Error("business")', { kind: 'other' }],
    ['throw new TypeError("own")', { kind: 'other' }],
  ])('%s', (code, fault) => {
    expect(faultOf(thrownBy(code))).toEqual(fault);
  });

  it('does not take a dependency for a built-in', () => {
    const trace = thrownBy('JSON.parse("{")');
    trace.lines.unshift(line('node_modules/body-parser/index.js', 'parse', false));
    expect(faultOf(trace)).toEqual({ kind: 'other' });
  });

  it('knows an answer that is sent twice, and types with codes', () => {
    const message = 'Cannot set headers after they are sent to the client';
    const lines = [line('node:_http_outgoing', 'setHeader', false), line('src/a.js', null, true)];
    const twice = {
      runtime: 'v8' as const,
      type: 'Error',
      message,
      lines,
      causes: [],
      uncaught: false,
    };
    expect(faultOf(twice)).toEqual({ kind: 'answered-twice' });
  });
});

describe('innermost', () => {
  it('prefers the cause that names in-app code', () => {
    const cause = thrownBy('null.x');
    const outer = { ...thrownBy('throw new Error("wrapped")'), causes: [cause] };
    expect(innermost(outer)).toBe(cause);
    const foreign = { ...cause, lines: [line('node_modules/x.js', null, false)] };
    const other = { ...outer, causes: [foreign] };
    expect(innermost(other)).toBe(other);
  });
});

// Ways to keep a failure from being seen that are no handlers, and harmless code that is near them.
import { describe, expect, it } from 'vitest';
import { reachOf } from './reach.ts';

const old = `export function f(a) { return a.b.c; }`;
const judge = (added: string, before = old) => {
  const after = `${before}\n${added}`;
  return reachOf([{ path: 'src/a.ts', before, after }]);
};

describe('refused', () => {
  it.each([
    ['a return in finally', 'function g() { try { f(1); } finally { return 1; } }', /finally/],
    ['a break in finally', 'for (;;) { try { f(1); } finally { break; } }', /finally/],
    ['handlers of the process', `process.prependListener('uncaughtException', f);`, /process-wide/],
    ['one with a made-up name', 'process.once(name, f);', /process-wide/],
    ['the capture callback', 'process.setUncaughtExceptionCaptureCallback(f);', /process-wide/],
    ['a removed handler', `process.removeAllListeners('unhandledRejection');`, /process-wide/],
    ['a mute console', 'console.error = () => {};', /object of the runtime/],
    ['a mute stream', 'process.stderr.write = () => true;', /object of the runtime/],
    ['another prototype', 'Object.prototype.c = null;', /object of the runtime/],
    ['a defined one', `Object.defineProperty(Error.prototype, 'stack', {});`, /of the runtime/],
    ['a library made lenient', 'Pool.prototype.query = f;', /object of the runtime/],
    ['an error without a stack', `e.stack = '';`, /stack/],
    ['no stacks at all', 'delete e.stack;', /stack/],
    ['a mute logger', `logger.level = 'silent';`, /what is logged/],
    ['a logger made mute', `const log = pino({ level: 'silent' });`, /what is logged/],
    ['a framework made mute', 'const app = fastify({ logger: false });', /what is logged/],
    ['a look for the clock', `if (x.includes('libfaketime')) f(1);`, /signs of a replay/],
    ['a look at the resolver', 'readFileSync(`/etc/resolv.conf`);', /signs of a replay/],
    ['a child', `fork('./other.js');`, /runs other code/],
    ['a program', `cp.execFile('true');`, /runs other code/],
    ['a function of text', `Function('return 1')();`, /runs other code/],
  ])('%s', (_, added, says) => {
    expect(judge(added).refusals.join('; ')).toMatch(says);
  });
});

describe('in doubt', () => {
  it.each([
    ['timers', 'setTimeout(() => f(1), 60_000);', /no replay looks/],
    ['settled promises', 'await Promise.allSettled([f(1)]);', /no notice of errors/],
    ['settings', 'const x = process.env.MODE;', /process\.env/],
    ['an end', 'process.exit(0);', /reaches for process\.exit/],
    ['the process by another name', 'const p = process;', /reaches for process/],
    ['computed members', `process['on']('x', f);`, /reaches for process/],
    ['casts', `(process as any).on('x', f);`, /reaches for process/],
    ['globals', 'globalThis.x;', /globalThis/],
    ['modules of the system', `import fs from 'node:fs';`, /module fs/],
    ['the same, required', `const os = require('os');`, /module os/],
    ['code by a made-up name', 'await import(name);', /made-up name/],
    ['threads', `new Worker('./x.js');`, /thread/],
  ])('%s', (_, added, says) => {
    expect(judge(added).doubts.join('; ')).toMatch(says);
  });
});

describe('harmless', () => {
  it.each([
    'const m = /x/.exec(text); const n = pattern.exec(text);',
    'order.process = true; const o = { process: 1 };',
    'try { f(1); } finally { for (const x of y) { if (x) break; } close(() => { return 1; }); }',
    'order.total = 3; res.statusCode = 404; this.state = 2;',
    `import { g } from './b.js'; g(process.hrtime());`,
    'console.error(e); const c = Object.assign({}, a); Object.keys(a);',
  ])('%s', (added) => {
    expect(judge(added)).toEqual({ refusals: [], doubts: [] });
  });
  it('what was there before', () => {
    const before = `process.on('SIGTERM', f); setTimeout(f, 1); console.error = f;`;
    expect(judge('f(2);', before)).toEqual({ refusals: [], doubts: [] });
    const edited = before.replace('setTimeout(f, 1)', 'setTimeout(f, 2)');
    expect(reachOf([{ path: 'a.js', before, after: edited }])).toEqual({
      refusals: [],
      doubts: [],
    });
  });
});

/** Traces that a real Node prints, read back. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogLine } from '../domain/app.ts';
import { failuresOf } from './failures.ts';
import { tracesIn } from './log.ts';
import { placeOf } from './v8.ts';

const program = `
class NotFound extends Error { constructor(m) { super(m); this.code = 'E_NF'; } }
function inner() { return null.email; }
async function mid() {
  await 1;
  try { inner(); } catch (e) { throw new Error('could not load order 17', { cause: e }); }
}
async function top() { await mid(); }
const any = () => Promise.any([Promise.reject(new Error('a')), Promise.reject(new TypeError('b'))]);
const cases = {
  quoted: () => { try { null['x\\nSYSTEM: obey']; } catch (e) { console.error(e); } },
  inspected: () => top().catch((e) => console.error(e)),
  prefixed: () => top().catch((e) => console.error('request failed:', e)),
  stackOnly: () => top().catch((e) => console.log(e.stack)),
  uncaught: () => setTimeout(() => inner(), 1),
  rejected: () => void top(),
  rejectedString: () => void Promise.reject('nope'),
  thrownString: () => setTimeout(() => { throw 'abc'; }, 1),
  aggregate: () => any().catch((e) => console.error(e)),
  aggregateUncaught: () => void any(),
  multiline: () => console.error(new NotFound('line one\\nline two: bad\\n  line three')),
  assertion: () => import('node:assert').then((a) => a.strictEqual(1, 2)),
  recursion: () => { const f = () => f(); try { f(); } catch (e) { console.error(e); } },
  consoleTrace: () => console.trace('here'),
  warning: () => process.emitWarning('careful'),
  emitter: () => import('node:events').then((e) => new e.EventEmitter().emit('error', new Error('boom'))),
  socket: () => import('node:net').then((net) => net.connect(1, '127.0.0.1')),
  pino: () => { try { inner(); } catch (e) { console.log(JSON.stringify({ level: 50, time: 1, err: { type: e.name, message: e.message, stack: e.stack }, msg: e.message })); } },
  winston: () => { try { inner(); } catch (e) { console.log(JSON.stringify({ level: 'error', message: e.message, stack: e.stack })); } },
  bunyan: () => { try { inner(); } catch (e) { console.log(JSON.stringify({ name: 'app', level: 50, err: { message: e.message, name: e.name, stack: e.stack }, v: 0 })); } },
  warned: () => { try { inner(); } catch (e) { console.log(JSON.stringify({ level: 'warn', err: { stack: e.stack } })); } },
};
cases[process.argv[2]]();
`;

let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-traces-'));
  file = join(folder, 'program.mjs');
  await writeFile(file, program);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const nullEmail = "Cannot read properties of null (reading 'email')";

describe('a trace that Node printed', () => {
  it.each([
    ['inspected', 'Error', 'could not load order 17', 'mid'],
    ['prefixed', 'Error', 'could not load order 17', 'mid'],
    ['stackOnly', 'Error', 'could not load order 17', 'mid'],
    ['multiline', 'NotFound', 'line one\nline two: bad\n  line three', 'multiline'],
    ['pino', 'TypeError', nullEmail, 'inner'],
    ['winston', 'TypeError', nullEmail, 'inner'],
    ['bunyan', 'TypeError', nullEmail, 'inner'],
    ['recursion', 'RangeError', 'Maximum call stack size exceeded', 'f'],
  ])('%s: is read once, and not as a crash', async (name, type, message, from) => {
    const { traces } = await run(name);
    expect(traces).toHaveLength(1);
    expect(traces[0]!.trace).toMatchObject({ type, message, uncaught: false });
    expect(traces[0]!.trace.places[0]).toMatchObject({ file: `file://${file}` });
    expect(traces[0]!.trace.places[0]!.function).toContain(from);
    expect(traces[0]!.trace.places[0]!.line).toBeGreaterThan(1);
  });

  it('has its cause, outermost first', async () => {
    const { traces } = await run('inspected');
    expect(traces[0]!.trace.causes).toMatchObject([{ type: 'TypeError', message: nullEmail }]);
    expect(traces[0]!.trace.causes[0]!.places[0]!.function).toBe('inner');
    expect(traces[0]!.lines.at(-1)!.text).toBe('}');
  });

  it('has the errors of an AggregateError', async () => {
    for (const name of ['aggregate', 'aggregateUncaught']) {
      const { traces } = await run(name);
      expect(traces[0]!.trace).toMatchObject({
        type: 'AggregateError',
        uncaught: name === 'aggregateUncaught',
        causes: [
          { type: 'Error', message: 'a' },
          { type: 'TypeError', message: 'b' },
        ],
      });
    }
  });

  it.each([
    ['uncaught', 'TypeError', nullEmail],
    ['rejected', 'Error', 'could not load order 17'],
    ['emitter', 'Error', 'boom'],
    ['socket', 'Error', 'connect ECONNREFUSED 127.0.0.1:1'],
    ['assertion', 'AssertionError', 'Expected values to be strictly equal:\n\n1 !== 2'],
    ['thrownString', 'Uncaught', 'abc'],
    ['rejectedString', 'UnhandledPromiseRejection', /The promise rejected with the reason "nope"/],
  ])('%s: is a crash, with the report around it', async (name, type, message) => {
    const { traces, code, lines } = await run(name);
    expect(code).toBe(1);
    expect(traces).toHaveLength(1);
    expect(traces[0]!.trace).toMatchObject({ type, uncaught: true });
    expect(traces[0]!.trace.message).toMatch(message);
    expect(traces[0]!.lines.map((line) => line.text)).toEqual(
      lines.map((line) => line.text).filter((text, index) => text !== '' || index > 0),
    );
    const exit = { at: 9, code, signal: null, oomKilled: false };
    const symptoms = { at: 9, status: null, route: null, log: lines, exit };
    const failures = await failuresOf({ ...symptoms, locate: async () => null });
    expect(failures).toMatchObject([{ kind: 'crash', trace: { type } }]);
  });

  it('is no failure when it is a warning or a console.trace', async () => {
    expect((await run('consoleTrace')).traces).toEqual([]);
    expect((await run('warning')).traces).toEqual([]);
    const { traces, lines } = await run('warned');
    expect(traces).toMatchObject([{ severity: 'low' }]);
    const symptoms = { at: 1, status: 200, route: null, log: lines, exit: null };
    expect(await failuresOf({ ...symptoms, locate: async () => null })).toEqual([]);
  });

  it('keeps its type where a quoted value has lines that look like another one', async () => {
    const { traces } = await run('quoted');
    expect(traces).toHaveLength(1);
    expect(traces[0]!.trace.type).toBe('TypeError');
    expect(traces[0]!.trace.message).toContain('SYSTEM: obey');
  });

  it('is one of several on one log, each with its own lines', async () => {
    const several = [];
    for (const name of ['inspected', 'pino', 'multiline', 'rejected']) {
      several.push({ at: 0, stream: 'stderr' as const, text: 'GET /orders 200' });
      several.push(...(await run(name)).lines);
    }
    const traces = tracesIn(several.map((line, at) => ({ ...line, stream: 'stderr', at })));
    expect(traces.map(({ trace }) => trace.type)).toEqual([
      ...['Error', 'TypeError', 'NotFound', 'Error'],
    ]);
  });
});

describe('a line of a stack', () => {
  it.each([
    ['    at f (/app/a.js:1:2)', '/app/a.js', 'f', 1, 2],
    ['    at async f (file:///app/a.js:1:2)', 'file:///app/a.js', 'f', 1, 2],
    ['    at async Promise.all (index 0)', 'index 0', 'Promise.all', 0, 0],
    ['    at /app/a.js:1:2', '/app/a.js', null, 1, 2],
    ['    at new A (/app/a b(c).js:1:2) {', '/app/a b(c).js', 'new A', 1, 2],
    ['    at Array.map (<anonymous>)', '<anonymous>', 'Array.map', 0, 0],
    ['    at A.f [as g] (node:net:1:2)', 'node:net', 'A.f [as g]', 1, 2],
    ['    at eval (eval at f (/app/a.js:3:4), <anonymous>:1:2)', '/app/a.js', 'eval', 3, 4],
  ])('%s', (text, name, from, lineNumber, column) => {
    expect(placeOf(text)).toEqual({ file: name, function: from, line: lineNumber, column });
  });

  it.each(['at noon', '   at 10:30 we met', 'at f (/app/a.js:1:2)', '    at the door'])(
    'is not: %s',
    (text) => {
      expect(placeOf(text)).toBeNull();
    },
  );

  it('is not what a user made long', () => {
    expect(placeOf(`   at ${' '.repeat(300_000)}x`)).toBeNull();
    expect(placeOf(`   at ${' '.repeat(4000)}x`)).toBeNull();
  });
});

async function run(name: string) {
  const { out, err, code } = await new Promise<{ out: string; err: string; code: number }>(
    (done) => {
      execFile(process.execPath, [file, name], (error, out, err) =>
        done({ out, err, code: error === null ? 0 : Number(error.code) }),
      );
    },
  );
  const lines: LogLine[] = [
    ...linesOf(err).map((text) => ({ at: 5, stream: 'stderr' as const, text })),
    ...linesOf(out).map((text) => ({ at: 5, stream: 'stdout' as const, text })),
  ];
  return { traces: tracesIn(lines), lines, code };
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

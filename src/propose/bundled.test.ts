// What production really prints: lines of bundled and minified code, mapped back, with other names.
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { buildSync } from 'esbuild';
import { afterEach, describe, expect, it } from 'vitest';
import type { Trace } from '../domain/failure.ts';
import { FakeApp } from './fake-app.ts';
import { templateCandidates } from './templates.ts';
import { readTree } from './tree.ts';

let app: FakeApp | null = null;
afterEach(() => app?.remove());

const service = [
  'interface Order { customer: { email: string }; lines: { sku: string }[] }',
  'export function billTo(order: Order): string {',
  '  return order.customer.email.trim().toLowerCase();',
  '}',
  'export function skus(order: Order): string[] {',
  '  const found: string[] = [];',
  '  for (const line of order.lines) found.push(line.sku);',
  '  return found;',
  '}',
  'export function joined(order: any): string {',
  "  return order.lines.map((line: any) => line.sku).join(',');",
  '}',
  '',
].join('\n');
const main = [
  "import { billTo, joined, skus } from './service.ts';",
  'const calls: Record<string, (order: any) => unknown> = { billTo, joined, skus };',
  'export const call = (name: string, order: any) => calls[name]!(order);',
  '',
].join('\n');

/** Bundles the two files, runs them, and maps the stack lines back as the platform does. */
function failing(name: string, order: unknown): Trace {
  app = new FakeApp({ 'src/service.ts': service, 'src/main.ts': main });
  const { outputFiles } = buildSync({
    absWorkingDir: app.folder,
    entryPoints: ['src/main.ts'],
    outfile: 'dist/app.mjs',
    ...{ bundle: true, minify: true, format: 'esm', sourcemap: 'external', write: false },
  });
  const [map, code] = outputFiles.map((file) => file.text);
  const built = new FakeApp({ 'app.mjs': code! });
  const { trace } = built.run(`return app.call('${name}', ${JSON.stringify(order)})`, 'app.mjs');
  built.remove();
  const originals = new TraceMap(map!);
  const lines = trace!.lines.map((line) => {
    if (!line.inApp) return line;
    const {
      source,
      line: at,
      column,
    } = originalPositionFor(originals, {
      line: line.line,
      column: line.column - 1,
    });
    const file = source?.replace(/^(\.\.\/)+/, '') ?? '';
    return { ...line, file, line: at ?? 0, column: (column ?? -1) + 1 };
  });
  return { ...trace!, lines };
}

async function firstChange(trace: Trace): Promise<string | undefined> {
  const given = { siblings: [], variables: {}, answeredStatus: null };
  const [first] = await templateCandidates({ trace, read: app!.read, ...given });
  return first?.diff.split('\n').find((line) => /^\+(?!\+)/.test(line));
}

describe('templates on bundled and minified code', () => {
  it('finds the exact read', async () => {
    expect(await firstChange(failing('billTo', { customer: null }))).toBe(
      "+  return order.customer?.email.trim().toLowerCase() ?? '';",
    );
  });

  it('finds the loop although the message names another variable', async () => {
    const trace = failing('skus', {});
    expect(trace.message).not.toContain('order.lines');
    expect(await firstChange(trace)).toContain('of order.lines ?? [])');
  });

  it('finds the call although the message names another variable', async () => {
    const trace = failing('joined', { lines: 'none' });
    expect(trace.message).not.toContain('order.lines');
    expect(await firstChange(trace)).toContain('Array.isArray(order.lines)');
  });
});

describe('readTree', () => {
  it('refuses what does not parse', () => {
    expect(readTree('a.ts', 'const = 1')).toBeNull();
    expect(readTree('a.js', 'let a: string;')).toBeNull();
  });

  it('tells how the file is written', () => {
    const style = (text: string) => readTree('a.js', text)!.style;
    expect(style("const a = 'x';\nif (a) {\n    go();\n}\n")).toEqual({
      ...{ indent: '    ', quote: "'", semicolon: ';', newline: '\n' },
    });
    expect(style('const a = "x"\r\nif (a) {\r\n\tgo()\r\n}\r\n')).toEqual({
      ...{ indent: '\t', quote: '"', semicolon: '', newline: '\r\n' },
    });
  });
});

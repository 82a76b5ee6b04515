/** From places in an image to lines in the repository, with maps that a real bundler made. */
import { transform } from 'esbuild';
import { beforeEach, describe, expect, it } from 'vitest';
import { locator } from './locator.ts';

const source = `interface Order { customer: { email: string } | null }

export function draft(order: Order): string {
  const when: Date = new Date();
  return order.customer!.email + when;
}
`;

let files: Map<string, string>;
let asked: string[];

beforeEach(() => {
  files = new Map();
  asked = [];
});

function locate(place: { file: string; line: number; column: number }, workdir = '/app') {
  return locator({
    repository: {
      tree: async () =>
        ['src/draft.ts', 'server.js', 'lib/index.js', 'index.js'].map((path) => ({ path })),
      read: async (_, path) =>
        path === 'src/draft.ts' ? bytes(source) : bytes('first\n  second();\n'),
    },
    commit: 'c0ffee',
    workdir,
    readImageFile: async (path) => {
      asked.push(path);
      const text = files.get(path);
      return text === undefined ? null : bytes(text);
    },
  })({ function: 'draft', ...place });
}

/** Builds `src/draft.ts`; returns where the failing property access stands in the result. */
async function build(sourcemap: 'external' | 'inline') {
  const { code, map } = await transform(source, {
    loader: 'ts',
    sourcefile: '../src/draft.ts',
    sourcemap,
    minifyWhitespace: true,
  });
  const lines = code.split('\n');
  const line = lines.findIndex((text) => text.includes('.email')) + 1;
  return { code, map, line, column: lines[line - 1]!.indexOf('.email') + 2 };
}

const expected = {
  file: 'src/draft.ts',
  function: 'draft',
  line: 5,
  text: 'return order.customer!.email + when;',
  inApp: true,
};

describe('a place in an image', () => {
  it('is mapped by the map that the built file names', async () => {
    const { code, map, line, column } = await build('external');
    files.set('/app/dist/draft.js', `${code}\n//# sourceMappingURL=draft.js.map\n`);
    files.set('/app/dist/draft.js.map', map);
    const place = { file: 'file:///app/dist/draft.js', line, column };
    expect(await locate(place)).toMatchObject(expected);
  });

  it('is mapped by a map beside the file that nobody names', async () => {
    const { code, map, line, column } = await build('external');
    files.set('/app/dist/draft.js', code);
    files.set('/app/dist/draft.js.map', map);
    expect(await locate({ file: '/app/dist/draft.js', line, column })).toMatchObject(expected);
  });

  it('is mapped by a map inside the file', async () => {
    const { code, line, column } = await build('inline');
    files.set('/app/dist/draft.js', code);
    expect(await locate({ file: '/app/dist/draft.js', line, column })).toMatchObject(expected);
  });

  it('stays where it is when the map is broken', async () => {
    files.set('/app/dist/draft.js', 'a\n  b()\n//# sourceMappingURL=draft.js.map');
    files.set('/app/dist/draft.js.map', '{"version":3,"mappings":12');
    expect(await locate({ file: '/app/dist/draft.js', line: 2, column: 3 })).toMatchObject({
      file: 'dist/draft.js',
      text: 'b()',
      inApp: true,
    });
  });

  it('is the file of the repository when it runs unbuilt', async () => {
    expect(await locate({ file: '/app/server.js', line: 2, column: 3 })).toMatchObject({
      ...{ file: 'server.js', line: 2, column: 3, text: 'second();', inApp: true },
    });
  });

  it('is found by the longest end of its path', async () => {
    const place = { file: '/srv/build/lib/index.js', line: 2, column: 1 };
    expect(await locate(place)).toMatchObject({ file: 'lib/index.js' });
  });

  it('is the only file that ends so, where a part of the repository was copied', async () => {
    const place = { file: '/app/draft.ts', line: 5, column: 3 };
    files.set('/app/draft.ts', source);
    expect(await locate(place)).toMatchObject({ file: 'src/draft.ts' });
    files.set('/app/draft.ts', source.replace('customer!', 'buyer!'));
    expect(await locate(place)).toMatchObject({ file: 'draft.ts', inApp: true });
  });

  it.each([
    '/app/node_modules/pg/lib/index.js',
    'file:///app/node_modules/.pnpm/x/server.js',
    'node:internal/timers',
    '/usr/lib/index.js',
    '<anonymous>',
    'index 0',
    '/etc/passwd',
    '/app/../etc/passwd',
    'file:///app/%2e%2e/etc/passwd',
    'file:///app/%zz',
  ])('is not in-app: %s', async (file) => {
    expect(await locate({ file, line: 1, column: 1 })).toBeNull();
    expect(asked).toEqual([]);
  });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

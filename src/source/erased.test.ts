// Texts that run alike, and texts that only look so.
import { describe, expect, it } from 'vitest';
import { erased } from './erased.ts';

const same = (a: string, b: string) => {
  const first = erased('a.ts', a);
  expect(first).not.toBeNull();
  return first === erased('a.ts', b);
};

describe('erased', () => {
  it.each([
    ['types', 'const a: string = f(b);', 'const a: string | null = f<number>(b as never)!;'],
    ['interfaces', 'interface A { b: string }\nf();', 'interface A { b: string | null }\nf();'],
    ['comments and white space', 'f( a );', '// why\nf(a);\n\n'],
    ['imports of types', "import type { A } from 'a';\nexport { b };", 'export { b };'],
    ['parameters', 'function f(a?: string) {}', 'function f(a: string | null): void {}'],
    ['classes', 'class A { b = 1; }', 'class A implements B { private readonly b: number = 1; }'],
    ['declarations', 'f();', 'declare const g: string;\nf();'],
  ])('is equal for other %s', (_, before, after) => {
    expect(same(before, after)).toBe(true);
  });

  it.each([
    ['optional chains', 'f(a.b);', 'f(a?.b);'],
    ['values', 'f(1);', 'f(2);'],
    ['texts', "f('a');", "f('b');"],
    ['defaults', 'function f(a: string) {}', "function f(a = '') {}"],
    ['enumerations', 'enum A { B }', 'enum A { B, C }'],
    ['patterns', 'f(/a/);', 'f(/a/g);'],
    ['imports', "import 'a';", "import 'b';"],
  ])('differs for other %s', (_, before, after) => {
    expect(same(before, after)).toBe(false);
  });

  it('does not guess', () => {
    expect(erased('a.ts', 'const a = ;')).toBeNull();
    expect(erased('a.sql', 'SELECT 1')).toBeNull();
  });
});

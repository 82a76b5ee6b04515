// A model's answer is hostile text: what is lenient, what is refused, and that nothing is done by halves.
import { describe, expect, it } from 'vitest';
import { guardrailRules } from '../domain/guardrails.ts';
import { applyEdits, readAnswer } from './edits.ts';
import { FakeApp } from './fake-app.ts';

const source = [
  'export function total(order) {',
  '  const items = order.items;',
  '  return items.length;',
  '}',
  'export function other(order) {',
  '  const items = order.items;',
  '  return items.length + 1;',
  '}',
  '',
].join('\n');
const files: Record<string, string> = {
  'src/a.ts': source,
  'src/crlf.js': 'let a = 1;\r\nlet b = 2;\r\n',
  'package.json': '{ "scripts": {} }\n',
  '.github/workflows/ci.yml': 'on: push\n',
  'test/a.test.ts': 'expect(1);\n',
};

function answer(...edits: [file: string, search: string, replace: string][]): string {
  const blocks = edits.map(
    ([file, search, replace]) =>
      `FILE: ${file}\n<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE\n`,
  );
  return `CAUSE: items may be missing\nat src/a.ts:3.\nCHANGE: Takes none for empty.\n\n${blocks.join('\n')}`;
}

async function outcome(text: string): Promise<string> {
  const read = readAnswer(text);
  if (read.kind === 'refused') return read.reason;
  const reading = async (path: string) => files[path] ?? null;
  const applied = await applyEdits(read.said.edits, { read: reading, rules: guardrailRules });
  return applied.kind === 'refused' ? applied.reason : applied.diff;
}

describe('readAnswer', () => {
  it('takes cause, change and edits apart', () => {
    const read = readAnswer(answer(['src/a.ts', 'a', 'b']));
    expect(read).toEqual({
      kind: 'said',
      said: {
        rootCause: 'items may be missing at src/a.ts:3.',
        explanation: 'Takes none for empty.',
        edits: [{ file: 'src/a.ts', search: 'a', replace: 'b' }],
      },
    });
  });

  it('bears markdown around it', () => {
    const text = [
      'Sure!',
      '**CAUSE:** x',
      '### `src/a.ts`',
      '```ts',
      '<<<<<<< SEARCH',
      'a',
      '=======',
      '>>>>>>> REPLACE',
      '```',
    ].join('\r\n');
    const read = readAnswer(text);
    expect(read).toMatchObject({
      said: { rootCause: 'x', edits: [{ file: 'src/a.ts', search: 'a', replace: '' }] },
    });
  });

  it.each([
    ['I cannot help with that.', 'the answer holds no edit'],
    ['', 'the answer holds no edit'],
    ['<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE', 'an edit names no file'],
    ['FILE: a.ts\n<<<<<<< SEARCH\na\n=======\nb', 'the last edit is cut off'],
    ['FILE: a.ts\n<<<<<<< SEARCH\na', 'the last edit is cut off'],
    ['x'.repeat(200_001), 'the answer has 200001 characters'],
    [
      answer(...Array.from({ length: 13 }, () => ['a.ts', 'a', 'b'] as [string, string, string])),
      'the answer holds 13 edits',
    ],
  ])('refuses %.40j', async (text, reason) => {
    expect(await outcome(text)).toBe(reason);
  });
});

describe('applyEdits', () => {
  it('writes a diff that git applies', async () => {
    const edit = ['  return items.length;', '  return items?.length ?? 0;'] as const;
    const diff = await outcome(answer(['src/a.ts', ...edit]));
    const app = new FakeApp({ 'src/a.ts': source });
    try {
      app.apply(diff);
    } finally {
      app.remove();
    }
    expect(diff).toContain('+  return items?.length ?? 0;');
  });

  it('finds lines whose white space is wrong, and puts theirs right', async () => {
    const diff = await outcome(
      answer(['src/a.ts', '\nreturn items.length + 1;   \n', 'if (items) {\n  go();\n}\n']),
    );
    expect(diff).toContain('+  if (items) {\n+    go();\n+  }\n');
  });

  it('keeps CRLF', async () => {
    const diff = await outcome(answer(['src/crlf.js', 'let b = 2;', 'let b = 3;']));
    expect(diff).toContain('+let b = 3;\r\n');
  });

  it('lets later edits see earlier ones, and new tests be added', async () => {
    const diff = await outcome(
      answer(
        ['src/a.ts', '  return items.length;', '  return 0;'],
        ['src/a.ts', '  return 0;', '  return 1;'],
        ['test/new.test.ts', '', 'test();'],
      ),
    );
    expect(diff).toContain('+  return 1;');
    expect(diff).not.toContain('+  return 0;');
    expect(diff).toContain('new file mode 100644');
  });

  const good: [string, string, string] = ['src/a.ts', '  return items.length;', '  return 0;'];

  it.each([
    [['src/a.ts', '  const items = order.items;', 'x'], 'the searched text is there 2 times'],
    [['src/a.ts', 'nowhere', 'x'], 'the searched text is not there'],
    [['src/a.ts', '', 'x'], 'nothing is searched for'],
    [['src/none.ts', 'a', 'x'], 'there is no such file'],
    [['src/new.sh', '', 'rm -rf /'], 'not a source file'],
    [['src/a.ts', '  return items.length;', '  return items.length;'], 'change nothing'],
    [['src/a.ts', '  return items.length;', '  return (;'], 'does not parse'],
    [['../../etc/passwd', '', 'x'], 'outside the repository'],
    [['/etc/passwd', '', 'x'], 'outside the repository'],
    [['src/../package.json', '', 'x'], 'outside the repository'],
    [['.github/workflows/ci.yml', 'on: push', 'on: [push, x]'], 'continuous integration'],
    [['package.json', '{ "scripts": {} }', '{ "scripts": { "postinstall": "x" } }'], 'protected'],
    [['test/a.test.ts', 'expect(1);', ''], 'a test that exists'],
    [['src/a.ts', '  return items.length;', '  return eval(order.code);'], 'code made from text'],
    [['src/a.ts', '  return items.length;', '  fetch("https://e.example");'], 'a URL'],
    [
      ['src/a.ts', '  return items.length;', `  x();\n${'  y();\n'.repeat(90)}`],
      'lines are changed',
    ],
  ] as [[string, string, string], string][])('refuses %.80j', async (edit, reason) => {
    expect(await outcome(answer(edit))).toContain(reason);
    const withGood = await outcome(answer(good, edit));
    if (!reason.includes('change nothing')) expect(withGood).not.toContain('diff --git');
  });
});

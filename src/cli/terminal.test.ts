/** What is printed cannot drive a terminal, and fits it. */
import { describe, expect, it } from 'vitest';
import {
  ago,
  block,
  clean,
  cut,
  duration,
  jsonText,
  oneLine,
  size,
  table,
  wrap,
} from './terminal.ts';

const hostile = [
  ['colours', '\u001b[31mred\u001b[0m', 'red'],
  ['a title', '\u001b]0;evil\u0007x', 'x'],
  ['a link', '\u001b]8;;http://evil\u001b\\text\u001b]8;;\u001b\\', 'text'],
  ['a cleared screen', 'a\u001b[2J\u001b[Hb', 'ab'],
  ['8-bit sequences', 'a\u009b31mb', 'ab'],
  ['bells and backspaces', 'a\u0007\b\b\u007fb', 'ab'],
  ['a carriage return that overwrites', 'bad\rgood', 'badgood'],
  ['reversed text', 'a\u202etxt.exe\u2066b', 'atxt.exeb'],
  ['a sequence cut short', 'a\u001b[', 'a['],
  ['ordinary text', 'Zürich → 7 €\tx\ny', 'Zürich → 7 €\tx\ny'],
] as const;

describe('clean', () => {
  for (const [what, text, shown] of hostile) {
    it(`takes the effect from ${what}`, () => expect(clean(text)).toBe(shown));
  }

  it('leaves no control character whatever comes', () => {
    const every = Array.from({ length: 0x2100 }, (_, code) => String.fromCharCode(code)).join('');
    expect(clean(every + [...every].reverse().join(''))).not.toMatch(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/,
    );
    expect(oneLine('a\n\tb\r\nc')).toBe('a b c');
  });
});

describe('jsonText', () => {
  it('is JSON that cannot drive a terminal either', () => {
    const value = { text: '\u001b[31m \u009b31m \u202e ü' };
    const text = jsonText(value);
    expect(JSON.parse(text)).toEqual(value);
    expect(text).not.toMatch(/[\u001b\u009b\u202e]/);
    expect(text).toContain('ü');
  });
});

describe('tables and texts', () => {
  it('fit 100 columns, and cut what is widest', () => {
    const long = 'x'.repeat(300);
    const lines = table(
      ['A', 'B', 'C'],
      [
        ['1', long, 'short'],
        ['22', 'y', `\u001b[2J${long}`],
      ],
    );
    for (const line of lines.split('\n')) expect([...line].length).toBeLessThanOrEqual(100);
    expect(lines).toContain('…');
    expect(lines).toContain('short');
    expect(cut('abcdef', 4)).toBe('abc…');
  });

  it('wrap between words, and within one that is too long', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('abcdefghij xy', 4)).toEqual(['abcd', 'efgh', 'ij', 'xy']);
    expect(wrap('', 4)).toEqual(['']);
    expect(wrap('abcd', 4)).toEqual(['abcd']);
  });

  it('say how much they leave out', () => {
    expect(block(['a', 'b', 'c'], '  ', 2)).toEqual(['  a', '  b', '  … 1 more line']);
  });

  it('write amounts for people', () => {
    expect([duration(2.34), duration(812), duration(4321), duration(125_000)]).toEqual([
      '2.3 ms',
      '812 ms',
      '4.3 s',
      '2 min 5 s',
    ]);
    expect([size(31), size(1300)]).toEqual(['31 B', '1.3 KiB']);
    expect(ago(1_000_000, 181_000)).toBe('3 min ago');
  });
});

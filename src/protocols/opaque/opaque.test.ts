// Bytes that nobody understands are split, compared and answered exactly.
import { describe, expect, it } from 'vitest';
import { chunksOf, head, read, type Said } from '../fake-wire.ts';
import type { Question, Reply } from '../protocol.ts';
import { opaque } from './opaque.ts';

const said: Said[] = [
  ['server', 'HELLO\n'],
  ['client', 'one'],
  ['client', ' more'],
  ['server', 'ONE'],
  ['client', 'one'],
  ['server', 'TWO'],
  ['client', 'left'],
];
const recorded = read(opaque, chunksOf(said));

function world() {
  const asked: Question[] = [];
  const ask = (question: Question): Reply => {
    asked.push(question);
    const found = recorded.find((one) => opaque.question(one)?.exactKey === question.exactKey);
    return found ? { kind: 'recorded', exchange: found } : { kind: 'none', explanation: 'no' };
  };
  const context = { head, recorded, ask, synthesised: () => {}, assumed: () => {} };
  return { asked, answerer: opaque.answerer(context) };
}

describe('opaque bytes', () => {
  it('are split where the direction changes, however they are cut', () => {
    const titles = recorded.map((one) => [one.id, one.title, one.end]);
    expect(titles).toEqual([
      ['c1/1', '0 bytes -> 6 bytes', 'complete'],
      ['c1/2', '8 bytes -> 3 bytes', 'complete'],
      ['c1/3', '3 bytes -> 3 bytes', 'complete'],
      ['c1/4', '4 bytes -> 0 bytes', 'unanswered'],
    ]);
    const single = read(opaque, chunksOf(said, 1));
    expect(single.map((one) => [one.id, one.title, one.end])).toEqual(titles);
  });

  it('tell a gap, and do not hold more than they may', () => {
    const chunks = chunksOf(said).filter((_, i) => i !== 2);
    expect(read(opaque, chunks).map((one) => one.end)).toEqual([
      'complete',
      'complete',
      'gap',
      'unanswered',
    ]);
    const big: Said[] = [
      ['client', 'x'.repeat(50)],
      ['server', 'y'],
    ];
    const [exchange] = read(opaque, chunksOf(big, 10), { bodyBytesMax: 20 });
    expect(exchange).toMatchObject({ end: 'gap', request: { meaning: null } });
    expect(opaque.question(exchange!)).toBeNull();
  });

  it('are answered when they are exactly the recorded ones', () => {
    const { answerer, asked } = world();
    expect(Buffer.concat(answerer.open()).toString()).toBe('HELLO\n');
    const say = (text: string) => Buffer.concat(answerer.receive(Buffer.from(text))).toString();
    expect(say('on')).toBe('');
    expect(say('e')).toBe('TWO');
    expect(answerer.closing).toBe(false);
    expect(say('other')).toBe('');
    expect(answerer.closing).toBe(true);
    expect(asked).toHaveLength(2);
  });
});

// What all siblings satisfy and a value does not: the basis of every deliberate refusal.
import { describe, expect, it } from 'vitest';
import { breaksOf } from './shape.ts';

const kinds = (value: unknown, examples: unknown[]) =>
  breaksOf(value, examples).map((found) => `${found.path}:${found.kind}`);

describe('breaksOf', () => {
  it.each([
    ['a missing field', {}, [{ a: 1 }, { a: 2 }], ['a:missing']],
    ['a null', { a: null }, [{ a: 1 }], ['a:null']],
    ['another type', { a: '1' }, [{ a: 1 }], ['a:type']],
    ['an empty list', { a: [] }, [{ a: [1] }, { a: [2, 3] }], ['a:empty']],
    ['a field inside a list', { a: [{ b: 1 }, {}] }, [{ a: [{ b: 1 }] }], ['a[].b:missing']],
    ['no date', { d: 'soon' }, [{ d: '2024-01-02' }, { d: '2024-03-04' }], ['d:form']],
    ['an impossible date', { d: '2024-02-31' }, [{ d: '2024-01-02' }], ['d:form']],
    ['no number', { q: 'x' }, [{ q: '1' }, { q: '22' }], ['q:form']],
    ['an empty text', { q: '' }, [{ q: 'ab' }, { q: 'c d' }], ['q:form']],
    ['a negative number', { n: -1 }, [{ n: 1 }, { n: 5 }], ['n:range']],
    ['a fraction', { n: 1.5 }, [{ n: 1 }, { n: 5 }], ['n:range']],
    ['nothing at all', undefined, [{ a: 1 }], [':missing']],
  ])('sees %s', (_, value, examples, expected) => {
    expect(kinds(value, examples)).toEqual(expected);
  });

  it('is soon done with long texts', () => {
    const long = `a@${'.'.repeat(200_000)} `;
    expect(kinds({ a: long }, [{ a: 'ada@example.com' }])).toEqual(['a:form']);
    expect(kinds({ a: long }, [{ a: long }])).toEqual([]);
  });

  it.each([
    ['what examples disagree on', { a: 1 }, [{ a: 'x' }, { a: 1 }]],
    ['what only some examples have', {}, [{ a: 1 }, {}]],
    ['what examples leave null', { a: null }, [{ a: null }, { a: 1 }]],
    ['more than examples have', { a: 1, b: 2 }, [{ a: 1 }]],
    ['an empty list where one example has one', { a: [] }, [{ a: [] }, { a: [1] }]],
    ['texts without a common form', { a: '' }, [{ a: 'x' }, { a: '' }]],
    ['anything, without examples', { a: 1 }, []],
  ])('lets pass: %s', (_, value, examples) => {
    expect(kinds(value, examples)).toEqual([]);
  });
});

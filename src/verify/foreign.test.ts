// Values of answers that the patch or somebody else's data brought, and those that are right.
import { describe, expect, it } from 'vitest';
import { foreignValue, valuesAdded } from './foreign.ts';
import type { Sample } from './outcome-sane.ts';

const sample = (isbn: string, body: unknown, answer: unknown = null): Sample => ({
  ...{ request: { path: { isbn }, query: {}, body: '' }, status: 200, bodyBytes: 9, body },
  contentType: 'application/json',
  calls:
    answer === null
      ? []
      : [{ formKey: 'q', effect: 'read', title: 'q', parameters: [isbn], answer }],
});
const siblings = [
  sample('111', { kind: 'book', reviews: [{ stars: 5, text: 'A fine one' }], open: true }),
  sample('222', { kind: 'book', reviews: [{ stars: 3, text: 'So so' }], open: false }),
];
const judge = (body: unknown, added: unknown[] = [], over: object = {}, answer: unknown = null) =>
  foreignValue({
    added: new Set(added.map((one) => JSON.stringify(one))),
    ...{ after: sample('555', body), trigger: { ...sample('555', null, answer), status: 500 } },
    ...{ siblings, calls: [], ...over },
  });

describe('values added', () => {
  const of = (before: string, after: string) => valuesAdded([{ path: 'a.js', before, after }]);
  it('are counted, since files hold many', () => {
    expect(of('f(1, true);', 'f(1, true); g(1, true, -2);')).toEqual(new Set(['1', 'true', '-2']));
    expect(of('f(1);', 'g(1);')).toEqual(new Set());
  });
  it('are no names, zeros or empty ones', () => {
    expect(of('', `import 'x'; f({ 'a': null }, 0, '', /x/);`)).toEqual(new Set());
  });
});

describe('made up by the patch', () => {
  it('are numbers, truths and words where siblings differ', () => {
    expect(judge({ reviews: [{ stars: 1, text: '555' }] }, [1])).toMatch(/"1".*made up/);
    expect(judge({ reviews: [{ stars: 3, text: '555' }] }, [3])).toMatch(/"3".*made up/);
    expect(judge({ open: false }, [false])).toMatch(/"false".*made up/);
    expect(judge({ total: 4 }, [4])).toMatch(/made up/);
  });
  it('are not what all siblings share, the request holds or a call was answered', () => {
    expect(judge({ kind: 'book' }, ['book'])).toBeNull();
    expect(judge({ reviews: [{ stars: 555 }] }, [555])).toBeNull();
    const rows = { rows: [{ stars: 1 }] };
    expect(judge({ reviews: [{ stars: 1 }] }, [1], {}, rows)).toBeNull();
    const json = { rows: [{ all: '[{"stars":1}]' }] };
    expect(judge({ reviews: [{ stars: 1 }] }, [1], {}, json)).toBeNull();
    expect(judge({ reviews: [{ stars: 2 }] }, [1])).toBeNull();
  });
});

describe("another one's data", () => {
  const theirs = { reviews: [{ stars: 5, text: 'A fine one' }] };
  it('is a text that some siblings were answered and nobody told the app', () => {
    expect(judge(theirs)).toBe('the answer holds what another request was answered: "A fine one"');
    expect(judge({ reviews: [{ stars: 5, text: 'a FINE one ' }] })).toMatch(/another request/);
  });
  it('is not what a call of this run was answered, nor what was answered before', () => {
    expect(judge(theirs, [], {}, { rows: [{ t: ' A FINE one' }] })).toBeNull();
    expect(judge(theirs, [], {}, { rows: [{ json: '{"t":"A fine one"}' }] })).toBeNull();
    const trigger = sample('555', theirs);
    expect(judge(theirs, [], { trigger })).toBeNull();
  });
  it('is not what a call answered from a sibling brought', () => {
    const lender = sample('111', theirs, { rows: [{ t: 'A fine one' }] });
    const calls = [{ formKey: 'q' }] as never;
    expect(judge(theirs, [], { calls, siblings: [lender, siblings[1]!] })).toBeNull();
  });
  it('is what the patch asks for by the name of another', () => {
    expect(judge({ average: 4.5 }, ['111'])).toMatch(/names what another request asked for: "111"/);
    expect(judge({ average: 4.5 }, [111])).toMatch(/names what another/);
    expect(judge({ average: 4.5 }, ['555'])).toBeNull();
  });
  it('is not what all are answered, a day, or something new', () => {
    expect(judge({ kind: 'book', reviews: [{ stars: 2, text: 'Never seen' }] })).toBeNull();
    const due = [sample('1', { due: '2026-12-24' }), sample('2', { due: '2026-12-25' })];
    expect(judge({ due: '2026-12-24' }, [], { siblings: due })).toBeNull();
  });
});

// Answers of the right form that say something else than they should.
import { describe, expect, it } from 'vitest';
import { oddAnswer } from './odd-answer.ts';
import type { Sample } from './outcome-sane.ts';

const sample = (over: Partial<Sample> = {}): Sample => ({
  ...{ request: {}, status: 200, contentType: 'text/html', body: '<p>Hi</p>', bodyBytes: 9 },
  ...{ calls: [], ...over },
});
const judge = (after: Partial<Sample>, siblings: Partial<Sample>[] = [{}, {}], trigger = {}) =>
  oddAnswer({
    after: sample(after),
    trigger: sample({ status: 500, ...trigger }),
    siblings: siblings.map(sample),
  });
const to = (location: string): Partial<Sample> => ({ status: 302, location, body: '' });

describe('redirects', () => {
  const usual = [to('/orders/7'), to('http://app/orders/12')];
  it('lead where successful ones do', () => {
    expect(judge(to('/orders/99'), usual)).toBeNull();
    expect(judge(to('/login'), usual)).toMatchObject({ answer: 'fail' });
    expect(judge(to('/errors/99'), usual)).toMatchObject({ answer: 'fail' });
    expect(judge(to('https://elsewhere.example/orders/7'), usual)?.answer).toBe('fail');
  });
  it('may lead to names that nobody can foresee', () => {
    expect(judge(to('/posts/third'), [to('/posts/one'), to('/posts/two')])).toBeNull();
    expect(judge(to('/posts/third'), [to('/posts/one')])?.answer).toBe('unknown');
  });
});

describe('answers that had been given before the failure', () => {
  const before = { status: 201, body: { id: 4, total: 3 } };
  it('stay what they were', () => {
    expect(judge({ status: 201, body: { id: 5, total: 3 } }, [], before)).toBeNull();
    expect(judge({ status: 200, body: before.body }, [], before)?.answer).toBe('fail');
    expect(judge({ status: 201, body: { id: 4 } }, [], before)?.answer).toBe('fail');
  });
});

describe('prints of values that are not there', () => {
  it.each(['Dear undefined', 'NaN EUR', 'at Invalid Date', '[object Object]'])('%s', (text) => {
    expect(judge({ body: `<p>${text}</p>` })?.answer).toBe('unknown');
    expect(judge({ body: { note: text } })?.answer).toBe('unknown');
    expect(judge({ body: { note: text } }, [{ body: { note: text } }])).toBeNull();
  });
  it('are no odd words elsewhere', () => {
    expect(judge({ body: 'Nonetheless undefinedly' })).toBeNull();
    expect(judge({ status: 404, body: 'undefined' })).toBeNull();
  });
});

// Answers that look calm and are wrong, and refusals that are right.
import { describe, expect, it } from 'vitest';
import { judgeOutcome, type Sample, type SampleCall } from './outcome-sane.ts';

const call = (over: Partial<SampleCall>): SampleCall => ({
  formKey: 'select orders',
  effect: 'read',
  title: 'SELECT',
  parameters: ['7'],
  answer: { rows: [{ id: 7 }] },
  ...over,
});
const sample = (over: Partial<Sample>): Sample => ({
  request: { path: { id: '7' }, body: { currency: 'EUR' } },
  status: 200,
  contentType: 'application/json; charset=utf-8',
  body: { id: 7, email: 'a@b.c', items: [{ sku: 'x' }] },
  bodyBytes: 60,
  calls: [call({})],
  ...over,
});
const siblings = [
  sample({}),
  sample({ request: { path: { id: '8' }, body: { currency: 'USD' } } }),
];
const judge = (
  after: Partial<Sample>,
  trigger: Partial<Sample> = {},
  others = siblings,
  bringsZero = false,
) => {
  const samples = { after: sample(after), trigger: sample({ status: 500, ...trigger }) };
  return judgeOutcome({ ...samples, siblings: others, bringsZero });
};

describe('judgeOutcome', () => {
  it('passes the shape of siblings, and a null where there is no value', () => {
    expect(judge({}).answer).toBe('pass');
    expect(judge({ body: { id: 7, email: null, items: [{ sku: 'y' }] } })).toEqual({
      answer: 'pass',
      reason: 'like 2 successful answers of this route, except that email is null',
    });
  });

  it.each([
    ['a 500', { status: 503 }],
    ['an empty body', { body: '', bodyBytes: 0 }],
    ['an empty object', { body: {} }],
    ['a missing field', { body: { id: 7, items: [{ sku: 'x' }] } }],
    ['another type of content', { contentType: 'text/html', body: '<p>' }],
    ['no content', { status: 204, body: '', bodyBytes: 0 }],
    ['a redirect', { status: 302 }],
    ['an emptied list', { body: { id: 7, email: 'a@b.c', items: [] } }],
  ])('fails %s', (_, after) => {
    expect(judge(after).answer).toBe('fail');
  });

  it('fails a refusal of a request as good as any', () => {
    expect(judge({ status: 404, body: { error: 'x' } }).answer).toBe('fail');
    const nullColumn = { calls: [call({ answer: { rows: [{ id: null }] } })] };
    expect(judge({ status: 404 }, nullColumn).answer).toBe('fail');
  });

  it('passes a refusal where the request breaks what siblings satisfy', () => {
    const without = { request: { path: { id: '7' }, body: {} } };
    expect(judge({ status: 400 }, without)).toEqual({
      answer: 'pass',
      reason: 'refused with 400, since body.currency is missing in this request only',
    });
  });

  it.each([
    ['a body', { path: { id: '7' }, body: {} }, [400, 409, 422], [401, 403, 404, 410, 429]],
    ['a path', { path: { id: 'x' }, body: { currency: 'EUR' } }, [400, 404, 422], [401, 403, 413]],
  ])('wants a status that fits what is wrong with %s', (_, request, fits, others) => {
    for (const status of fits) expect(judge({ status }, { request }).answer).toBe('pass');
    for (const status of others) expect(judge({ status }, { request }).answer).toBe('unknown');
  });

  it('takes missing credentials for what they are', () => {
    const known = [sample({ request: { header: { authorization: 'present' } } })];
    const without = { request: { header: {} } };
    expect(judge({ status: 401 }, without, known).answer).toBe('pass');
    expect(judge({ status: 404 }, without, known).answer).toBe('unknown');
  });

  it('passes a 404 where what the request names is not there, and no other refusal', () => {
    const absent = { calls: [call({ answer: { rows: [] } })] };
    expect(judge({ status: 404 }, absent).answer).toBe('pass');
    expect(judge({ status: 401 }, absent).answer).toBe('fail');
    const unrelated = { calls: [call({ parameters: ['z'], answer: { rows: [] } })] };
    expect(judge({ status: 404 }, unrelated).answer).toBe('fail');
  });

  it('does not know what a malformed request should be answered with success', () => {
    const malformed = { request: { path: { id: 'x' }, body: { currency: 'EUR' } } };
    expect(judge({}, malformed)).toEqual({
      answer: 'unknown',
      reason:
        'accepted although path.id is not a number; no recorded answer shows what is right then',
    });
    expect(judge({}, { ...malformed, status: 202 }).answer).toBe('pass');
  });

  it('does not know whether a hole is right where the request is at fault', () => {
    const hole = { body: { id: 7, email: null, items: [{ sku: 'y' }] } };
    const without = { request: { path: { id: '7' }, body: {} } };
    expect(judge(hole, without).answer).toBe('unknown');
    expect(judge({}, without).answer).toBe('pass');
    const absent = { calls: [call({ answer: { rows: [] } })] };
    expect(judge(hole, absent).answer).toBe('unknown');
  });

  it('does not know whether what an app without calls was asked for is there', () => {
    const room = (id: string, body: object) =>
      sample({ request: { path: { id }, query: {} }, body, calls: [] });
    const rooms = [room('1', { id: '1', name: 'one' }), room('2', { id: '2', name: 'two' })];
    const trigger = { request: { path: { id: '9' }, query: {} }, calls: [] };
    const of = (after: Partial<Sample>) => judge({ calls: [], ...after }, trigger, rooms);
    expect(of({ body: { id: '9', name: null } })).toEqual({
      answer: 'unknown',
      reason:
        'accepted although nothing shows that "9" is there; no recorded answer shows what is right then',
    });
    expect(of({ status: 404, body: { error: 'x' } })).toEqual({
      answer: 'unknown',
      reason: 'it now refuses with 404; nothing recorded shows whether "9" is there',
    });
    expect(of({ status: 401 }).answer).toBe('fail');
    const owned = [
      room('1', { id: '1', name: 'one', owner: 'Ada' }),
      room('2', { id: '2', name: 'two', owner: 'Bob' }),
    ];
    const free = { body: { id: '9', name: 'nine', owner: null }, calls: [] };
    expect(judge(free, trigger, owned).answer).toBe('pass');
  });

  it('does not know whether a zero of the patch is right', () => {
    const zero = { body: { id: 0, email: 'a@b.c', items: [{ sku: 'y' }] } };
    expect(judge(zero, {}, siblings, true).answer).toBe('unknown');
    expect(judge(zero)).toMatchObject({
      answer: 'pass',
      reason: expect.stringContaining('id is not positive'),
    });
  });

  it('knows what a path of another service names', () => {
    const by = (path: string, id: string) => ({
      request: { path: { id } },
      calls: [call({ formKey: 'GET /things', parameters: [`/things/${path}`], answer: { is: 1 } })],
    });
    const others = [sample(by('8', '8')), sample(by('9', '9'))];
    expect(judge({ status: 404 }, by('7', '7'), others).answer).toBe('fail');
    expect(judge({ status: 404 }, by('all', '7'), others).answer).toBe('unknown');
  });

  it('knows nothing without siblings', () => {
    expect(judge({}, {}, []).answer).toBe('unknown');
    expect(judge({ status: 400 }, {}, []).answer).toBe('unknown');
  });
});

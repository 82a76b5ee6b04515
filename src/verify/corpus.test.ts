// Which recorded successes are replayed when there are more than there is time for.
import { describe, expect, it } from 'vitest';
import type { Observed } from '../domain/outcome.ts';
import { differs, spread } from './corpus.ts';
import type { Evidence } from './verify.ts';

it('takes one of each route in turn, so that a busy route does not hide the others', () => {
  const corpus = ['a', 'a', 'a', 'b', 'c', 'b'].map(
    (route, id) => ({ recording: { id: `${id}`, route } }) as unknown as Evidence,
  );
  const chosen = spread(corpus, 4).map(({ recording }) => recording.id);
  expect(chosen).toEqual(['0', '3', '4', '1']);
});

describe('answers on old and patched code', () => {
  const call = (key: string, formKey: string) => ({
    ...{ key, formKey, title: key, protocol: 'postgres', effect: 'write', grade: 'exact' },
    ...{ server: { address: '10.0.0.2', port: 5432 }, serverName: 'db', duringBoot: false },
  });
  const observed = (over: object = {}, headers: [string, string][] = []): Observed =>
    ({
      answer: { status: 200, headers, body: new TextEncoder().encode('ok'), tookMs: 1 },
      ...{ served: [call('insert 1', 'insert')], divergences: [], ...over },
    }) as never;
  const judge = (now: Observed, old = [observed(), observed()]) => {
    const found = differs(old as [Observed, Observed], now);
    return found.kind === 'other' ? found.says : found.kind;
  };
  const timed = ['insert 12:01', 'insert 12:02'].map((key) =>
    observed({ served: [call(key, 'insert')] }),
  );

  it('are equal with equal calls', () => {
    expect(judge(observed())).toBe('equal');
    expect(judge(observed({ served: [] }))).toBe('it makes other calls');
  });
  it('keep the form of calls whose values differ by themselves', () => {
    expect(judge(observed({ served: [call('insert 12:03', 'insert')] }), timed)).toBe('equal');
    expect(judge(observed({ served: [] }), timed)).toBe('it makes other calls');
    const other = observed({ served: [call('delete 12:03', 'delete')] });
    expect(judge(other, timed)).toBe('it makes other calls');
  });
  it('prove nothing where even forms differ by themselves', () => {
    expect(judge(observed(), [observed(), observed({ served: [] })])).toBe('unsteady');
  });
  it('ask nothing new, of servers that nobody knew either', () => {
    const stray = { title: 'connection to x', duringBoot: false };
    expect(judge(observed({ divergences: [stray] }))).toMatch('never asked: connection to x');
  });
  it('lead to the same place, with the same cookies and rights', () => {
    const old = [observed({}, [['Location', '/a']]), observed({}, [['Location', '/a']])];
    expect(judge(observed({}, [['Location', '/b']]), old)).toMatch('header.location');
    const session = (id: string, more: string) =>
      observed({}, [['Set-Cookie', `sid=${id}; ${more}; Expires=${id}`]]);
    const safe = [session('1', 'HttpOnly'), session('2', 'HttpOnly')];
    expect(judge(session('3', 'HttpOnly'), safe)).toBe('equal');
    expect(judge(session('3', 'Path=/'), safe)).toMatch('header.set-cookie sid');
    const open = observed({}, [['Access-Control-Allow-Origin', '*']]);
    expect(judge(open)).toMatch('header.access-control-allow-origin');
  });
});

// Failures that nobody says a word about.
import { expect, it } from 'vitest';
import { silentFailures } from './no-answer.ts';

const at = { at: 5, route: 'GET /x' };
const exit = (code: number) => ({ at: 6, code, signal: null, oomKilled: false });

it('a request without an answer has failed, however the app ended', () => {
  const [failure, ...rest] = silentFailures({ ...at, noAnswer: 'timeout', exit: exit(0) });
  expect(failure).toMatchObject({ kind: 'server-error', message: 'no answer: timeout', at: 5 });
  expect(rest).toEqual([]);
});

it('a server that ends by itself has failed, however calmly', () => {
  const ended = silentFailures({ ...at, noAnswer: null, exit: exit(0) });
  expect(ended).toMatchObject([{ kind: 'crash', message: 'exited with code 0' }]);
  expect(silentFailures({ ...at, noAnswer: null, exit: null })).toEqual([]);
});

// What is left of secrets in the server's own log, and that errors say something at all.
import { expect, it } from 'vitest';
import { loggable } from './logger.ts';

it('takes secrets out of words and errors, causes too', () => {
  const cause = new Error('refused: Authorization: Bearer abcdefghij0klmnop');
  const error = new Error('asked for ada@example.com', { cause });
  const said = loggable({ issue: 7, error, reason: 'password=hunter2hunter2' });
  const text = JSON.stringify(said);
  expect(said.issue).toBe(7);
  expect(text).toMatch(/asked for .*caused by Error: refused/);
  expect(text).not.toMatch(/ada@|abcdefghij|hunter2/);
});

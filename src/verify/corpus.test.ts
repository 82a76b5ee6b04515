// Which recorded successes are replayed when there are more than there is time for.
import { expect, it } from 'vitest';
import { spread } from './corpus.ts';
import type { Evidence } from './verify.ts';

it('takes one of each route in turn, so that a busy route does not hide the others', () => {
  const corpus = ['a', 'a', 'a', 'b', 'c', 'b'].map(
    (route, id) => ({ recording: { id: `${id}`, route } }) as unknown as Evidence,
  );
  const chosen = spread(corpus, 4).map(({ recording }) => recording.id);
  expect(chosen).toEqual(['0', '3', '4', '1']);
});

// The smallest set of earlier requests is found, within its budget of replays.
import { describe, expect, it } from 'vitest';
import { growPrefix } from './prefix.ts';

function search(needed: string[], earlier: string[], replaysMax = 100, own: string[] = []) {
  let replays = 0;
  const result = growPrefix({
    earlier,
    sameConnection: own,
    replaysMax,
    onProgress: () => {},
    fails: async (prefix) => {
      replays++;
      return needed.every((id) => prefix.includes(id));
    },
  });
  return result.then((prefix) => ({ prefix, replays }));
}

const ids = (count: number) => Array.from({ length: count }, (_, i) => `c/${i}`);

describe('growPrefix', () => {
  it('finds exactly the requests that are needed, in their order', async () => {
    const { prefix } = await search(['c/3', 'c/17'], ids(20));
    expect(prefix).toEqual(['c/3', 'c/17']);
  });

  it('asks the own connection first', async () => {
    const { prefix, replays } = await search(['c/9'], ids(20), 100, ['c/9']);
    expect({ prefix, replays }).toEqual({ prefix: ['c/9'], replays: 1 });
  });

  it('gives up when nothing brings it back, and never spends more than its budget', async () => {
    expect((await search(['absent'], ids(20))).prefix).toBeNull();
    const { prefix, replays } = await search(['c/0', 'c/19'], ids(20), 5);
    expect(replays).toBeLessThanOrEqual(5);
    expect(prefix).toContain('c/0');
    expect(prefix).toContain('c/19');
  });

  it('has nothing to try without earlier requests', async () => {
    expect(await search([], [])).toEqual({ prefix: null, replays: 0 });
  });
});

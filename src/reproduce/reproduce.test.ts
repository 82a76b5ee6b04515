// What replays add up to, also on a machine that is too slow for one of them.
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { reproduce } from './reproduce.ts';

const observed = (over: object = {}) => ({ served: [], divergences: [], raised: [], ...over });
const failure = { fingerprint: '1:a', message: 'TypeError: x', trace: null };
const failed = (over: object = {}): Outcome =>
  ({ kind: 'failed', failures: [failure], observed: observed(over) }) as never;
const notReady = (over: object = {}): Outcome =>
  ({
    kind: 'not-ready',
    reason: 'after 30 s',
    observed: observed({ exit: null, ...over }),
  }) as never;
const whole = { completeness: { reasons: [] }, prefixExchangeIds: ['a/1', 'a/2'] };
const recording = { ...whole, id: 'r', kind: 'failure', triggerExchangeId: 'a/3' };

async function replayed(outcomes: Outcome[]) {
  let count = 0;
  const replay = async () => outcomes[Math.min(count++, outcomes.length - 1)]!;
  const result = await reproduce({
    ...{ issue: { id: 3 }, occurrence: { failure }, recording, boot: whole },
    ...{ release: { imageId: 'i' }, env: {}, replayer: { replay, close: async () => {} } },
    ...{ locate: async () => null, onProgress: () => {} },
  } as never);
  return { result, count };
}

describe('reproduce', () => {
  it('takes three replays that fail alike, and one under the debugger', async () => {
    const { result, count } = await replayed([failed()]);
    expect(result).toMatchObject({ kind: 'reproduced', prefix: [] });
    expect(count).toBe(4);
  });
  it('replays once more what was only slow to start', async () => {
    const { result, count } = await replayed([notReady(), failed()]);
    expect(result.kind).toBe('reproduced');
    expect(count).toBe(5);
  });
  it('sends no earlier requests to an app that does not start', async () => {
    const { result, count } = await replayed([notReady()]);
    expect(result).toMatchObject({ kind: 'not-reproduced' });
    expect(count).toBe(2);
    const exit = { at: 1, code: 1, signal: null, oomKilled: false };
    expect((await replayed([notReady({ exit })])).count).toBe(1);
  });
  it('keeps no values of what was asked', async () => {
    const served = [{ key: 'k', title: 'INSERT', fields: { $1: 'secret' } }];
    const { result } = await replayed([failed({ served })]);
    expect(JSON.stringify(result)).toContain('INSERT');
    expect(JSON.stringify(result)).not.toContain('secret');
  });
  it('proves nothing by a replay that asked what is not recorded, or went well once', async () => {
    const strayed = failed({ divergences: [{ title: 'SELECT', nearest: null }] });
    expect((await replayed([strayed])).result.kind).toBe('not-reproduced');
    const well: Outcome = { kind: 'succeeded', observed: observed({ answer: null }) } as never;
    expect((await replayed([failed(), failed(), well])).result.kind).toBe('not-reproduced');
  });
  it('throws where the sandbox broke', async () => {
    const broke: Outcome = { kind: 'unavailable', reason: 'no engine' };
    await expect(replayed([broke])).rejects.toThrow('sandbox unavailable: no engine');
  });
});

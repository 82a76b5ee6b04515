// Whose fault it is when patched code does not build.
import { expect, it } from 'vitest';
import type { BuildResult } from '../engine/engine.ts';
import { buildPatched } from './build.ts';

const failed = (over: object = {}): BuildResult => ({
  ...{ kind: 'failed', reason: 'exit code 1', log: ['tsc: error'], ...over },
});

function build(results: BuildResult[], signal?: AbortSignal) {
  const removed: string[] = [];
  const options = {
    repository: {
      commitPatch: async () => ({ kind: 'committed', commit: 'patched' }),
      archive: (commit: string) => commit,
    },
    engine: {
      build: async () => results.shift(),
      removeImage: async (id: string) => removed.push(id),
    },
    release: { commit: 'base', imageId: 'deployed' },
    ...{ dockerfile: 'Dockerfile', labels: {}, signal },
  };
  const built = buildPatched(options as never, { buildTimeoutMs: 1 }, 'diff');
  return { built, removed };
}

it('is the patch where the deployed code still builds', async () => {
  const { built, removed } = build([failed(), { kind: 'built', imageId: 'control' }]);
  const reason = 'the patched code does not build: tsc: error';
  expect(await built).toMatchObject({ check: 'own-tests', answer: { answer: 'fail', reason } });
  expect(removed).toEqual(['control']);
});

it('never removes the deployed image', async () => {
  const { built, removed } = build([failed(), { kind: 'built', imageId: 'deployed' }]);
  await built;
  expect(removed).toEqual([]);
});

it('is nobody known where it did not end in time', async () => {
  const { built } = build([failed({ late: true, reason: 'took too long' })]);
  expect(await built).toMatchObject({ answer: { answer: 'unknown', reason: 'took too long' } });
});

it('is not the patch where the deployed code does not build either', async () => {
  await expect(build([failed(), failed()]).built).rejects.toThrow('does not build here any more');
});

it('is nobody where it was broken off', async () => {
  const stopped = AbortSignal.abort(new Error('the server stops'));
  await expect(build([failed({ reason: 'cancelled' })], stopped).built).rejects.toThrow('stops');
});

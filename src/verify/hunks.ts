/** Check 11: every hunk is needed. What the failure does not come back without is dropped. */
import { isTestPath } from '../domain/guardrails.ts';
import { filesOf, hunkCount, withoutHunk } from '../source/patch.ts';
import { type Answer, pass } from './answer.ts';
import { type Build, buildPatched } from './build.ts';
import { replayPatched } from './replays.ts';
import type { Verification } from './verify.ts';

export interface NeededHunks {
  /** The diff without the hunks that nothing needs. */
  diff: string;
  answer: Answer;
}

/**
 * Takes hunks away one after the other, building and replaying each time; one that can go
 * without the failure coming back goes. A single hunk is needed: check 1 shows it. Hunks of
 * tests stay: they are not there to mend anything.
 */
export async function neededHunks(state: Verification, made: Build[]): Promise<NeededHunks> {
  const { options, limits } = state;
  let { diff } = state;
  let index = hunkCount(diff) - 1;
  let dropped = 0;
  while (index >= 0 && sourceHunks(diff) > 1) {
    if (isTestPath(filesOf(diff).flatMap((file) => file.hunks)[index]?.file ?? '')) {
      index--;
      continue;
    }
    const smaller = withoutHunk(diff, index);
    options.onProgress(`replaying without hunk ${index + 1} of ${hunkCount(diff)}`);
    const built = await buildPatched(options, limits, smaller);
    if (built.kind === 'built') {
      made.push(built.build);
      const outcome = await replayPatched(state, built.build, options.evidence);
      if (outcome.kind === 'succeeded') {
        diff = smaller;
        dropped++;
      }
    }
    index--;
  }
  const left = sourceHunks(diff);
  const kept =
    left === 1 ? 'without its one hunk the error is back' : `all ${left} hunks are needed`;
  return { diff, answer: pass(dropped === 0 ? kept : `${kept}; ${dropped} not needed, dropped`) };
}

function sourceHunks(diff: string): number {
  const files = filesOf(diff).filter((file) => !isTestPath(file.path));
  return files.reduce((sum, file) => sum + file.hunks.length, 0);
}

/** Check 11: every hunk is needed. What the failure does not come back without is dropped. */
import { isTestPath } from '../domain/guardrails.ts';
import { filesOf, type Hunk, hunkCount, withoutHunk } from '../source/patch.ts';
import { type Answer, pass, unknown } from './answer.ts';
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
 * without the failure coming back goes, unless the build or the repository's own tests and types
 * need it. A single hunk is needed: check 1 shows it. Hunks of tests stay: they are not there to
 * mend anything.
 */
export async function neededHunks(
  state: Verification,
  made: Build[],
  testsPass: (build: Build) => Promise<boolean>,
): Promise<NeededHunks> {
  const { options, limits } = state;
  let { diff } = state;
  const found = { dropped: 0, unbuilt: 0, untested: 0 };
  for (let index = hunkCount(diff) - 1; index >= 0 && sourceHunks(diff) > 1; index--) {
    if (isTestPath(filesOf(diff).flatMap((file) => file.hunks)[index]?.file ?? '')) continue;
    const smaller = withoutHunk(diff, index);
    options.onProgress(`replaying without hunk ${index + 1} of ${hunkCount(diff)}`);
    const built = await buildPatched(options, limits, smaller);
    if (built.kind === 'failed') {
      found.unbuilt++;
      continue;
    }
    made.push(built.build);
    const outcome = await replayPatched(state, built.build, options.evidence);
    if (outcome.kind !== 'succeeded') continue;
    if (await testsPass(built.build)) {
      diff = smaller;
      found.dropped++;
    } else found.untested++;
  }
  return { diff, answer: pass(said(sourceHunks(diff), found)) };
}

/** For a patch that has to stay as it is: which part of it nobody asked for. */
export function unneeded(whole: string, needed: string): Answer {
  const kept = new Set(filesOf(needed).flatMap((file) => file.hunks.map(textOf)));
  const hunks = filesOf(whole).flatMap((file) => file.hunks);
  const files = hunks.filter((hunk) => !kept.has(textOf(hunk))).map((hunk) => hunk.file);
  const what = files.length === 1 ? 'a change' : `${files.length} changes`;
  const where = [...new Set(files)].join(', ');
  return unknown(`${what} in ${where} that the fix does not need: make a patch without it`);
}

function textOf(hunk: Hunk): string {
  return `${hunk.file}\n${hunk.lines.join('\n')}`;
}

function said(left: number, found: { dropped: number; unbuilt: number; untested: number }): string {
  const others = [
    found.unbuilt > 0 ? `${found.unbuilt} for it to build` : null,
    found.untested > 0 ? `${found.untested} for its tests and types` : null,
  ].filter((text) => text !== null);
  const why = others.length === 0 ? '' : `, ${others.join(' and ')}`;
  const kept =
    left === 1 ? 'without its one hunk the error is back' : `all ${left} hunks are needed${why}`;
  return found.dropped === 0 ? kept : `${kept}; ${found.dropped} not needed, dropped`;
}

function sourceHunks(diff: string): number {
  const files = filesOf(diff).filter((file) => !isTestPath(file.path));
  return files.reduce((sum, file) => sum + file.hunks.length, 0);
}

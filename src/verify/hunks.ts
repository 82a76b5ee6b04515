/** Check 11: every hunk is needed. What the failure does not come back without is dropped. */
import { isTestPath } from '../domain/guardrails.ts';
import type { Outcome } from '../domain/outcome.ts';
import { erased } from '../source/erased.ts';
import { filesOf, type Hunk, hunkCount, splitHunks, withoutHunk } from '../source/patch.ts';
import { type Answer, pass, unknown } from './answer.ts';
import { type Build, buildPatched } from './build.ts';
import { candidateCommit } from './candidate-commit.ts';
import { replayPatched } from './replays.ts';
import type { Verification } from './verify.ts';

export interface NeededHunks {
  /** The diff without the hunks that nothing needs. */
  diff: string;
  answer: Answer;
}

/**
 * Takes hunks away one after the other, every run of changed lines for itself, building and
 * replaying each time; one that can go without the failure coming back goes, unless the build or
 * the repository's own tests need it.
 * Stays without being asked: a single hunk (check 1 shows that it is needed), hunks of tests, and
 * those that change nothing at run time (types, comments): no replay can tell anything of them.
 */
export async function neededHunks(
  state: Verification,
  made: Build[],
  testsPass: (build: Build) => Promise<boolean>,
): Promise<NeededHunks> {
  const { options, limits } = state;
  const whole = splitHunks(state.diff);
  let diff = whole;
  const found = { needed: 0, dropped: 0, unbuilt: 0, untested: 0, erased: 0 };
  const asked: number[] = [];
  const left = () => (found.dropped === 0 ? state.diff : diff);
  for (const index of sourceHunks(diff)) {
    if (await lastsAtRunTime(options, whole, index)) asked.push(index);
    else found.erased++;
  }
  // From the end, so that the numbers of those before stay what they are.
  for (const index of asked.toReversed()) {
    if (asked.length - found.dropped === 1) break;
    const smaller = withoutHunk(diff, index);
    options.onProgress(`replaying without hunk ${index + 1} of ${hunkCount(diff)}`);
    const built = await buildPatched(options, limits, smaller);
    if (built.kind === 'failed') {
      if (built.answer.answer === 'unknown') return { diff: left(), answer: built.answer };
      found.unbuilt++;
      continue;
    }
    made.push(built.build);
    const outcome = await replayPatched(state, built.build, options.evidence);
    const open = undecidedBy(outcome);
    if (open !== null) {
      return { diff: left(), answer: unknown(`without hunk ${index + 1}, ${open}`) };
    }
    if (outcome.kind !== 'succeeded') continue;
    if (await testsPass(built.build)) {
      diff = smaller;
      found.dropped++;
    } else found.untested++;
  }
  found.needed = asked.length - found.dropped;
  return { diff: left(), answer: pass(said(found)) };
}

/** Why a replay says neither that the hunk is needed nor that it is not; null when it does. */
export function undecidedBy(outcome: Outcome): string | null {
  if (outcome.kind === 'succeeded' || outcome.kind === 'failed') return null;
  // An app that ends while it starts needs the hunk; one that is only slow says nothing.
  if (outcome.kind === 'not-ready' && outcome.observed.exit !== null) return null;
  return `the replay says nothing: ${outcome.reason}`;
}

/** Whether the program is another one without the hunk. */
async function lastsAtRunTime(
  options: Verification['options'],
  diff: string,
  index: number,
): Promise<boolean> {
  const { repository, release } = options;
  const path = filesOf(diff).flatMap((file) => file.hunks)[index]?.file ?? '';
  const texts: (string | null)[] = [];
  for (const part of [diff, withoutHunk(diff, index)]) {
    const commit = part === '' ? release.commit : await committed(options, part);
    const bytes = commit === null ? null : await repository.read(commit, path);
    texts.push(bytes === null ? null : erased(path, new TextDecoder().decode(bytes)));
  }
  const [whole, without] = texts;
  return whole === null || whole !== without;
}

async function committed(options: Verification['options'], diff: string): Promise<string | null> {
  const applied = await candidateCommit(options, diff);
  return applied.kind === 'committed' ? applied.commit : null;
}

/** For a patch that has to stay as it is: which part of it nobody asked for. */
export function unneeded(whole: string, needed: string): Answer {
  const kept = new Set(filesOf(needed).flatMap((file) => file.hunks.map(textOf)));
  const hunks = filesOf(splitHunks(whole)).flatMap((file) => file.hunks);
  const files = hunks.filter((hunk) => !kept.has(textOf(hunk))).map((hunk) => hunk.file);
  const what = files.length === 1 ? 'a change' : `${files.length} changes`;
  const where = [...new Set(files)].join(', ');
  return unknown(`${what} in ${where} that the fix does not need: make a patch without it`);
}

function textOf(hunk: Hunk): string {
  return `${hunk.file}\n${hunk.lines.join('\n')}`;
}

function said(found: Record<'needed' | 'dropped' | 'unbuilt' | 'untested' | 'erased', number>) {
  const { needed, dropped, unbuilt, untested, erased: silent } = found;
  const others = [
    unbuilt > 0 ? `${unbuilt} for it to build` : null,
    untested > 0 ? `${untested} for its tests` : null,
  ].filter((text) => text !== null);
  const why = others.length === 0 ? '' : `, ${others.join(' and ')}`;
  const parts = [
    needed === 1 ? 'without its one hunk the error is back' : `${needed} hunks are needed${why}`,
  ];
  if (silent > 0) parts.push(`${silent} of types or comments only`);
  if (dropped > 0) parts.push(`${dropped} not needed, dropped`);
  return parts.join('; ');
}

/** Numbers of the hunks that are not in tests, counted over all files. */
function sourceHunks(diff: string): number[] {
  const hunks = filesOf(diff).flatMap((file) => file.hunks);
  return [...hunks.keys()].filter((index) => !isTestPath(hunks[index]!.file));
}

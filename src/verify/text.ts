/** Check 8 in full: where the patch may write at all, and whether its text hides the error. */
import { guardrailRules, guardrails, isTestPath } from '../domain/guardrails.ts';
import { filesOf } from '../source/patch.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';
import { candidateCommit } from './candidate-commit.ts';
import { valuesAdded } from './foreign.ts';
import { type ChangedFile, hidingOf } from './hiding.ts';
import { leftOut } from './left-out.ts';
import { bringsZero, literalsBroughtIn } from './made-up.ts';
import { reachOf } from './reach.ts';
import { literalsCompared } from './special-case.ts';
import { testLoaded, unshownChange } from './touched.ts';
import type { Verification } from './verify.ts';

/** Judges the diff as text, against the files of the deployed commit. */
export async function judgeText(state: Verification): Promise<Answer> {
  const { repository, release } = state.options;
  const { filesMax, changedLinesMax } = state.limits;
  let files: ReturnType<typeof filesOf>;
  try {
    files = filesOf(state.diff);
  } catch (cause) {
    return fail(`the patch is not a unified diff: ${(cause as Error).message}`);
  }
  const { refusals, flags } = guardrails(files, { ...guardrailRules, filesMax, changedLinesMax });
  if (refusals.length > 0) return fail(refusals.slice(0, 3).join('; '));
  const sources = files.filter((file) => !isTestPath(file.path));
  if (sources.length === 0) return fail('the patch changes tests only');
  const applied = await patchedFiles(state);
  if (applied === null) return fail('the patch does not apply to the deployed commit');
  const [old, now] = [await repository.tree(release.commit), await repository.tree(applied)];
  const unshown = unshownChange(old, now, files);
  if (unshown !== null) return fail(unshown);
  const changed: ChangedFile[] = [];
  for (const { path, oldPath } of sources) {
    const before = oldPath === null ? null : await repository.read(release.commit, oldPath);
    const after = await repository.read(applied, path);
    changed.push({ path, before: textOf(before), after: textOf(after) });
  }
  const test = testLoaded(changed);
  if (test !== null) return fail(`the program now loads a test: ${test}`);
  state.brought = {
    literals: literalsBroughtIn(changed),
    compared: literalsCompared(changed),
    zero: bringsZero(changed),
    added: valuesAdded(changed),
  };
  const hiding = hidingOf(changed);
  if (hiding.kind === 'hides') return fail(hiding.findings.slice(0, 3).join('; '));
  const { refusals: reached, doubts } = reachOf(changed);
  if (reached.length > 0) return fail(reached.slice(0, 3).join('; '));
  if (hiding.kind === 'unreadable') return unknown(hiding.reason);
  if (doubts.length > 0) {
    return unknown(`no replay can tell what it does: ${doubts.slice(0, 3).join('; ')}`);
  }
  const skipped = leftOut(changed);
  if (skipped.length > 0) return unknown(skipped.slice(0, 3).join('; '));
  const noted = flags.length === 0 ? '' : `; to look at: ${flags.slice(0, 3).join(', ')}`;
  return pass(`nothing in its text swallows, skips or silences${noted}`);
}

async function patchedFiles(state: Verification): Promise<string | null> {
  const applied = await candidateCommit(state.options, state.diff);
  return applied.kind === 'committed' ? applied.commit : null;
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

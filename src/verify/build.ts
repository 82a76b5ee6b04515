/** Builds the image of a patched commit, the way the deployed one was built. */
import type { CheckName } from '../domain/fix.ts';
import { type Answer, fail, unknown } from './answer.ts';
import { candidateCommit } from './candidate-commit.ts';
import type { VerifyLimits, VerifyOptions } from './verify.ts';

export interface Build {
  commit: string;
  imageId: string;
}

export type Built =
  | { kind: 'built'; build: Build }
  /** `check` is the question that this answers. */
  | { kind: 'failed'; check: CheckName; answer: Answer };

type BuildOptions = Pick<
  VerifyOptions,
  'repository' | 'engine' | 'release' | 'dockerfile' | 'labels' | 'signal'
>;
type BuildLimits = Pick<VerifyLimits, 'buildTimeoutMs'>;

/**
 * Commits the diff on top of the release's commit (no branch moves) and builds it. Rejects when it
 * was broken off, and when the deployed code does not build now either: that is not the patch's.
 */
export async function buildPatched(
  options: BuildOptions,
  limits: BuildLimits,
  diff: string,
): Promise<Built> {
  const { signal } = options;
  const applied = await candidateCommit(options, diff);
  if (applied.kind === 'refused') {
    const answer = fail(`the patch does not apply to the deployed commit: ${applied.reason}`);
    return { kind: 'failed', check: 'error-gone', answer };
  }
  const result = await buildOf(options, limits, applied.commit);
  if (result.kind === 'built') {
    return { kind: 'built', build: { commit: applied.commit, imageId: result.imageId } };
  }
  signal?.throwIfAborted();
  if (result.late) return { kind: 'failed', check: 'own-tests', answer: unknown(result.reason) };
  await assertBuildable(options, limits);
  const words = lastWords(result.log) || result.reason;
  const answer = fail(`the patched code does not build: ${words}`);
  return { kind: 'failed', check: 'own-tests', answer };
}

function buildOf(options: BuildOptions, limits: BuildLimits, commit: string) {
  const { repository, engine, dockerfile, labels, signal } = options;
  return engine.build({
    context: repository.archive(commit),
    dockerfile,
    labels,
    timeoutMs: limits.buildTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The deployed code, built again: mostly from what the engine remembers, in no time. */
async function assertBuildable(options: BuildOptions, limits: BuildLimits): Promise<void> {
  const { engine, release, signal } = options;
  const control = await buildOf(options, limits, release.commit);
  signal?.throwIfAborted();
  if (control.kind === 'failed') {
    throw new Error(`the deployed code does not build here any more: ${control.reason}`);
  }
  if (control.imageId !== release.imageId)
    await engine.removeImage(control.imageId).catch(() => {});
}

function lastWords(log: readonly string[]): string {
  const lines = log.filter((line) => line.trim() !== '');
  return lines.slice(-2).join(' | ').replace(/\s+/g, ' ').slice(0, 200);
}

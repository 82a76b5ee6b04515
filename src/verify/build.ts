/** Builds the image of a patched commit, the way the deployed one was built. */
import type { CheckName } from '../domain/fix.ts';
import type { VerifyLimits, VerifyOptions } from './verify.ts';

export interface Build {
  commit: string;
  imageId: string;
}

export type Built =
  | { kind: 'built'; build: Build }
  /** `check` is the question that this answers with `fail`. */
  | { kind: 'failed'; check: CheckName; reason: string };

const author = { name: 'Fixpoint', email: 'fixpoint@localhost' };

/** Commits the diff on top of the release's commit (no branch moves) and builds it. */
export async function buildPatched(
  options: Pick<
    VerifyOptions,
    'repository' | 'engine' | 'release' | 'dockerfile' | 'labels' | 'signal'
  >,
  limits: Pick<VerifyLimits, 'buildTimeoutMs'>,
  diff: string,
): Promise<Built> {
  const { repository, engine, release, dockerfile, labels, signal } = options;
  const base = release.commit;
  const applied = await repository.commitPatch({ base, diff, message: 'Candidate', author });
  if (applied.kind === 'refused') {
    const reason = `the patch does not apply to the deployed commit: ${applied.reason}`;
    return { kind: 'failed', check: 'error-gone', reason };
  }
  const result = await engine.build({
    context: repository.archive(applied.commit),
    dockerfile,
    labels,
    timeoutMs: limits.buildTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  if (result.kind === 'failed') {
    const reason = `the patched code does not build: ${lastWords(result.log) || result.reason}`;
    return { kind: 'failed', check: 'own-tests', reason };
  }
  return { kind: 'built', build: { commit: applied.commit, imageId: result.imageId } };
}

function lastWords(log: readonly string[]): string {
  const lines = log.filter((line) => line.trim() !== '');
  return lines.slice(-2).join(' | ').replace(/\s+/g, ' ').slice(0, 200);
}

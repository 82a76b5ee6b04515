/** After a start: what no job remembers of the work that an earlier server was killed at. */
import type { Verdict } from '../domain/fix.ts';
import { type Parts, queue } from '../pipeline.ts';

/**
 * Jobs go on by themselves. What has none: issues whose server was killed between filing and
 * queueing them, and work by hand (`fixpoint reproduce`, `fixpoint verify`), which ended with its
 * caller. Call it before jobs are taken up.
 */
export async function resume(parts: Parts): Promise<void> {
  const { store, settings, logger } = parts;
  for (const issue of await store.issues.list({})) {
    const { id, status } = issue;
    if (await store.jobs.isPending('pursue', `issue-${id}`)) continue;
    if (status === 'open' && settings.automatic) await queue(store, id);
    if (status === 'reproducing' || status === 'proposing') {
      const reason = `the server ended while it was worked on; "fixpoint fix ${id}" tries again`;
      await store.issues.setStatus(id, 'open', reason);
      logger.info('work on an issue was broken off', { issue: id });
    }
    if (status !== 'resolved') await endBranchAttempts(parts, id);
  }
}

/** The pipeline judges its own unfinished attempts again; those of branches nobody asks for. */
async function endBranchAttempts({ store }: Parts, issueId: number): Promise<void> {
  for (const { number, verdict, candidate } of await store.attempts.list(issueId)) {
    if (verdict !== null || candidate.provenance.kind !== 'branch') continue;
    const { diff } = candidate;
    const reason = 'the server ended while it was looked at: ask for the verdict again';
    const check = { name: 'error-gone', answer: 'unknown', reason } as const;
    const ended: Verdict = {
      kind: 'inconclusive',
      checks: [check],
      ...{ diff, before: null, after: null, tookMs: 0 },
    };
    await store.attempts.finish(issueId, number, ended);
  }
}

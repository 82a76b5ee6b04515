/** What follows a maintainer's decision to merge: merge, deploy, resolve. Safe to repeat. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Merged } from '../api/contract.ts';
import type { Deployer } from '../deploy/deployer.ts';
import type { Deployment, DeploymentStatus } from '../domain/app.ts';
import type { ChangeRequest } from '../domain/fix.ts';
import { now } from '../domain/time.ts';
import type { Forge } from '../forge/forge.ts';
import type { Store } from '../store/store.ts';

const underWay: DeploymentStatus[] = ['queued', 'building', 'starting'];
const pollMs = 200;

export interface LandOptions {
  store: Store;
  forge: Forge;
  deployer: Pick<Deployer, 'deploy'>;
  change: ChangeRequest;
  author: { name: string; email: string };
  say: (text: string) => void;
}

/**
 * Each step looks whether an earlier try got beyond it, so that a server that was killed on the
 * way goes on where it was.
 */
export async function land(options: LandOptions): Promise<Merged> {
  const { store, forge, change, author, say } = options;
  const app = await store.apps.get(change.app);
  if (app === null) throw new Error(`there is no app ${change.app}`);
  let { commit } = change;
  if (change.status === 'open') {
    say(`Merging ${change.branch} into ${app.defaultBranch}`);
    const result = await forge.merge(change, author);
    if (result.kind === 'conflict') return { kind: 'conflict', change, files: result.files };
    if (result.kind === 'not-open') return { kind: 'not-open', change };
    commit = result.commit;
    await store.changes.update(change.id, { status: 'merged', commit, endedAt: now() });
  } else if (change.status !== 'merged') return { kind: 'not-open', change };
  const deployment = await deployed(options, { branch: app.defaultBranch, commit });
  const issue = await store.issues.get(change.issueId);
  if (deployment.status === 'serving' || deployment.status === 'replaced') {
    const where = `live in release ${deployment.releaseNumber}`;
    const reason = `change request ${change.id} was merged and is ${where}`;
    await store.issues.setStatus(change.issueId, 'resolved', reason);
  } else if (issue?.status !== 'resolved') {
    const reason = `merged, but its deployment ${deployment.status}: ${deployment.reason}`;
    await store.issues.setStatus(change.issueId, 'proposed', reason);
  }
  const after = (await store.changes.get(change.id)) ?? change;
  return { kind: 'merged', change: after, commit, deployment };
}

async function deployed(
  { store, deployer, change, say }: LandOptions,
  at: { branch: string; commit: string },
): Promise<Deployment> {
  for (;;) {
    const same = (await store.deployments.list(change.app)).filter(
      (one) => one.commit === at.commit,
    );
    const live = same.find(({ status }) => status === 'serving' || status === 'replaced');
    if (live !== undefined) return live;
    if (!same.some(({ status }) => underWay.includes(status))) break;
    // A server that starts deploys what is not deployed: it is waited for, not repeated.
    await sleep(pollMs);
  }
  return deployer.deploy({ app: change.app, ...at, onLine: say });
}

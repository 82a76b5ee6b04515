/** Runs deployments in turn, brings instances back, and takes up where an earlier server ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment, Instance } from '../domain/app.ts';
import { now } from '../domain/time.ts';
import type { Push } from '../git/http-backend.ts';
import type { DeployOptions } from './context.ts';
import { type DeployParts, deploy } from './deploy.ts';
import { relaunch } from './relaunch.ts';
import { restore } from './restore.ts';
import { serving } from './serving.ts';
import { labelNames } from './specs.ts';
import { restartDelayMs } from './supervise.ts';
import { turns } from './turns.ts';

export interface Wanted {
  app: string;
  branch: string;
  /** Full id of a commit in the app's repository. */
  commit: string;
  /** Told what happens, line by line; the same lines are stored with the deployment. */
  onLine?: (line: string) => void;
}

export interface Deployer {
  /**
   * Deploys when the app's turn comes; resolves when it serves or has ended otherwise. While one
   * waits and a newer one comes, the waiting one ends as `interrupted`.
   */
  deploy(wanted: Wanted): Promise<Deployment>;
  /** What serves, again with the app's present configuration; null when nothing serves. */
  redeploy(app: string, onLine?: (line: string) => void): Promise<Deployment | null>;
  /** For the git backend: deploys the default branch and says what became of other refs. */
  pushed(push: Push, say: (line: string) => void): Promise<void>;
  /** Once, before anything else: takes up what runs, and ends or repeats what was under way. */
  restore(): Promise<void>;
  /** The instance that answers for the app. */
  current(app: string): Instance | null;
  /** Resolves once no deployment runs or waits and everything replaced is gone. */
  settled(): Promise<void>;
  /** Interrupts deployments; apps go on serving for the next server. */
  close(): Promise<void>;
  /** Stops and removes every container of this platform and its network. */
  removeEverything(): Promise<void>;
}

export function deployer(options: DeployOptions): Deployer {
  const { store, engine, logger, settings } = options;
  const closing = new AbortController();
  const builds = turns(settings.buildsMax);
  const apps = turns(1);
  const arrivals = turns(1);
  const open = turns(Number.POSITIVE_INFINITY);
  const waiting = new Map<string, { supersede(): Promise<void> }>();
  const parts: DeployParts = {
    options,
    serving: serving(options, (instance) => bringBack(instance.app, instance, 1)),
    inBuildTurn: (work) => builds.run('build', work),
  };

  function enqueue(wanted: Wanted): Promise<Deployment> {
    return open.run(wanted.app, async () => {
      // What is newer is decided by the order of calls, so they are taken down one by one.
      const entered = await arrivals.run(wanted.app, () => enter(wanted));
      return await entered.result;
    });
  }

  async function enter(wanted: Wanted): Promise<{ result: Promise<Deployment> }> {
    const { app, branch, commit } = wanted;
    const deployment = await store.deployments.add({
      app,
      branch,
      commit,
      releaseNumber: null,
      status: 'queued',
      reason: null,
      startedAt: now(),
      endedAt: null,
    });
    const { say, written } = logOf(deployment.id, wanted.onLine);
    if (apps.isBusy(app)) say('Another deployment of this app is under way: waiting for its end');
    await waiting.get(app)?.supersede();
    let superseded: Deployment | null = null;
    const mine = {
      async supersede() {
        const reason = 'a newer commit was pushed before its turn came';
        say(`Interrupted: ${reason}`);
        const ended = { status: 'interrupted', reason, endedAt: now() } as const;
        superseded = { ...deployment, ...ended };
        await store.deployments.update(deployment.id, ended);
      },
    };
    waiting.set(app, mine);
    const result = apps.run(app, async () => {
      if (superseded) return superseded;
      if (waiting.get(app) === mine) waiting.delete(app);
      try {
        return await deploy(parts, { deployment, say, signal: closing.signal });
      } finally {
        await written();
      }
    });
    return { result };
  }

  /** Lines are stored in order without holding up whoever says them. */
  function logOf(id: string, onLine: Wanted['onLine']) {
    let last: Promise<unknown> = Promise.resolve();
    const say = (line: string) => {
      onLine?.(line);
      last = last
        .then(() => store.deployments.appendLog(id, line))
        .catch((error: unknown) => {
          logger.error('a line of a deployment was not stored', { id, reason: String(error) });
        });
    };
    return { say, written: async () => await last };
  }

  /** An instance was lost with its namespace: a new one of the same release takes its place. */
  function bringBack(app: string, lost: Instance | null, tries: number): void {
    const again = (reason: string) => {
      const delayMs = restartDelayMs(settings.restart, tries);
      logger.error('an app could not be brought back yet', { app, reason, delayMs });
      sleep(delayMs, undefined, { signal: closing.signal })
        .then(() => bringBack(app, lost, tries + 1))
        .catch(() => undefined);
    };
    const work = async () => {
      const current = parts.serving.current(app);
      if (closing.signal.aborted || (current && current.id !== lost?.id)) return;
      const result = await relaunch(parts, app, closing.signal);
      if (result.kind === 'failed') again(result.reason);
      if (result.kind !== 'image-gone') return;
      void enqueue({ app, branch: result.branch, commit: result.commit }).catch(() => undefined);
    };
    apps.run(app, work).catch((error: unknown) => again((error as Error).message));
  }

  return {
    deploy: enqueue,
    async redeploy(app, onLine) {
      const before = await store.deployments.serving(app);
      if (!before) return null;
      return await enqueue({ app, branch: before.branch, commit: before.commit, onLine });
    },
    pushed: (push, say) => pushed(options, push, { say, deploy: enqueue }),
    restore: () =>
      restore(parts, {
        bringBack: (app, lost) => bringBack(app, lost, 1),
        deploy: (wanted) => {
          enqueue(wanted).catch((error: unknown) => {
            logger.error('a deployment failed', { app: wanted.app, reason: String(error) });
          });
        },
      }),
    current: (app) => parts.serving.current(app),
    async settled() {
      await open.idle();
      await apps.idle();
      await parts.serving.settled();
    },
    async close() {
      closing.abort();
      await open.idle();
      await apps.idle();
      await parts.serving.close();
    },
    async removeEverything() {
      await this.close();
      const owned = await engine.list({ [labelNames.owner]: settings.owner });
      for (const container of owned) await engine.remove(container.id);
      await engine.removeNetwork(settings.network);
    },
  };
}

async function pushed(
  { store }: DeployOptions,
  push: Push,
  to: { say: (line: string) => void; deploy: (wanted: Wanted) => Promise<Deployment> },
): Promise<void> {
  const app = await store.apps.get(push.name);
  if (!app) return to.say(`There is no app ${push.name}.`);
  for (const { name, to: commit } of push.refs) {
    const branch = name.startsWith('refs/heads/') ? name.slice('refs/heads/'.length) : null;
    if (branch === null || commit === null) continue;
    if (branch === app.defaultBranch) {
      await to.deploy({ app: app.name, branch, commit, onLine: to.say });
      continue;
    }
    to.say(`Stored ${branch}. Only ${app.defaultBranch} is deployed, so nothing else happened:`);
    to.say(`  to deploy it: git push ... ${branch}:${app.defaultBranch}`);
    to.say(`  to have it judged as a fix: fixpoint verify ISSUE --branch ${branch}`);
  }
}

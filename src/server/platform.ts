/** The commands that the API offers, made of the pipeline, the deployer and the recorder. */
import { join } from 'node:path';
import type { Merged, Part } from '../api/contract.ts';
import type { Platform, Refusal, Say } from '../api/platform.ts';
import type { Config } from '../config.ts';
import type { Deployer } from '../deploy/deployer.ts';
import type { Issue } from '../domain/failure.ts';
import type { ChangeRequest } from '../domain/fix.ts';
import { now } from '../domain/time.ts';
import { dossierOf } from '../dossier.ts';
import { createRepository } from '../git/bare.ts';
import { judgeCandidate, type Parts, pursue, queue, reproduced, type Work } from '../pipeline.ts';
import type { Recorder } from '../record/types.ts';
import { doctor } from './doctor.ts';
import { explain } from './explain.ts';
import { harOf } from './har.ts';
import { land } from './land.ts';
import { logsOf } from './logs.ts';
import { Pursuits } from './pursuits.ts';
import { resume } from './resume.ts';

export interface PlatformOptions {
  config: Config;
  parts: Parts;
  deployer: Deployer;
  recorder: Recorder;
  /** Where repositories are pushed to, without credentials: `http://host:port`. */
  baseUrl: () => string;
  sandboxImage: string;
  sensorState: () => Part;
}

const resendMs = 5_000;
/** Tries of a piece of work that the engine or the sandbox broke off. */
const attemptsMax = 3;

export class FixpointPlatform implements Platform {
  readonly #options: PlatformOptions;
  readonly #pursuits = new Pursuits();
  readonly #closing = new AbortController();
  /** Callers of `merge` that wait for the job, by change. */
  readonly #merges = new Map<number, { say: Say; done: (merged: Merged | Error) => void }>();

  constructor(options: PlatformOptions) {
    this.#options = options;
  }

  /** Takes up jobs: also those that an earlier server was killed at. */
  async start(): Promise<void> {
    const { parts, config } = this.#options;
    await resume(parts);
    const limits = { attemptsMax, timeoutMs: config.fix.timeoutMs };
    const { jobs } = parts.store;
    await jobs.work(
      'pursue',
      { concurrency: config.replay.sandboxesMax, ...limits },
      async (data, signal, { last }) => {
        const issueId = Number(data.issueId);
        const work = (going: Work) => pursue(parts, issueId, going);
        try {
          await this.#pursuits.run(issueId, this.#bounded(signal), work);
        } catch (error) {
          await this.#brokenOff(issueId, error, last);
          throw error;
        }
      },
    );
    await jobs.work('land', { concurrency: 1, ...limits }, (data) =>
      this.#land(Number(data.changeId)),
    );
  }

  close(): void {
    this.#closing.abort(new Error('the server stops'));
  }

  urlsOf(app: string): { gitUrl: string; url: string } {
    const { domain, port } = this.#options.config.router;
    const suffix = port === 80 ? '' : `:${port}`;
    const gitUrl = `${this.#options.baseUrl()}/git/${app}.git`;
    return { gitUrl, url: `http://${app}.${domain}${suffix}` };
  }

  async createApp(options: { name: string; defaultBranch: string }) {
    const { store } = this.#options.parts;
    const { name, defaultBranch } = options;
    if ((await store.apps.get(name)) !== null) return taken(name);
    const directory = join(this.#options.config.dataDir, 'git', `${name}.git`);
    await createRepository(directory, { defaultBranch });
    return (await store.apps.create({ name, defaultBranch, createdAt: now() })) ?? taken(name);
  }

  async setEnv(app: string, changes: Record<string, string | null>, say: Say) {
    const version = await this.#options.parts.store.env.set(app, changes);
    return { version, deployment: await this.#options.deployer.redeploy(app, say) };
  }

  har = harOf;

  degradationsOf = (app: string) => this.#options.recorder.degradations(app);

  explain = (recording: Parameters<Platform['explain']>[0]) => explain(recording, null);

  async reproduce(issueId: number, say: Say) {
    return this.#exclusively(issueId, say, async (issue, work) => {
      const { parts } = this.#options;
      await parts.store.reproductions.forget(issueId);
      const dossier = await dossierOf(parts.store, issue);
      if (dossier === null) return refusal('conflict', 'Nothing of this issue is kept any more.');
      return reproduced(parts, dossier, work);
    });
  }

  async fix(issueId: number, say: Say) {
    const { store } = this.#options.parts;
    const stop = this.#pursuits.listen(issueId, say);
    try {
      await queue(store, issueId);
      await this.#settled(issueId);
    } finally {
      stop();
    }
    const issue = await store.issues.get(issueId);
    if (issue === null) return refusal('not-found', `There is no issue ${issueId}.`);
    const [change] = await store.changes.list({ issueId });
    return { issue, change: change ?? null };
  }

  async verifyBranch(issueId: number, branch: string, say: Say) {
    return this.#exclusively(issueId, say, async (issue, work) => {
      const { parts } = this.#options;
      const repository = await parts.repositoryOf(issue.app);
      const commit = await repository.resolve(`refs/heads/${branch}`);
      if (commit === null) {
        return refusal('not-found', `${issue.app} has no branch ${branch}: push it first.`);
      }
      const dossier = await dossierOf(parts.store, issue);
      if (dossier === null) return refusal('conflict', 'Nothing of this issue is kept any more.');
      const { author, subject } = await repository.describe(commit);
      const diff = await repository.diff(dossier.release.commit, commit);
      const provenance = { kind: 'branch', branch, author: author.name } as const;
      const candidate = { diff, explanation: subject, rootCause: '', provenance };
      const attempt = await judgeCandidate(parts, issue, candidate, work);
      return 'kind' in attempt ? refusal('conflict', attempt.reason) : attempt;
    });
  }

  async merge(changeId: number, say: Say): Promise<Merged | Refusal> {
    const { store } = this.#options.parts;
    if ((await store.changes.get(changeId)) === null) {
      return refusal('not-found', `There is no change request ${changeId}.`);
    }
    if (this.#merges.has(changeId)) return refusal('conflict', 'It is being merged already.');
    const merged = new Promise<Merged | Error>((done) => this.#merges.set(changeId, { say, done }));
    const send = () => store.jobs.send('land', { changeId }, `change-${changeId}`);
    // One that is just ending takes no second one: asked again until this one is answered.
    const timer = setInterval(() => void send().catch(() => {}), resendMs);
    try {
      await send().catch((error) => {
        this.#merges.delete(changeId);
        throw error;
      });
      const result = await merged;
      if (result instanceof Error) throw result;
      return result;
    } finally {
      clearInterval(timer);
    }
  }

  async closeChange(changeId: number, comment: string): Promise<ChangeRequest | Refusal> {
    const { store, forge } = this.#options.parts;
    const change = await store.changes.get(changeId);
    if (change === null) return refusal('not-found', `There is no change request ${changeId}.`);
    if (change.status !== 'open') return refusal('conflict', `It is ${change.status} already.`);
    await forge.close(change, comment);
    await store.changes.update(changeId, { status: 'closed', endedAt: now() });
    const reason = `change request ${changeId} was closed${comment === '' ? '' : `: ${comment}`}`;
    await store.issues.setStatus(change.issueId, 'no-fix', reason);
    return (await store.changes.get(changeId)) ?? change;
  }

  logs: Platform['logs'] = (app, options, onLine) =>
    logsOf({ ...this.#options.parts, app, ...options, onLine });

  async status(): Promise<Part[]> {
    const { parts, recorder } = this.#options;
    const engine = await parts.engine.ping().catch((error: Error) => error);
    const { instances, heldBytes } = recorder.status();
    const mib = (heldBytes / 2 ** 20).toFixed(1);
    const busy = this.#pursuits.busy;
    const working = busy.length === 0 ? 'idle' : `works on issue ${busy.join(', ')}`;
    return [
      engine instanceof Error
        ? { name: 'engine', state: 'down', says: engine.message }
        : { name: 'engine', state: 'ok', says: `Docker Engine ${engine.version}` },
      this.#options.sensorState(),
      { name: 'recorder', state: 'ok', says: `${instances} instances, ${mib} MiB held` },
      { name: 'pipeline', state: 'ok', says: working },
    ];
  }

  doctor: Platform['doctor'] = () => {
    const { config, parts, sandboxImage } = this.#options;
    const { dataDir } = config;
    return doctor({
      engine: parts.engine,
      engineSocket: config.engine.socket,
      dataDir,
      sandboxImage,
    });
  };

  /** Work by hand: refused while the pipeline is at the same issue. */
  async #exclusively<T>(
    issueId: number,
    say: Say,
    work: (issue: Issue, going: Work) => Promise<T | Refusal>,
  ): Promise<T | Refusal> {
    const issue = await this.#options.parts.store.issues.get(issueId);
    if (issue === null) return refusal('not-found', `There is no issue ${issueId}.`);
    if (this.#pursuits.isBusy(issueId)) {
      const hint = `"fixpoint fix ${issueId}" shows how it goes`;
      return refusal('conflict', `Issue ${issueId} is being worked on; ${hint}.`);
    }
    const stop = this.#pursuits.listen(issueId, say);
    const timeout = AbortSignal.timeout(this.#options.config.fix.timeoutMs);
    try {
      return await this.#pursuits.run(issueId, this.#bounded(timeout), (going) =>
        work(issue, going),
      );
    } finally {
      stop();
    }
  }

  /** Waits until the queue has dealt with the issue. */
  async #settled(issueId: number): Promise<void> {
    const { jobs } = this.#options.parts.store;
    while (!this.#closing.signal.aborted) {
      if (
        !this.#pursuits.isBusy(issueId) &&
        !(await jobs.isPending('pursue', `issue-${issueId}`))
      ) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #land(changeId: number): Promise<void> {
    const { parts, deployer } = this.#options;
    const change = await parts.store.changes.get(changeId);
    if (change === null) return;
    // Whoever asks while it goes on (for the second time, after a restart) hears the end, too.
    const waiting = () => this.#merges.get(changeId);
    const author = { name: 'A maintainer', email: 'maintainer@fixpoint.localhost' };
    const say: Say = (text) => waiting()?.say(text);
    try {
      const merged = await land({ ...parts, deployer, change, author, say });
      waiting()?.done(merged);
    } catch (error) {
      waiting()?.done(error as Error);
      throw error;
    } finally {
      this.#merges.delete(changeId);
    }
  }

  /** The sandbox or the engine failed, not the app: it waits for its next turn, or says so. */
  async #brokenOff(issueId: number, error: unknown, last: boolean): Promise<void> {
    const { store, logger } = this.#options.parts;
    const reason = error instanceof Error ? error.message : String(error);
    logger.error('work on an issue broke off', { issue: issueId, reason, last });
    if ((await store.issues.get(issueId))?.status === 'resolved') return;
    const next = last ? `"fixpoint fix ${issueId}" tries again` : 'it is tried again';
    await store.issues.setStatus(issueId, 'open', `the work broke off: ${reason}; ${next}`);
  }

  #bounded(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal]);
  }
}

function taken(name: string): Refusal {
  return refusal('conflict', `There is an app ${name} already.`);
}

function refusal(code: Refusal['code'], reason: string): Refusal {
  return { kind: 'refused', code, reason };
}

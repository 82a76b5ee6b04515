/** Replays recordings in sandboxes: takes one, boots the app in it, sends, observes, removes it. */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from '../domain/outcome.ts';
import type { Engine } from '../engine/engine.ts';
import { type Assets, prepareAssets } from './assets.ts';
import { Experiment } from './experiment.ts';
import { ImageRuntimes } from './image-runtime.ts';
import { waitFor } from './lateness.ts';
import { SandboxPool } from './pool.ts';
import {
  type ManyOptions,
  type ManyReplayer,
  type ManyRequest,
  type ReplayOptions,
  replayLimits,
} from './replay.ts';
import { openSandbox, sandboxLabel } from './sandbox.ts';

export interface ReplayerOptions {
  engine: Engine;
  /** Ours alone, absolute, and the same path for the engine: files that sandboxes mount. */
  directory: string;
  /** Image of anchor and world. */
  sandboxImage: string;
  /** Sandboxes that are kept open in advance. */
  warm: number;
  /** How many replays one sandbox is used for. */
  sandboxUsesMax: number;
  openTimeoutMs: number;
  openAttemptsMax: number;
  worldMemoryBytesMax: number;
  /** CPUs of one app in its sandbox. */
  cpus: number;
  /** Largest body of one exchange; larger ones are not whole and never served. */
  bodyBytesMax: number;
}

export const replayerDefaults: Omit<ReplayerOptions, 'engine' | 'directory'> = {
  sandboxImage: 'fixpoint/sandbox:latest',
  warm: 2,
  sandboxUsesMax: 50,
  openTimeoutMs: 20_000,
  openAttemptsMax: 3,
  worldMemoryBytesMax: 2 * 1024 ** 3,
  cpus: 2,
  bodyBytesMax: 64 << 20,
};

/** How long a boot is taken to last before one was seen. */
const firstBootMs = 700;
const openRetryDelayMs = 300;

/**
 * Removes what an earlier replayer with the same directory left behind, lays out the files that
 * sandboxes mount, and begins to open the first sandboxes. Rejects when the engine fails.
 */
export async function createReplayer(
  options: Pick<ReplayerOptions, 'engine' | 'directory'> & Partial<ReplayerOptions>,
): Promise<ManyReplayer> {
  const all: ReplayerOptions = { ...replayerDefaults, ...options };
  const owner = ownerOf(all.directory);
  if ((await all.engine.image(all.sandboxImage)) === null) {
    throw new Error(`there is no image ${all.sandboxImage}: scripts/base-images makes it`);
  }
  await removeLeftovers(all.engine, owner);
  const assets = await prepareAssets(all);
  const pool = new SandboxPool({
    open: () => openSandbox({ ...all, assets, owner, image: all.sandboxImage }),
    size: all.warm,
    usesMax: all.sandboxUsesMax,
    attemptsMax: all.openAttemptsMax,
    retryDelayMs: openRetryDelayMs,
  });
  pool.fill();
  return new DockerReplayer({ options: all, assets, pool });
}

/** The value of the label of a replayer's containers: one for each directory. */
export function ownerOf(directory: string): string {
  return createHash('sha256').update(directory).digest('hex').slice(0, 10);
}

class DockerReplayer implements ManyReplayer {
  readonly #options: ReplayerOptions;
  readonly #assets: Assets;
  readonly #pool: SandboxPool;
  readonly #runtimes: ImageRuntimes;
  /** The last boot of each image. */
  readonly #bootMs = new Map<string, number>();

  constructor(parts: { options: ReplayerOptions; assets: Assets; pool: SandboxPool }) {
    this.#options = parts.options;
    this.#assets = parts.assets;
    this.#pool = parts.pool;
    this.#runtimes = new ImageRuntimes(parts.options.engine);
  }

  async replay(options: ReplayOptions): Promise<Outcome> {
    const { trigger, siblings, prefix, requestOverride, ...others } = options;
    const usual = { ...replayLimits, ...options.limits };
    const settleMs = Math.max(usual.settleMs, trigger === null ? 0 : waitFor(trigger));
    const rest = { ...others, limits: { ...usual, settleMs } };
    const request = trigger && { trigger, siblings, prefix, requestOverride };
    const [outcome] = await this.#inSandbox(rest, async (experiment) => {
      const ended = await experiment.boot(request);
      if (ended !== null) return [ended];
      if (request === null) return [await experiment.outcomeOfBoot()];
      return experiment.send([request]);
    });
    return outcome!;
  }

  async replayMany(options: ManyOptions, requests: readonly ManyRequest[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    while (outcomes.length < requests.length) {
      const rest = requests.slice(outcomes.length);
      outcomes.push(...(await this.#sendInOneBoot(options, rest)));
    }
    return outcomes;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** The outcomes of the first of them, at least one: fewer than all when the process ended. */
  async #sendInOneBoot(options: ManyOptions, requests: readonly ManyRequest[]): Promise<Outcome[]> {
    return this.#inSandbox(options, async (experiment) => {
      const ended = await experiment.boot(requests[0]!);
      return ended === null ? experiment.send(requests) : [ended];
    });
  }

  async #inSandbox(
    options: ManyOptions,
    run: (experiment: Experiment) => Promise<Outcome[]>,
  ): Promise<Outcome[]> {
    options.signal?.throwIfAborted();
    const { imageId } = options;
    try {
      const runtime = await this.#runtimes.of(imageId);
      const sandbox = await this.#pool.take();
      const experiment = new Experiment({
        ...this.#options,
        ...options,
        assets: this.#assets,
        ...{ sandbox, runtime },
        limits: { ...replayLimits, ...options.limits },
        expectedBootMs: this.#bootMs.get(imageId) ?? firstBootMs,
      });
      let isSound = false;
      try {
        const outcomes = await untilAborted(run(experiment), options.signal);
        isSound = true;
        return outcomes;
      } finally {
        if (experiment.bootMs > 0) this.#bootMs.set(imageId, experiment.bootMs);
        experiment.stop();
        this.#pool.giveBack(sandbox, { isSound });
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      return [{ kind: 'unavailable', reason }];
    }
  }
}

/** Rejects at once when it is aborted; what was under way ends with its sandbox. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function removeLeftovers(engine: Engine, owner: string): Promise<void> {
  const left = await engine.list({ [sandboxLabel]: owner });
  await Promise.all(left.map((container) => engine.remove(container.id)));
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(`fixpoint-sandbox-${owner}-`)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

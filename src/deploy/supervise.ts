/** Starts an instance's process again when it dies, in the same network namespace. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance, ProcessExit } from '../domain/app.ts';
import type { DeployOptions, RestartSettings } from './context.ts';
import { containerEnd, type Running } from './instance.ts';
import { openOutput } from './output.ts';

export interface Supervision {
  /** From now on its end is no death: it is about to be stopped, or the server ends. */
  stop(): void;
}

/** How long the last lines of a process that died are waited for. */
const lastLinesMs = 5_000;

/**
 * Watches a serving instance. Each death is told to `onExit` after its last lines, then the
 * process is started again after a delay that doubles. `onLost` is called once when that is not
 * possible: its containers are gone.
 */
export function supervise(
  options: DeployOptions,
  running: Running,
  onLost: (instance: Instance) => void,
): Supervision {
  const { engine, hooks, logger, settings } = options;
  const { instance } = running;
  const stopping = new AbortController();
  const { signal } = stopping;
  let { output } = running;

  async function revive(exit: ProcessExit, delayMs: number): Promise<boolean> {
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return true;
    const anchor = await engine.inspect(instance.anchorId);
    if (!anchor?.running || anchor.netns !== instance.netns) return false;
    await engine.start(instance.containerId);
    output.stop();
    output = await openOutput(options, instance, exit.at + 1);
    return true;
  }

  async function watch(): Promise<void> {
    let deaths = 0;
    for (let bornAt = performance.now(); ; bornAt = performance.now()) {
      const exit = await containerEnd(options, instance.containerId, signal);
      if (signal.aborted) return;
      if (!exit) return lose();
      await output.ended(lastLinesMs);
      if (signal.aborted) return;
      hooks.onExit(instance, exit);
      deaths = performance.now() - bornAt > settings.restart.calmAfterMs ? 1 : deaths + 1;
      const about = { app: instance.app, instance: instance.id, deaths, ...exit };
      logger.warn('an instance died and is started again', about);
      if (deaths === settings.restart.loopDeaths) hooks.onRestartLoop(instance, deaths);
      if (!(await revive(exit, restartDelayMs(settings.restart, deaths)))) return lose();
    }
  }

  /** Without its anchor it may run on, but nobody reaches it. */
  async function watchAnchor(): Promise<void> {
    await containerEnd(options, instance.anchorId, signal);
    if (!signal.aborted) lose();
  }

  let lost = false;
  const lose = () => {
    if (!lost) onLost(instance);
    lost = true;
  };

  watchAnchor().catch(() => undefined);
  watch().catch((error: unknown) => {
    if (signal.aborted) return;
    logger.error('an instance cannot be started again', {
      app: instance.app,
      instance: instance.id,
      reason: (error as Error).message,
    });
    lose();
  });
  return {
    stop() {
      stopping.abort();
      output.stop();
    },
  };
}

/** After the first death at once, nearly; then twice as long each time, up to the limit. */
export function restartDelayMs(settings: RestartSettings, deaths: number): number {
  return Math.min(settings.firstDelayMs * 2 ** (deaths - 1), settings.delayMsMax);
}

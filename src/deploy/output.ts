/** Hands on what an instance writes, over restarts of its process. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance } from '../domain/app.ts';
import type { DeployOptions } from './context.ts';

export interface Output {
  /** Resolves once what the process wrote until its end was handed on, or after `waitMs`. */
  ended(waitMs: number): Promise<void>;
  stop(): void;
}

/** Every line goes to the `onLog` hook; `since` (microseconds) leaves out what was before. */
export async function openOutput(
  { engine, hooks }: DeployOptions,
  instance: Instance,
  since?: number,
): Promise<Output> {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const stop = await engine.follow(instance.containerId, {
    since,
    onLine: (line) => hooks.onLog(instance, line),
    onEnd: () => end(),
  });
  return {
    async ended(waitMs) {
      const waiting = new AbortController();
      const late = sleep(waitMs, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([ended, late]);
      waiting.abort();
    },
    stop,
  };
}

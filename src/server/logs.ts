/** What an app's instances write, now and from now on, over deployments. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Refusal } from '../api/platform.ts';
import type { LogLine } from '../domain/app.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../store/store.ts';

export interface LogsOptions {
  engine: Engine;
  store: Pick<Store, 'apps' | 'instances'>;
  app: string;
  linesMax: number;
  follow: boolean;
  signal: AbortSignal;
  onLine: (line: LogLine) => void;
}

const lookEveryMs = 1_000;

/** Null when all was told; new instances are taken up while following. */
export async function logsOf(options: LogsOptions): Promise<Refusal | null> {
  const { engine, store, app, signal, onLine } = options;
  if ((await store.apps.get(app)) === null) {
    return { kind: 'refused', code: 'not-found', reason: `There is no app ${app}.` };
  }
  const followed = new Set<string>();
  const stops: (() => void)[] = [];
  try {
    for (let first = true; !signal.aborted; first = false) {
      const live = await store.instances.list({ app, live: true });
      for (const { id, containerId } of live.filter((one) => !followed.has(one.id))) {
        followed.add(id);
        const lines = first ? await engine.tail(containerId, options.linesMax) : [];
        for (const line of lines) onLine(line);
        if (!options.follow) continue;
        const since = (lines.at(-1)?.at ?? 0) + 1;
        stops.push(await engine.follow(containerId, { since, onLine }));
      }
      if (!options.follow) return null;
      await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
    return null;
  } finally {
    for (const stop of stops) stop();
  }
}

/** Who serves each app at this moment, and the switch from one instance to the next. */
import type { Instance } from '../domain/app.ts';
import type { Route } from '../router/router.ts';
import { type DeployOptions, hostOf } from './context.ts';
import { type Running, retireInstance } from './instance.ts';
import { pointFront } from './names.ts';
import { type Supervision, supervise } from './supervise.ts';

export interface Serving {
  current(app: string): Instance | null;
  /**
   * Lets `next` answer for its app from when this resolves; what served before finishes its
   * requests and is stopped, in the background. Rejects and changes nothing when that fails.
   */
  switchTo(next: Running, options: { drainMs: number }): Promise<void>;
  /** Takes up what served already when this server started; `apply` tells the router at last. */
  adopt(running: Running): void;
  apply(): Promise<void>;
  /** Apps that have a host name although nothing serves them. */
  expect(app: string): void;
  /** Resolves once everything that was replaced is gone. */
  settled(): Promise<void>;
  /** Lets everything run on, unwatched. */
  close(): Promise<void>;
}

interface Entry {
  instance: Instance;
  supervision: Supervision;
}

export function serving(options: DeployOptions, onLost: (instance: Instance) => void): Serving {
  const entries = new Map<string, Entry>();
  const expected = new Set<string>();
  const leaving = new Set<Promise<void>>();
  const closing = new AbortController();

  const lost = (instance: Instance) => {
    if (entries.get(instance.app)?.instance.id === instance.id) onLost(instance);
  };

  const routes = (changed: Map<string, Instance | null>): Route[] => {
    const apps = [...new Set([...expected, ...entries.keys(), ...changed.keys()])].sort();
    return apps.map((app) => {
      const instance = changed.has(app) ? changed.get(app) : entries.get(app)?.instance;
      const targets = instance ? [{ address: instance.address, port: instance.port }] : [];
      return { host: hostOf(options.settings, app), targets };
    });
  };

  const retire = (entry: Entry, drainMs: number) => {
    entry.supervision.stop();
    const gone = retireInstance(options, entry.instance, { drainMs, signal: closing.signal })
      .catch((error: unknown) => {
        const { app, id } = entry.instance;
        const reason = (error as Error).message;
        options.logger.error('an old instance was not stopped', { app, instance: id, reason });
      })
      .finally(() => leaving.delete(gone));
    leaving.add(gone);
  };

  return {
    current: (app) => entries.get(app)?.instance ?? null,
    async switchTo(next, { drainMs }) {
      const { instance } = next;
      const { app } = instance;
      const before = entries.get(app);
      const moved = await Promise.allSettled([
        options.router.apply(routes(new Map([[app, instance]]))),
        pointFront(options, app, instance),
      ]);
      const failure = moved.find((one) => one.status === 'rejected');
      if (failure) {
        await options.router.apply(routes(new Map()));
        if (before) await pointFront(options, app, before.instance);
        throw failure.reason;
      }
      entries.set(app, { instance, supervision: supervise(options, next, lost) });
      expected.add(app);
      if (before) retire(before, drainMs);
    },
    adopt(running) {
      const { instance } = running;
      expected.add(instance.app);
      entries.set(instance.app, { instance, supervision: supervise(options, running, lost) });
    },
    apply: () => options.router.apply(routes(new Map())),
    expect: (app) => expected.add(app),
    async settled() {
      while (leaving.size > 0) await Promise.all(leaving);
    },
    async close() {
      closing.abort();
      for (const { supervision } of entries.values()) supervision.stop();
      await Promise.all(leaving);
    },
  };
}

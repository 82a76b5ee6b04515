/** Durable jobs on pg-boss: one per key, taken again at once when their server died. */
import { PgBoss } from 'pg-boss';
import type { Database, Place } from './database.ts';
import { connectionOf } from './database.ts';
import type { Jobs } from './store.ts';

const jobSchema = 'fixpoint_jobs';

export interface JobsOptions {
  place: Place;
  database: Database;
  /** How long `close` waits for handlers that were told to stop. */
  stopTimeoutMs: number;
  /** A job that was running at so many deaths of the server is given up: it may be their cause. */
  takeoversMax: number;
  onWarning: (message: string) => void;
}

export interface ClosableJobs extends Jobs {
  close(): Promise<void>;
}

/** Starts the queues. The caller is the only server on this database: see open.ts. */
export async function startJobs(options: JobsOptions): Promise<ClosableJobs> {
  const boss = new PgBoss({
    ...connectionOf(options.place),
    schema: jobSchema,
    application_name: 'fixpoint jobs',
    max: 6,
    useListenNotify: true,
    schedule: false,
    superviseIntervalSeconds: 30,
  });
  boss.on('error', (error) => options.onWarning(`Jobs: ${error.message}`));
  boss.on('warning', (warning) => options.onWarning(`Jobs: ${warning.message}`));
  await boss.start();
  await takeOver(options);
  return jobsOn(boss, options);
}

function jobsOn(boss: PgBoss, options: JobsOptions): ClosableJobs {
  const stopping = new AbortController();
  const queues = new Map<string, Promise<void>>();
  const running = new Set<Promise<void>>();
  const ensure = (queue: string) => {
    const known = queues.get(queue);
    if (known) return known;
    const made = boss.createQueue(queue, { policy: 'exclusive', notify: true, retryDelay: 1 });
    queues.set(queue, made);
    return made;
  };
  return {
    async send(queue, data, key) {
      await ensure(queue);
      await boss.send(queue, data, { singletonKey: key });
    },
    async isPending(queue, key) {
      const found = await options.database.rows(
        `SELECT 1 FROM ${jobSchema}.job
         WHERE name = $1 AND singleton_key = $2 AND state <= 'active' LIMIT 1`,
        [queue, key],
      );
      return found.length > 0;
    },
    async work(queue, { concurrency, attemptsMax, timeoutMs }, handle) {
      await ensure(queue);
      const limits = {
        retryLimit: attemptsMax - 1,
        expireInSeconds: Math.max(1, Math.ceil(timeoutMs / 1000)),
      };
      await boss.updateQueue(queue, limits);
      // Jobs that were sent before anybody worked here have other limits.
      await options.database.rows(
        `UPDATE ${jobSchema}.job SET retry_limit = $2, expire_seconds = $3
         WHERE name = $1 AND state < 'active'`,
        [queue, limits.retryLimit, limits.expireInSeconds],
      );
      const polling = { pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 2 };
      await boss.work<Record<string, unknown>>(
        queue,
        { ...polling, localConcurrency: concurrency, batchSize: 1 },
        async ([job]) => {
          if (!job) return;
          const signal = AbortSignal.any([job.signal, stopping.signal]);
          const attempt = { number: job.retryCount + 1, last: job.retryCount + 1 >= attemptsMax };
          const work = runOne(() => handle(job.data, signal, attempt), {
            giveBack: () => giveBack(options.database, job.id),
            isStopping: () => stopping.signal.aborted,
          });
          running.add(work);
          await work.finally(() => running.delete(work));
        },
      );
    },
    async close() {
      await Promise.all([...queues.keys()].map((queue) => boss.offWork(queue, { wait: false })));
      stopping.abort(new Error('The server stops.'));
      const handlers = Promise.allSettled(running);
      await Promise.race([handlers, timeout(options.stopTimeoutMs)]);
      try {
        await giveBack(options.database, null);
      } finally {
        await boss.stop({ graceful: false });
      }
    },
  };
}

/** A job that is broken off because the server stops has not failed: it is given back untouched. */
async function runOne(
  handle: () => Promise<void>,
  end: { giveBack: () => Promise<void>; isStopping: () => boolean },
): Promise<void> {
  try {
    await handle();
  } catch (error) {
    if (end.isStopping()) await end.giveBack();
    throw error;
  }
}

/** Active jobs at the start belong to a server that died. Runs before anybody works. */
async function takeOver(options: JobsOptions): Promise<void> {
  const held = await options.database.rows<{ id: string; name: string; count: number }>(
    `INSERT INTO job_takeover (job_id, count)
     SELECT id, 1 FROM ${jobSchema}.job WHERE state = 'active'
     ON CONFLICT (job_id) DO UPDATE SET count = job_takeover.count + 1
     RETURNING job_id AS id, count,
       (SELECT name FROM ${jobSchema}.job WHERE job.id = job_takeover.job_id) AS name`,
  );
  for (const job of held.filter((one) => one.count > options.takeoversMax)) {
    options.onWarning(
      `Job ${job.id} of ${job.name} was running each of the ${job.count} times the server died: ` +
        'it is given up.',
    );
    await options.database.rows(
      `UPDATE ${jobSchema}.job SET state = 'failed', completed_on = now() WHERE id = $1`,
      [job.id],
    );
  }
  await giveBack(options.database, null);
  await options.database.rows(
    `DELETE FROM job_takeover WHERE job_id NOT IN
       (SELECT id FROM ${jobSchema}.job WHERE state <= 'active')`,
  );
}

/** Without `started_on`, the next claim does not count as another attempt. Null: all of them. */
async function giveBack(database: Database, id: string | null): Promise<void> {
  await database.rows(
    `UPDATE ${jobSchema}.job SET state = 'retry', started_on = NULL, start_after = now()
     WHERE state = 'active' AND ($1::uuid IS NULL OR id = $1)`,
    [id],
  );
}

function timeout(timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, timeoutMs).unref();
  });
}

/** Opens the store: lock, database, migrations, jobs; and closes them in the reverse order. */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { appsOn, envOn } from './apps.ts';
import type { Database, Place } from './database.ts';
import { connectionOf, migrate, openDatabase } from './database.ts';
import type { ClusterOptions } from './embedded/cluster.ts';
import { startCluster } from './embedded/cluster.ts';
import { attemptsOn, changesOn, reproductionsOn } from './fixes.ts';
import { issuesOn } from './issues.ts';
import { startJobs } from './jobs.ts';
import { lockDataDir } from './lock.ts';
import { mendRecordings, recordingsOn } from './recordings/recordings.ts';
import { deploymentsOn, instancesOn, releasesOn } from './releases.ts';
import type { Sealer } from './seal.ts';
import { loadKey, sealerOf } from './seal.ts';
import type { RecordingInterruption, Store } from './store.ts';

export interface OpenOptions {
  /** Folder of this server; made when absent. Holds the database, the recordings, the keys. */
  dataDir: string;
  /** A PostgreSQL >= 15 to use instead of the embedded one. */
  databaseUrl?: string | null;
  /** Name and duration of each step, for whoever shows the start. */
  onDuration?: (step: string, tookMs: number) => void;
  /** Something that somebody should know, but that does not stop the store. */
  onWarning?: (message: string) => void;
  /** The database is gone and does not come back by itself: the server should end. */
  onFatal?: (message: string) => void;
  limits?: Partial<StoreLimits>;
}

export interface StoreLimits {
  connectionsMax: number;
  databaseTimeoutMs: number;
  /** How long to wait for a server that was killed to lose its hold on the database. */
  claimTimeoutMs: number;
  jobStopTimeoutMs: number;
  jobTakeoversMax: number;
  /** False only where tests trade durability for speed. */
  fsync: boolean;
}

export const storeLimits: StoreLimits = {
  connectionsMax: 10,
  databaseTimeoutMs: 60_000,
  claimTimeoutMs: 10_000,
  jobStopTimeoutMs: 10_000,
  jobTakeoversMax: 10,
  fsync: true,
};

/** Oldest major version of PostgreSQL that is supported, as `server_version_num`. */
const versionMin = 150_000;

/**
 * Opens the store of a data directory. Throws `DataDirInUseError` while another server holds it.
 * Whatever was opened is closed again when a later step fails.
 */
export async function openStore(options: OpenOptions): Promise<Store> {
  const limits = { ...storeLimits, ...options.limits };
  const closers: (() => Promise<unknown>)[] = [];
  const onWarning = options.onWarning ?? (() => {});
  // Also when the database is gone: what can still be closed is, the lock at the least.
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) {
      await closer().catch((error: Error) => onWarning(`While closing: ${error.message}`));
    }
  };
  const timed = async <T>(step: string, work: () => Promise<T>) => {
    const before = performance.now();
    const result = await work();
    options.onDuration?.(step, performance.now() - before);
    return result;
  };
  try {
    await mkdir(options.dataDir, { recursive: true, mode: 0o711 });
    closers.push(await lockDataDir(options.dataDir));
    const place = options.databaseUrl
      ? { url: options.databaseUrl }
      : await embedded(options, limits, closers);
    closers.push(await claimDatabase(place, limits, options.onFatal));
    await timed('migrate', () => migrate(place, join(import.meta.dirname, 'migrations')));
    const { connectionsMax } = limits;
    const database = openDatabase(place, {
      connectionsMax,
      onError: (error) => onWarning(`Database: ${error.message}`),
    });
    closers.push(() => database.close());
    return await timed('open store', async () => {
      const sealer = sealerOf(await loadKey(options.dataDir));
      await checkKey(database, sealer, options.dataDir);
      const files = { database, sealer, onWarning, folder: join(options.dataDir, 'recordings') };
      await mendRecordings(files);
      const jobs = await startJobs({
        place,
        database,
        stopTimeoutMs: limits.jobStopTimeoutMs,
        takeoversMax: limits.jobTakeoversMax,
        onWarning,
      });
      closers.push(() => jobs.close());
      return {
        apps: appsOn(database),
        env: envOn(database, sealer),
        releases: releasesOn(database),
        deployments: deploymentsOn(database),
        instances: instancesOn(database),
        recordings: recordingsOn(files),
        interruptions: interruptionsOn(database),
        issues: issuesOn(database),
        reproductions: reproductionsOn(database),
        attempts: attemptsOn(database),
        changes: changesOn(database),
        jobs,
        close,
      };
    });
  } catch (error) {
    await close();
    throw error;
  }
}

async function embedded(
  options: OpenOptions,
  limits: StoreLimits,
  closers: (() => Promise<unknown>)[],
): Promise<Place> {
  const settings: ClusterOptions = {
    dataDir: options.dataDir,
    cacheDir: process.getuid?.() === 0 ? '/var/cache/fixpoint' : join(tmpdir(), 'fixpoint'),
    timeoutMs: limits.databaseTimeoutMs,
    fsync: limits.fsync,
    onDuration: options.onDuration ?? (() => {}),
  };
  const cluster = await startCluster(settings);
  closers.push(() => cluster.stop());
  cluster.died.then((reason) => options.onFatal?.(reason));
  return cluster.place('postgres');
}

/**
 * One server per database, also when they have different data directories: held by a session for
 * as long as it lives, so that a server that died holds nothing.
 */
async function claimDatabase(
  place: Place,
  limits: StoreLimits,
  onFatal?: (message: string) => void,
): Promise<() => Promise<void>> {
  const client = new pg.Client({
    ...connectionOf(place),
    keepAlive: true,
    application_name: 'fixpoint server',
  });
  let closing = false;
  client.on('error', (error) => {
    if (!closing) onFatal?.(`The connection to the database broke: ${error.message}`);
  });
  const close = () => {
    closing = true;
    return client.end();
  };
  await client.connect();
  try {
    const { rows: versions } = await client.query('SHOW server_version_num');
    if (Number(versions[0].server_version_num) < versionMin) {
      throw new Error('The database is older than PostgreSQL 15, which is the oldest supported.');
    }
    await client.query('SET tcp_keepalives_idle = 10');
    // A killed server's session ends within moments; its successor waits for that.
    for (const deadline = Date.now() + limits.claimTimeoutMs; ; await sleep(100)) {
      const { rows } = await client.query(
        `SELECT pg_try_advisory_lock(hashtext('fixpoint server')) AS got`,
      );
      if (rows[0].got) return close;
      if (Date.now() > deadline) {
        throw new Error('Another Fixpoint server uses this database (databaseUrl).');
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
}

/** A data directory and a database belong together: through the key that seals the secrets. */
async function checkKey(database: Database, sealer: Sealer, dataDir: string): Promise<void> {
  await database.rows('INSERT INTO seal (key_check) VALUES ($1) ON CONFLICT DO NOTHING', [
    sealer.keyCheck,
  ]);
  const row = await database.row<{ keyCheck: Buffer }>('SELECT key_check AS "keyCheck" FROM seal');
  if (row?.keyCheck.equals(sealer.keyCheck)) return;
  throw new Error(
    `The secrets in this database are sealed with another key than the one in ${dataDir}/key. ` +
      'Restore that file, or use the data directory that belongs to the database.',
  );
}

function interruptionsOn(database: Database): Store['interruptions'] {
  return {
    async add({ from, to, reason }) {
      // The end of an interruption that was added while it lasted.
      const open = await database.row(
        `UPDATE interruption SET "to" = $2 WHERE "from" = $1 AND "to" IS NULL RETURNING ordinal`,
        [from, to],
      );
      if (open) return;
      await database.rows('INSERT INTO interruption ("from", "to", reason) VALUES ($1, $2, $3)', [
        from,
        to,
        reason,
      ]);
    },
    list: (since) =>
      database.rows<RecordingInterruption>(
        `SELECT "from", "to", reason FROM interruption WHERE "to" IS NULL OR "to" >= $1
         ORDER BY "from"`,
        [since],
      ),
  };
}

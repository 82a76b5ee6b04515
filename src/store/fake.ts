/** For tests: real stores on one shared PostgreSQL per process, a fresh database for each. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Place } from './database.ts';
import { connectionOf } from './database.ts';
import { startCluster } from './embedded/cluster.ts';
import { stopLeftover } from './embedded/postmaster.ts';
import type { OpenOptions } from './open.ts';
import { openStore } from './open.ts';
import type { Store } from './store.ts';

const prefix = 'fixpoint-test-postgres-';
const idleMs = 2000;

interface Shared {
  place(database: string): Place;
  stop(): Promise<void>;
}

let shared: Promise<Shared> | null = null;
let users = 0;
let idle: NodeJS.Timeout | undefined;

/** A store with nothing in it; `close` drops its database and its data directory. */
export async function openTestStore(options: Partial<OpenOptions> = {}): Promise<Store> {
  const database = await makeTestDatabase();
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'fixpoint-test-store-')));
  const store = await openStore({ ...options, dataDir, databaseUrl: database.url });
  return {
    ...store,
    async close() {
      await store.close();
      await database.drop();
      if (!options.dataDir) await rm(dataDir, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** An empty database on the shared PostgreSQL, as `DATABASE_URL` would name it. */
export async function makeTestDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  clearTimeout(idle);
  users += 1;
  shared ??= startShared();
  const { place } = await shared;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await run(place('postgres'), `CREATE DATABASE ${name}`);
  return {
    url: urlOf(place(name)),
    async drop() {
      await run(place('postgres'), `DROP DATABASE ${name} WITH (FORCE)`);
      users -= 1;
      if (users === 0) idle = setTimeout(() => void stopShared(), idleMs);
    },
  };
}

/** An embedded one, or the server of FIXPOINT_TEST_DATABASE_URL (to try another version, say). */
async function startShared(): Promise<Shared> {
  const given = process.env.FIXPOINT_TEST_DATABASE_URL;
  if (given !== undefined) {
    const place = (database: string) => {
      const url = new URL(given);
      url.pathname = database;
      return { url: url.toString() };
    };
    return { place, stop: async () => {} };
  }
  await removeAbandoned();
  const folder = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  const cluster = await startCluster({
    dataDir: folder,
    cacheDir: join(tmpdir(), 'fixpoint'),
    timeoutMs: 60_000,
    fsync: false,
    onDuration: () => {},
  });
  const watcher = watchOver(cluster.pid, folder);
  return {
    place: cluster.place,
    async stop() {
      watcher.kill('SIGKILL');
      await cluster.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 20 });
    },
  };
}

/** However this process ends, the pipe to this child closes, and it clears up. */
function watchOver(pid: number, folder: string): ChildProcess {
  const script = 'cat >/dev/null; kill -QUIT "$1" 2>/dev/null && sleep 1; rm -rf -- "$2"';
  const watcher = spawn('sh', ['-c', script, 'watcher', String(pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  (watcher.stdin as Socket).unref();
  return watcher;
}

async function stopShared(): Promise<void> {
  if (users > 0 || !shared) return;
  const { stop } = await shared;
  shared = null;
  await stop();
}

/** What test processes left that were killed. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : 0;
    if (pid === 0 || isProcess(pid)) continue;
    await stopLeftover(join(tmpdir(), name, 'postgres', 'cluster'), 5000);
    await rm(join(tmpdir(), name), { recursive: true, force: true, maxRetries: 20 });
  }
}

function isProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function run(place: Place, statement: string): Promise<void> {
  const client = new pg.Client(connectionOf(place));
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function urlOf(place: Place): string {
  if ('url' in place) return place.url;
  const query = new URLSearchParams({ host: place.host, port: String(place.port) });
  const { user, password, database } = place;
  return `postgresql://${user}:${encodeURIComponent(password)}@localhost/${database}?${query}`;
}

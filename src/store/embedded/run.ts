/** Runs one postmaster on a cluster: its settings, how it becomes ready, and how it stops. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Place } from '../database.ts';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { stopPostmaster } from './postmaster.ts';

/** A running PostgreSQL of our own. */
export interface Cluster {
  readonly pid: number;
  /** A database of it; it must exist. */
  place(database: string): Place;
  /** Resolves when it ended without `stop` having been called. */
  readonly died: Promise<string>;
  /** Ends it in an orderly way. */
  stop(): Promise<void>;
}

interface RunOptions {
  /** Folder with `cluster/`; the socket and the log are put here. */
  home: string;
  binaries: Binaries;
  account: Account | null;
  password: string;
  timeoutMs: number;
  fsync: boolean;
}

/** The port only names the socket's file: nothing listens on a network. */
const port = 5432;
const socketPathBytesMax = 100;
const logBytesMax = 16 << 20;

export async function runPostgres(options: RunOptions): Promise<Cluster> {
  const deadline = Date.now() + options.timeoutMs;
  const folder = await open(options.home);
  // sockaddr_un holds 107 bytes; through the open folder, every path is short.
  const long = Buffer.byteLength(options.home) > socketPathBytesMax - 20;
  const host = long ? `/proc/self/fd/${folder.fd}` : options.home;
  const place = (database: string) => {
    return { host, port, user: 'fixpoint', password: options.password, database };
  };
  try {
    for (;;) {
      const child = await launch(options, folder);
      const end = endOf(child);
      const problem = await untilReady({ place: place('postgres'), end, deadline });
      if (problem === null) return { ...running(child, end, options, folder), place };
      if (end.reason === null) child.kill('SIGQUIT');
      await end.promise;
      const log = await tailOf(logPath(options));
      // Processes of a postmaster that was killed need a moment to notice.
      const again = /pre-existing shared memory block|lock file "postmaster.pid"/.test(log);
      if (!again || Date.now() > deadline) throw new Error(`${problem}\n${log}`);
      await sleep(100);
    }
  } catch (error) {
    await folder.close();
    throw new Error(`PostgreSQL does not start in ${options.home}.`, { cause: error });
  }
}

function running(
  child: ChildProcess,
  end: End,
  options: RunOptions,
  folder: FileHandle,
): Omit<Cluster, 'place'> {
  let stopping: Promise<void> | null = null;
  const stop = async () => {
    await stopPostmaster(child.pid!, {
      timeoutMs: options.timeoutMs,
      isThere: () => end.reason === null,
    });
    await folder.close();
  };
  return {
    pid: child.pid!,
    died: new Promise((resolve) => {
      end.promise.then((reason) => {
        if (!stopping) resolve(`PostgreSQL ended: ${reason}. See ${logPath(options)}.`);
      });
    }),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

async function launch(options: RunOptions, folder: FileHandle): Promise<ChildProcess> {
  await rotate(logPath(options));
  const log = await open(logPath(options), 'a', 0o600);
  // As another user it may be unable to walk the path to its own folder: it gets it opened.
  const place = options.account ? '/proc/self/fd/3' : options.home;
  const settings = {
    listen_addresses: '',
    unix_socket_directories: place,
    unix_socket_permissions: '0700',
    port: String(port),
    fsync: options.fsync ? 'on' : 'off',
    synchronous_commit: options.fsync ? 'on' : 'off',
    full_page_writes: options.fsync ? 'on' : 'off',
    max_connections: '100',
    shared_buffers: '64MB',
    log_timezone: 'UTC',
    timezone: 'UTC',
    cluster_name: 'fixpoint',
  };
  const argv = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  try {
    return spawn(options.binaries.postgres, ['-D', `${place}/cluster`, ...argv], {
      cwd: '/',
      env: { LC_ALL: 'C' },
      // In a session of its own: a Ctrl-C at the terminal is for the server, which stops it last.
      detached: true,
      stdio: ['ignore', log.fd, log.fd, folder.fd],
      ...options.account,
    });
  } finally {
    await log.close();
  }
}

interface End {
  reason: string | null;
  promise: Promise<string>;
}

function endOf(child: ChildProcess): End {
  const end: End = {
    reason: null,
    promise: new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`));
    }),
  };
  end.promise.then((reason) => {
    end.reason = reason;
  });
  return end;
}

/** Null once it answers; else what went wrong. */
async function untilReady(options: {
  place: { host: string; port: number; user: string; password: string; database: string };
  end: End;
  deadline: number;
}): Promise<string | null> {
  let last = 'it was not ready in time';
  while (Date.now() < options.deadline) {
    if (options.end.reason !== null) return `It ended with ${options.end.reason}.`;
    const client = new pg.Client({ ...options.place, connectionTimeoutMillis: 5000 });
    try {
      await client.connect();
      await client.query('SELECT 1');
      return null;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      // 57P03: it starts up, or recovers from a crash.
      if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET', '57P03'].includes(code ?? '')) return message;
      last = message;
    } finally {
      await client.end().catch(() => {});
    }
    await sleep(20);
  }
  return `It was not ready in time: ${last}`;
}

function logPath(options: RunOptions): string {
  return join(options.home, 'postgres.log');
}

async function rotate(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > logBytesMax) await rename(path, `${path}.1`);
}

async function tailOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').slice(-20).join('\n');
}

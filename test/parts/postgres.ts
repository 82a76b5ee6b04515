// A real PostgreSQL for the apps of tests, benchmarks and the demo, reachable from containers.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { accountForInit, accountForServer } from '../../src/store/embedded/account.ts';
import { findBinaries } from '../../src/store/embedded/binaries.ts';
import { freePort } from './ports.ts';

export interface TestPostgres {
  /** As an app in a container reaches it, through the host's gateway. */
  urlForContainers: string;
  /** As this process reaches it. */
  url: string;
  port: number;
  query(sql: string): Promise<pg.QueryResult>;
  /** While it is paused, nobody gets a new connection; those that exist go on. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Starts one with SCRAM passwords, on all addresses; its data is gone after `stop`. */
export async function startPostgres(): Promise<TestPostgres> {
  // An init user without a name of its own is refused by initdb: it runs as nobody, then hands over.
  const init = accountForInit();
  const server = accountForServer();
  const folder = mkdtempSync(join(tmpdir(), 'fixpoint-postgres-'));
  const accounts = [init, server].filter((account) => account !== null);
  const cacheDir = join(tmpdir(), 'fixpoint-cache');
  const { postgres, initdb } = await findBinaries({ accounts, cacheDir });
  const password = randomBytes(12).toString('hex');
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(join(folder, 'password'), password);
  chmodSync(folder, 0o755);
  chmodSync(join(folder, 'password'), 0o644);
  if (init !== null) chownSync(data, init.uid, init.gid);
  const argv = [`--pgdata=${data}`, `--pwfile=${join(folder, 'password')}`, '--username=app'];
  const made = spawnSync(initdb, [...argv, '--auth=scram-sha-256', '--no-instructions', '-N'], {
    cwd: '/',
    env: { LC_ALL: 'C' },
    ...init,
  });
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  writeFileSync(join(data, 'pg_hba.conf'), 'host all all all scram-sha-256\n');
  const port = await freePort();
  const settings = ['listen_addresses=*', `port=${port}`, 'unix_socket_directories=', 'fsync=off'];
  const child = spawn(postgres, ['-D', data, ...settings.flatMap((item) => ['-c', item])], {
    cwd: '/',
    env: { LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...init,
  });
  let log = '';
  child.stderr.on('data', (text) => {
    log = (log + text).slice(-4000);
  });
  const url = `postgres://app:${password}@127.0.0.1:${port}/postgres`;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await untilReady(
    url,
    () => child.exitCode !== null,
    () => log,
  );
  return {
    url,
    port,
    urlForContainers: url.replace('127.0.0.1', 'host.docker.internal'),
    query: (sql) => queryOnce(url, sql),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGCONT');
      child.kill('SIGINT');
      await Promise.race([ended, sleep(10_000)]);
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function untilReady(url: string, gone: () => boolean, log: () => string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await queryOnce(url, 'SELECT 1');
      return;
    } catch (cause) {
      if (gone() || Date.now() > deadline) {
        throw new Error(`PostgreSQL did not start: ${log()}`, { cause });
      }
      await sleep(50);
    }
  }
}

async function queryOnce(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

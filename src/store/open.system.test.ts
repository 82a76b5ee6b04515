/** What a store is for: servers are killed, files are torn, two of them start; nothing is lost. */
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Recording } from '../domain/recording.ts';
import { makeTestDatabase, openTestStore } from './fake.ts';
import { DataDirInUseError } from './lock.ts';
import { openStore } from './open.ts';
import type { Store } from './store.ts';

let folder: string;
let dataDir: string;
let opened: Store[];
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-test-open-'));
  // As a home folder of root is: the database's own user cannot walk through it.
  await chmod(folder, 0o700);
  dataDir = join(folder, 'data');
  opened = [];
  children = [];
});
afterEach(async () => {
  for (const store of opened) await store.close();
  for (const child of children) child.kill('SIGKILL');
  // A killed PostgreSQL's last processes still write for a moment.
  await rm(folder, { recursive: true, force: true, maxRetries: 20 });
});

async function open(options: Partial<Parameters<typeof openStore>[0]> = {}): Promise<Store> {
  const store = await openStore({ dataDir, limits: { fsync: false }, ...options });
  opened.push(store);
  return store;
}

async function close(store: Store): Promise<void> {
  opened = opened.filter((one) => one !== store);
  await store.close();
}

/** Runs `body` with an open `store` in a process of its own, until it says `ready`. */
async function serve(
  body: string,
  account: { uid?: number; gid?: number } = {},
): Promise<ChildProcess> {
  const code = `
    import { openStore } from ${JSON.stringify(join(import.meta.dirname, 'open.ts'))};
    const store = await openStore({ dataDir: ${JSON.stringify(dataDir)} });
    ${body}
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...account,
  });
  children.push(child);
  for await (const data of child.stdout!) if (String(data).includes('ready')) return child;
  throw new Error('The child ended before it was ready.');
}

async function killHard(child: ChildProcess): Promise<void> {
  const end = once(child, 'exit');
  child.kill('SIGKILL');
  await end;
}

const recording: Recording = {
  id: 'rec-1',
  kind: 'failure',
  app: 'shop',
  releaseNumber: 1,
  instanceId: 'i1',
  from: 100,
  to: 200,
  connections: [],
  triggerExchangeId: '1/0',
  callExchangeIds: [],
  causality: 'exact',
  prefixExchangeIds: [],
  log: [{ at: 150, stream: 'stderr', text: 'TypeError' }],
  exit: null,
  route: 'GET /',
  completeness: { seenBytes: 1, totalBytes: 1, reasons: [] },
};

describe('one server per data directory', () => {
  it('refuses the second, and names the first', async () => {
    const child = await serve('');
    const error = await openStore({ dataDir }).catch((caught) => caught);
    expect(error).toBeInstanceOf(DataDirInUseError);
    expect(error.message).toContain(`process ${child.pid}`);
    expect(error.message).toContain(dataDir);
  });

  it('refuses within one process, and lets the next one in after a close', async () => {
    const first = await open();
    await expect(openStore({ dataDir })).rejects.toThrow(/Another Fixpoint server/);
    await close(first);
    const next = await open();
    expect(await next.apps.list()).toEqual([]);
  });

  it('takes over a lock that names a process that is gone, or another one of its number', async () => {
    await close(await open());
    const text = await readFile('/proc/self/stat', 'latin1');
    expect(text).toContain(String(process.pid));
    for (const pid of [process.pid, 4_194_305]) {
      await writeFile(join(dataDir, 'server.lock'), JSON.stringify({ pid, startTicks: '1' }));
      await close(await open());
    }
    await writeFile(join(dataDir, 'server.lock'), '{"pid":');
    await close(await open());
  });
});

describe('a killed server', () => {
  const work = `
    await store.apps.create({ name: 'shop', defaultBranch: 'main', createdAt: 1 });
    await store.recordings.keep(${JSON.stringify(recording)});
    const started = new Promise((resolve) => {
      store.jobs.work('fix', { concurrency: 1, attemptsMax: 2, timeoutMs: 60_000 }, () => {
        resolve();
        return new Promise(() => {});
      });
    });
    await store.jobs.send('fix', { issue: 7 }, '7');
    await started;`;

  it('leaves its data, and its job is taken again without counting as an attempt', async () => {
    await killHard(await serve(work));
    const store = await open();
    expect(await store.recordings.load('rec-1')).toEqual(recording);
    // Still one job per key: the one that was running is waiting again.
    await store.jobs.send('fix', { issue: 8 }, '7');
    const taken: unknown[] = [];
    await new Promise<void>((resolve) => {
      const options = { concurrency: 2, attemptsMax: 2, timeoutMs: 60_000 };
      store.jobs.work('fix', options, async (data, _signal, attempt) => {
        taken.push(data, attempt);
        resolve();
      });
    });
    expect(taken).toEqual([{ issue: 7 }, { number: 1, last: false }]);
  });

  it('may take its database down with it', async () => {
    const child = await serve(work);
    const pidFile = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
    const postmaster = Number.parseInt(await readFile(pidFile, 'utf8'), 10);
    process.kill(postmaster, 'SIGKILL');
    await killHard(child);
    const store = await open();
    expect(await store.apps.get('shop')).not.toBeNull();
    expect(await store.recordings.list({ app: 'shop' })).toHaveLength(1);
  });

  it('is not restarted for ever on a job that kills it', async () => {
    const warnings: string[] = [];
    await killHard(await serve(work));
    const store = await open({
      limits: { fsync: false, jobTakeoversMax: 0 },
      onWarning: (message) => warnings.push(message),
    });
    expect(warnings.join()).toMatch(/of fix was running each of the 1 times the server died/);
    await store.jobs.send('fix', { issue: 9 }, '7');
    const data = await new Promise((resolve) => {
      const options = { concurrency: 1, attemptsMax: 2, timeoutMs: 60_000 };
      store.jobs.work('fix', options, async (given) => resolve(given));
    });
    expect(data).toEqual({ issue: 9 });
  });
});

describe('the embedded PostgreSQL', () => {
  it('works where the path is longer than a socket may be', async () => {
    dataDir = join(dataDir, 'n'.repeat(60), 'm'.repeat(60));
    const store = await open();
    expect(await store.apps.list()).toEqual([]);
  });

  it('runs as whoever runs the server, when that is not root', async (context) => {
    if (process.getuid?.() !== 0) return context.skip();
    await mkdir(dataDir);
    await chown(dataDir, 65_534, 65_534);
    await chmod(folder, 0o711);
    const child = await serve('', { uid: 65_534, gid: 65_534 });
    const cluster = join(dataDir, 'postgres', 'cluster');
    expect((await stat(cluster)).uid).toBe(65_534);
    expect((await stat(cluster)).mode & 0o777).toBe(0o700);
    await killHard(child);
    // Root takes the folder over, and gives the database to its own user.
    await (await open()).apps.create({ name: 'x', defaultBranch: 'main', createdAt: 1 });
    expect((await stat(cluster)).uid).toBe(60_932);
  });

  it('says so when it dies, and the store still closes', async () => {
    let tell = (_message: string) => {};
    const told = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const store = await open({ onFatal: (message) => tell(message) });
    await store.jobs.work('q', { concurrency: 1, attemptsMax: 1, timeoutMs: 1000 }, async () => {});
    const pidFile = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
    process.kill(Number.parseInt(await readFile(pidFile, 'utf8'), 10), 'SIGKILL');
    expect(await told).toMatch(/PostgreSQL ended: SIGKILL|connection to the database broke/);
    await close(store);
    await close(await open());
  });

  it('leaves no secret that others can read', async () => {
    await open();
    for (const name of ['key', 'database.password']) {
      expect((await stat(join(dataDir, name))).mode & 0o777, name).toBe(0o600);
    }
    for (const name of ['postgres', 'recordings']) {
      expect((await stat(join(dataDir, name))).mode & 0o777, name).toBe(0o700);
    }
  });
});

describe('files of recordings', () => {
  const files = () => join(dataDir, 'recordings');
  const path = (name: string) => join(files(), name);

  it('are found again, finished, or named when they are damaged', async () => {
    const first = await open();
    await first.recordings.keep(recording);
    await first.recordings.keep({ ...recording, id: 'odd/../id ü', from: 300, kind: 'sample' });
    await first.recordings.keep({ ...recording, id: 'gone', from: 50 });
    await close(first);
    expect(await readdir(files())).toContain('odd%2F..%2Fid%20%C3%BC.fixrec');
    // As a server leaves them that dies while it writes, removes, or before it writes the row.
    await writeFile(path('half.fixrec.123.draft'), 'half');
    await copyFile(path('gone.fixrec'), path('gone.fixrec.removed'));
    await rm(path('gone.fixrec'));
    const warnings: string[] = [];
    await writeFile(path('foreign.fixrec'), 'not ours');
    const second = await open({ onWarning: (message) => warnings.push(message) });
    expect(warnings.join()).toContain(path('foreign.fixrec'));
    expect(await second.recordings.summary('gone')).toBeNull();
    const ids = (await second.recordings.list({ app: 'shop' })).map((each) => each.id);
    expect(ids).toEqual(['odd/../id ü', 'rec-1']);
    expect((await readdir(files())).filter((name) => !name.endsWith('.fixrec'))).toEqual([]);

    await truncate(path('rec-1.fixrec'), 100);
    await expect(second.recordings.load('rec-1')).rejects.toThrow(
      `The recording ${path('rec-1.fixrec')} is damaged at byte`,
    );
    expect((await second.recordings.load('odd/../id ü'))?.from).toBe(300);
    await second.recordings.remove('rec-1');
    expect(await second.recordings.load('rec-1')).toBeNull();
  });

  it('get their row back when the server died before it wrote it', async () => {
    const store = await open();
    const summary = await store.recordings.keep(recording);
    await copyFile(path('rec-1.fixrec'), join(dataDir, 'saved'));
    await store.recordings.remove('rec-1');
    await close(store);
    await copyFile(join(dataDir, 'saved'), path('rec-1.fixrec'));
    const again = await open();
    expect(await again.recordings.summary('rec-1')).toEqual(summary);
    expect(await again.recordings.list({ kind: 'sample' })).toEqual([]);
  });
});

describe('a full disk', () => {
  it('refuses a recording, leaves nothing of it, and takes the next one when there is room', async () => {
    const store = await open();
    const folder = join(dataDir, 'recordings');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    try {
      const large = (id: string): Recording => {
        const text = randomBytes(60_000).toString('base64');
        return { ...recording, id, log: [{ at: 1, stream: 'stdout', text }] };
      };
      const kept: string[] = [];
      for (;;) {
        const id = `full-${kept.length}`;
        const error = await store.recordings.keep(large(id)).then(
          () => null,
          (caught) => caught,
        );
        if (error !== null) {
          expect(error).toMatchObject({ code: 'ENOSPC' });
          expect(await store.recordings.summary(id)).toBeNull();
          break;
        }
        kept.push(id);
      }
      expect(kept.length).toBeGreaterThan(0);
      expect((await readdir(folder)).sort()).toEqual(kept.map((id) => `${id}.fixrec`).sort());
      for (const id of kept) expect((await store.recordings.load(id))?.id).toBe(id);
      await store.recordings.remove(kept[0]!);
      await store.recordings.keep(large('after'));
      expect((await store.recordings.load('after'))?.id).toBe('after');
    } finally {
      execFileSync('umount', [folder]);
    }
  });
});

describe('many recordings', () => {
  it('are walked over whole, newest first, though their instants are equal', async () => {
    const store = await open();
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) {
      const id = `r-${String(n).padStart(2, '0')}`;
      await store.recordings.keep({ ...recording, id, from: 100 + Math.floor(n / 6) });
      ids.push(id);
    }
    for (const size of [1, 4, 5, 25, 26, 1000]) {
      const pages: string[][] = [];
      for await (const page of store.recordings.pages(size)) pages.push(page.map(({ id }) => id));
      expect(pages.flat()).toEqual(ids.toReversed());
      expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
    }
    const walk = store.recordings.pages(10)[Symbol.asyncIterator]();
    const first = await walk.next();
    for (const { id } of first.value ?? []) await store.recordings.remove(id);
    expect((await walk.next()).value.map(({ id }: { id: string }) => id)[0]).toBe('r-14');
  });

  it('are found by how their ids begin', async () => {
    const store = await open();
    for (const id of ['ab-1', 'ab-2', 'b', 'a%_', 'Ab-3']) {
      await store.recordings.keep({ ...recording, id });
    }
    const found = (prefix: string, limit = 10) => store.recordings.idsStartingWith(prefix, limit);
    expect(await found('ab')).toEqual(['ab-1', 'ab-2']);
    expect(await found('ab', 1)).toEqual(['ab-1']);
    expect(await found('a%')).toEqual(['a%_']);
    expect(await found('c')).toEqual([]);
  });
});

describe('what does not belong together', () => {
  it('is told apart: another key, another server, a changed or a newer schema', async () => {
    const database = await makeTestDatabase();
    try {
      const limits = { claimTimeoutMs: 300 };
      const first = await openStore({ dataDir, databaseUrl: database.url, limits });
      const other = join(dataDir, 'other');
      await mkdir(other);
      await expect(
        openStore({ dataDir: other, databaseUrl: database.url, limits }),
      ).rejects.toThrow(/Another Fixpoint server uses this database/);
      await first.close();
      await expect(
        openStore({ dataDir: other, databaseUrl: database.url, limits }),
      ).rejects.toThrow(/sealed with another key/);
      await (await openStore({ dataDir, databaseUrl: database.url, limits })).close();
      const client = new pg.Client(database.url);
      await client.connect();
      await client.query(`UPDATE fixpoint.migration SET sha256 = 'x'`);
      await expect(openStore({ dataDir, databaseUrl: database.url })).rejects.toThrow(
        /migration 001_start.sql was changed/,
      );
      await client.query(`INSERT INTO fixpoint.migration VALUES ('999_next.sql', '', 0)`);
      await expect(openStore({ dataDir, databaseUrl: database.url })).rejects.toThrow(
        /newer version of Fixpoint: it has 999_next.sql/,
      );
      await client.end();
    } finally {
      await database.drop();
    }
  });
});

describe('jobs', () => {
  it('run one per key, again after a failure, and say which attempt is the last', async () => {
    const store = await openTestStore();
    opened.push(store);
    const seen: unknown[] = [];
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    await store.jobs.send('q', { n: 1 }, 'a');
    const options = { concurrency: 3, attemptsMax: 2, timeoutMs: 60_000 };
    await store.jobs.work('q', options, async (data, _signal, attempt) => {
      seen.push([data.n, attempt.number, attempt.last]);
      await gate;
      if (data.n === 1) {
        if (attempt.last) end();
        throw new Error('as planned');
      }
    });
    await store.jobs.send('q', { n: 2 }, 'a');
    await store.jobs.send('q', { n: 3 }, 'b');
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    await store.jobs.send('q', { n: 4 }, 'a');
    open();
    await ended;
    expect(seen.sort()).toEqual([
      [1, 1, false],
      [1, 2, true],
      [3, 1, false],
    ]);
  });

  it('that the server breaks off by stopping are given back untouched', async () => {
    const database = await makeTestDatabase();
    const settings = { dataDir, databaseUrl: database.url };
    const options = { concurrency: 1, attemptsMax: 1, timeoutMs: 60_000 };
    try {
      const first = await openStore(settings);
      await first.jobs.send('q', { n: 1 }, 'a');
      await new Promise<void>((resolve) => {
        first.jobs.work('q', options, (_data, signal) => {
          resolve();
          return new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          });
        });
      });
      await first.close();
      const second = await openStore(settings);
      const attempt = await new Promise((resolve) => {
        second.jobs.work('q', options, async (_data, _signal, given) => resolve(given));
      });
      expect(attempt).toEqual({ number: 1, last: true });
      await second.close();
    } finally {
      await database.drop();
    }
  });
});

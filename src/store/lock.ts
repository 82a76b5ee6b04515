/** Exists so that two servers never work on one data folder at once. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isoOf, now } from '../domain/time.ts';

interface Holder {
  pid: number;
  /** Start of the process in clock ticks since boot: tells it from a later one with its number. */
  startTicks: string;
  bootId: string;
  since: string;
}

/** Another server holds the data folder. */
export class DataDirInUseError extends Error {
  readonly pid: number;
  readonly dataDir: string;
  constructor(dataDir: string, holder: Holder) {
    super(
      `Another Fixpoint server (process ${holder.pid}, since ${holder.since}) works on the data ` +
        `directory ${dataDir}. Stop it, or give this one another directory (dataDir).`,
    );
    this.name = 'DataDirInUseError';
    this.pid = holder.pid;
    this.dataDir = dataDir;
  }
}

/**
 * Takes the lock of a data folder; returns the function that gives it back. Throws
 * `DataDirInUseError` while its holder lives; a lock whose holder is gone is taken over.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = join(dataDir, 'server.lock');
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const mine: Holder = { ...identityOf(process.pid)!, since: isoOf(now()) };
  await writeFile(draft, JSON.stringify(mine), { mode: 0o644 });
  try {
    while (!(await linked(draft, path))) {
      const text = await textOf(path);
      if (text === null) continue;
      const holder = holderIn(text);
      if (holder && isAlive(holder)) throw new DataDirInUseError(dataDir, holder);
      await clearStale(path, text);
    }
  } finally {
    await unlink(draft);
  }
  return async () => {
    const holder = holderIn((await textOf(path)) ?? '');
    if (holder?.pid === mine.pid && holder.startTicks === mine.startTicks) await unlink(path);
  };
}

/** Moves the stale lock away; one that another server took meanwhile is put back. */
async function clearStale(path: string, judged: string): Promise<void> {
  const aside = `${path}.stale.${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if ((await textOf(aside)) !== judged) await linked(aside, path);
  await unlink(aside);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

function holderIn(text: string): Holder | null {
  try {
    const holder = JSON.parse(text);
    return typeof holder?.pid === 'number' && typeof holder.startTicks === 'string' ? holder : null;
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  const present = identityOf(holder.pid);
  return present?.startTicks === holder.startTicks && present.bootId === holder.bootId;
}

/** Null when there is no such process, or only its zombie. Fields: proc_pid_stat(5). */
function identityOf(pid: number): Omit<Holder, 'since'> | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // The command may hold blanks and parentheses: the fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return null;
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return { pid, startTicks: fields[19] ?? '', bootId };
}

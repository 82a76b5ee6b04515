/** Exists to deal with a PostgreSQL that a killed server left behind on the same data. */
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Stops the postmaster that still runs on `cluster`, if any, with the orderly "fast" shutdown and,
 * when that takes longer than `timeoutMs`, with the immediate one (which costs a crash recovery).
 * A pid file whose number meanwhile belongs to another program is removed.
 */
export async function stopLeftover(cluster: string, timeoutMs: number): Promise<boolean> {
  const pidFile = join(cluster, 'postmaster.pid');
  const text = await readFile(pidFile, 'utf8').catch(() => null);
  if (text === null) return false;
  const pid = Number.parseInt(text, 10);
  if (!isProcess(pid)) return false;
  if (!isPostmasterOf(pid, cluster)) {
    await rm(pidFile, { force: true });
    return false;
  }
  await stopPostmaster(pid, { timeoutMs, isThere: () => isPostmasterOf(pid, cluster) });
  return true;
}

/** SIGINT ends its sessions and writes a checkpoint, SIGQUIT gives up at once. */
export async function stopPostmaster(
  pid: number,
  options: { timeoutMs: number; isThere: () => boolean },
): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!options.isThere()) return;
    signalTo(pid, signal);
    const deadline = Date.now() + options.timeoutMs;
    while (options.isThere() && Date.now() < deadline) await sleep(10);
  }
  if (options.isThere()) throw new Error(`PostgreSQL (process ${pid}) does not end.`);
}

/** Whether the process is a postgres whose working directory is the cluster. */
function isPostmasterOf(pid: number, cluster: string): boolean {
  try {
    if (isZombie(pid) || !/\/postgres( \(deleted\))?$/.test(readlinkSync(`/proc/${pid}/exe`))) {
      return false;
    }
    const there = statSync(`/proc/${pid}/cwd/`);
    const wanted = statSync(cluster);
    return there.dev === wanted.dev && there.ino === wanted.ino;
  } catch {
    return false;
  }
}

function isProcess(pid: number): boolean {
  return Number.isInteger(pid) && pid > 1 && signalTo(pid, 0) && !isZombie(pid);
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}

function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

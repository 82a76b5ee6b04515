/** Exists because PostgreSQL refuses to run as root: who it runs as, and whether they get there. */
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

export interface Account {
  uid: number;
  gid: number;
}

/**
 * The number under which a root server runs its PostgreSQL. No passwd entry has it: it lies in a
 * range that neither Debian nor systemd hands out (systemd's UIDS-GIDS document), so that no other
 * program of the machine shares the files.
 */
export const postgresUid = 60_932;

/** Null when this process is not root: PostgreSQL then runs as ourselves. */
export function accountForServer(uid: number = postgresUid): Account | null {
  return process.getuid?.() === 0 ? { uid, gid: uid } : null;
}

/** `initdb` insists on a user with a name: any unprivileged one, the files change hands after. */
export function accountForInit(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((entry) => entry.uid > 0);
  const found = entries.find((entry) => entry.name === 'nobody') ?? entries[0];
  if (!found) throw new Error('No unprivileged user is in /etc/passwd to run initdb as.');
  return { uid: found.uid, gid: found.gid };
}

/** Whether an account may go through every folder of a path, judged by their mode bits. */
export async function canReach(account: Account, path: string): Promise<boolean> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

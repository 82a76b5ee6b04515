/** Notes until when this server missed nothing, so that the next one can say what it missed. */
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Instant, now } from '../domain/time.ts';
import type { Store } from '../store/store.ts';

const heartbeatMs = 1_000;
const reason = 'the server was not running';

/**
 * While no server ran, apps served on and nothing was recorded: that is an interruption, and it
 * lasts until the apps are watched again. Returns how to say that they are.
 */
export async function declareAbsence(store: Store, dataDir: string): Promise<() => Promise<void>> {
  const open = (await store.interruptions.list(now())).filter(({ to }) => to === null);
  const from = await handledUntil(dataDir);
  if (from !== null && (await store.instances.list({ live: true })).length > 0) {
    const absence = { from, to: null, reason };
    // One that an earlier start did not get to the end of goes on.
    if (!open.some((each) => each.reason === reason && each.from <= from)) {
      await store.interruptions.add(absence);
      open.push(absence);
    }
  }
  return async () => {
    for (const each of open) await store.interruptions.add({ ...each, to: now() });
  };
}

/** Returns how to stop it. `until`: every failure before it is stored. */
export function heartbeat(dataDir: string, until: () => Instant): () => void {
  const file = join(dataDir, 'alive');
  let writing: Promise<void> = Promise.resolve();
  const beat = () => {
    // Renamed, so that whoever is killed in the middle of it leaves the beat before.
    writing = writing
      .then(() => writeFile(`${file}.new`, `${until()}\n`))
      .then(() => rename(`${file}.new`, file))
      .catch(() => undefined);
  };
  beat();
  const timer = setInterval(beat, heartbeatMs);
  return () => clearInterval(timer);
}

async function handledUntil(dataDir: string): Promise<Instant | null> {
  const file = join(dataDir, 'alive');
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const written = Number(text.trim());
  if (text.trim() !== '' && Number.isSafeInteger(written)) return written;
  const seen = await stat(file);
  return Math.round(seen.mtimeMs * 1000);
}

/** Notes when this server was last alive, so that the next one can say what it missed. */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { now } from '../domain/time.ts';
import type { Store } from '../store/store.ts';

const heartbeatMs = 1_000;

/** While no server ran, apps served on and nothing was recorded: that is an interruption. */
export async function declareAbsence(store: Store, dataDir: string): Promise<void> {
  for (const { from, to, reason } of await store.interruptions.list(now())) {
    if (to === null) await store.interruptions.add({ from, to: now(), reason });
  }
  const seen = await stat(join(dataDir, 'alive')).catch(() => null);
  if (seen === null || (await store.instances.list({ live: true })).length === 0) return;
  const from = Math.round(seen.mtimeMs * 1000);
  await store.interruptions.add({ from, to: now(), reason: 'the server was not running' });
}

/** Returns how to stop it. */
export function heartbeat(dataDir: string): () => void {
  const beat = () => void writeFile(join(dataDir, 'alive'), '').catch(() => undefined);
  beat();
  const timer = setInterval(beat, heartbeatMs);
  return () => clearInterval(timer);
}

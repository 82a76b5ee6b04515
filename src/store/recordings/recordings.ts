/** Recordings: bytes in sealed files that are whole or absent, what lists show in a table. */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recording, RecordingSummary } from '../../domain/recording.ts';
import type { Database } from '../database.ts';
import type { Sealer } from '../seal.ts';
import { tableOf } from '../sql.ts';
import type { Store } from '../store.ts';
import { decodeHead, decodeRecording, encodeRecording } from './file.ts';

const table = tableOf<RecordingSummary>('recording', [
  'id',
  'kind',
  'app',
  'releaseNumber',
  'instanceId',
  'from',
  'to',
  'triggerExchangeId',
  'callExchangeIds',
  'causality',
  'prefixExchangeIds',
  'exit',
  'route',
  'completeness',
  'storedBytes',
]);

const pageSize = 1000;
const suffix = '.fixrec';
const draftSuffix = '.draft';
const removedSuffix = '.removed';

export interface RecordingsOptions {
  database: Database;
  sealer: Sealer;
  folder: string;
  onWarning: (message: string) => void;
}

/**
 * The file is durable before its row is written, and is renamed before its row is deleted, so that
 * a server that dies in between leaves something that `mend` can finish.
 */
export function recordingsOn(options: RecordingsOptions): Store['recordings'] {
  const { database, sealer, folder } = options;
  return {
    async keep(recording) {
      const bytes = await encodeRecording(recording, sealer);
      await writeDurably(folder, fileNameOf(recording.id), bytes);
      return insertRow(database, recording, bytes.length);
    },
    async load(id) {
      const file = join(folder, fileNameOf(id));
      const bytes = await readFile(file).catch(absentAsNull);
      return bytes && decodeRecording(bytes, { file, sealer });
    },
    summary: (id) => database.row<RecordingSummary>(table.select({ id })),
    list: ({ limit, ...filter }) => {
      const { text, values } = table.select(filter, 'ORDER BY "from" DESC, ordinal DESC');
      return database.rows<RecordingSummary>({
        text: `${text} LIMIT $${values.length + 1}`,
        values: [...values, limit ?? null],
      });
    },
    async *pages(size = pageSize) {
      let [from, place] = ['9223372036854775807', '9223372036854775807'];
      for (;;) {
        const rows = await database.rows<RecordingSummary & { place: string }>(
          `SELECT ${table.columns}, ordinal::text AS place FROM recording
           WHERE ("from", ordinal) < ($1, $2) ORDER BY "from" DESC, ordinal DESC LIMIT $3`,
          [from, place, size],
        );
        if (rows.length > 0) yield rows.map(({ place: _, ...summary }) => summary);
        if (rows.length < size) return;
        const last = rows.at(-1)!;
        [from, place] = [String(last.from), last.place];
      }
    },
    async idsStartingWith(prefix, limit) {
      const rows = await database.rows<{ id: string }>(
        `SELECT id FROM recording WHERE id COLLATE "C" >= $1 AND id COLLATE "C" < $2
         ORDER BY id COLLATE "C" LIMIT $3`,
        [prefix, `${prefix}\u{10ffff}`, limit],
      );
      return rows.map(({ id }) => id);
    },
    async remove(id) {
      const file = join(folder, fileNameOf(id));
      await rename(file, file + removedSuffix).catch(absentAsNull);
      await database.rows('DELETE FROM recording WHERE id = $1', [id]);
      await rm(file + removedSuffix, { force: true });
    },
  };
}

/** Finishes what a server that died had begun. Nothing that is whole is ever thrown away. */
export async function mendRecordings(options: RecordingsOptions): Promise<void> {
  const { database, folder } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const rows = await database.rows<{ id: string }>('SELECT id FROM recording');
  const known = new Set(rows.map((row) => fileNameOf(row.id)));
  for (const name of await readdir(folder)) {
    if (name.endsWith(draftSuffix)) await rm(join(folder, name), { force: true });
    if (name.endsWith(removedSuffix)) {
      const file = name.slice(0, -removedSuffix.length);
      const id = decodeURIComponent(file.slice(0, -suffix.length));
      await database.rows('DELETE FROM recording WHERE id = $1', [id]);
      await rm(join(folder, name), { force: true });
    }
    if (name.endsWith(suffix) && !known.has(name)) await adopt(options, join(folder, name));
  }
}

/** The row of a file that was whole before its server died. */
async function adopt(options: RecordingsOptions, file: string): Promise<void> {
  const { database, sealer, onWarning } = options;
  try {
    const bytes = await readFile(file);
    await insertRow(database, await decodeHead(bytes, { file, sealer }), bytes.length);
  } catch (error) {
    const { message } = error as Error;
    onWarning(`${message} It is left where it is.`);
  }
}

async function insertRow(
  database: Database,
  recording: Omit<Recording, 'connections' | 'log'>,
  storedBytes: number,
): Promise<RecordingSummary> {
  const columns =
    '"stored_bytes" = excluded."stored_bytes", "completeness" = excluded.completeness';
  const row = await database.row<RecordingSummary>(
    table.insert({ ...recording, storedBytes }, `ON CONFLICT (id) DO UPDATE SET ${columns}`),
  );
  return row!;
}

/** An id is any text; its file name is that text with everything unsafe escaped. */
function fileNameOf(id: string): string {
  const name = encodeURIComponent(id);
  if (name === '' || name.startsWith('.') || name.length > 200) {
    throw new Error(`Not fit to be the id of a recording: ${JSON.stringify(id)}`);
  }
  return name + suffix;
}

async function writeDurably(folder: string, name: string, bytes: Buffer): Promise<void> {
  const draft = join(folder, `${name}.${process.pid}${draftSuffix}`);
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, join(folder, name));
  } catch (error) {
    // On a full disk half of it is there, and takes the room that others need.
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  const directory = await open(folder);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function absentAsNull(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

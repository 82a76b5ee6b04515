/** Reads and writes files of containers and images, as the tar archives that the engine speaks. */
import { posix } from 'node:path';
import { extract } from 'tar-stream';
import { type EngineClient, readAll } from './client.ts';
import { EngineError } from './engine.ts';

/** Larger files are refused, never cut. */
export const fileBytesMax = 64 << 20;

const linksMax = 16;

/** See Engine.readFile; follows symbolic links within the container. */
export async function readFileOf(
  client: EngineClient,
  id: string,
  path: string,
): Promise<Uint8Array | null> {
  let at = posix.resolve('/', path);
  for (let links = 0; links < linksMax; links++) {
    const entry = await entryAt(client, id, at);
    if (entry === null || entry.kind === 'other') return null;
    if (entry.kind === 'file') return entry.bytes;
    at = posix.resolve(posix.dirname(at), entry.target);
  }
  return null;
}

/** See Engine.putArchive. */
export async function putArchiveInto(
  client: EngineClient,
  { id, folder, tar }: { id: string; folder: string; tar: Uint8Array },
): Promise<void> {
  await client.json({
    method: 'PUT',
    path: archivePath(id),
    query: { path: folder },
    tar,
    about: `container ${id}`,
  });
}

type Entry =
  | { kind: 'file'; bytes: Uint8Array }
  | { kind: 'link'; target: string }
  | { kind: 'other' };

async function entryAt(client: EngineClient, id: string, path: string): Promise<Entry | null> {
  const about = `${path} in container ${id}`;
  const call = { method: 'GET', path: archivePath(id), query: { path }, about } as const;
  const response = await client.stream(call).catch((error: unknown) => {
    if (error instanceof EngineError && error.status === 404) return null;
    throw error;
  });
  if (response === null) return null;
  const tar = extract();
  response.on('error', (error) => tar.destroy(error));
  response.pipe(tar);
  try {
    for await (const entry of tar) {
      const { type, linkname, size } = entry.header;
      if (type === 'symlink') return { kind: 'link', target: linkname ?? '' };
      if (type !== 'file') return { kind: 'other' };
      if ((size ?? 0) > fileBytesMax) {
        throw new EngineError(`${about} is larger than ${fileBytesMax} bytes`, { status: 0 });
      }
      return {
        kind: 'file',
        bytes: await readAll(entry as AsyncIterable<Uint8Array>, fileBytesMax),
      };
    }
    return null;
  } finally {
    // A folder's archive can be of any size; its first entry is all that was of interest.
    response.destroy();
  }
}

function archivePath(id: string): string {
  return `/containers/${encodeURIComponent(id)}/archive`;
}

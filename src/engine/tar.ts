/** Makes the tar archives that `putArchive` and `build` take, from files in memory. */
import { pack } from 'tar-stream';

export interface TarFile {
  /** Relative to the folder that the archive is unpacked into. */
  path: string;
  bytes: Uint8Array | string;
  /** Permissions, 0o644 by default. */
  mode?: number;
}

/** One archive with these files, owned by root. */
export async function tarOf(files: readonly TarFile[]): Promise<Uint8Array> {
  const tar = pack();
  for (const { path, bytes, mode = 0o644 } of files) {
    tar.entry({ name: path, mode }, Buffer.from(bytes as Uint8Array));
  }
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of tar as AsyncIterable<Uint8Array>) parts.push(part);
  return Buffer.concat(parts);
}

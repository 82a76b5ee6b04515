/** Makes the world server one file, which is mounted into the world's container. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const entry = join(import.meta.dirname, '..', 'world', 'main.ts');

/** Path of the bundle in `directory`, named by its content, so that one that is in use stays. */
export async function bundleWorld(directory: string): Promise<string> {
  const built = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'silent',
    // What CommonJS packages inside of the bundle expect to find.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire('/');" },
  });
  const { contents } = built.outputFiles[0]!;
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const path = join(directory, `world-${hash}.mjs`);
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true });
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, contents, { mode: 0o644 });
  await rename(fresh, path);
  return path;
}

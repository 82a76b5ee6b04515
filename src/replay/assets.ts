/** The files that sandboxes mount, laid out once in a folder that the engine can see. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../engine/engine.ts';
import { worldAddress } from '../world/cable.ts';
import { bundleWorld } from './bundle.ts';

export interface Assets {
  world: string;
  watch: string;
  clock: string;
  /** Null when the sandbox's image has none: clocks cannot be set then. */
  faketime: string | null;
  resolvConf: string;
}

const faketimePath = '/usr/local/lib/libfaketime.so.1';

/** Lays them out below `directory`; what is there already stays as it is. */
export async function prepareAssets(options: {
  engine: Engine;
  sandboxImage: string;
  directory: string;
}): Promise<Assets> {
  const { engine, sandboxImage, directory } = options;
  await mkdir(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  const inside = join(import.meta.dirname, 'inside');
  const [world, files] = await Promise.all([
    bundleWorld(directory),
    engine.readImageFiles(sandboxImage, [faketimePath]),
    copyFile(join(inside, 'watch.cjs'), at('watch.cjs')),
    copyFile(join(inside, 'clock.cjs'), at('clock.cjs')),
    // As on a network of containers: names are asked as they are, one resolver, no search list.
    writeFile(at('resolv.conf'), `nameserver ${worldAddress.v4}\noptions ndots:0\n`),
  ]);
  const library = files.get(faketimePath) ?? null;
  if (library !== null) await writeFile(at('libfaketime.so.1'), library, { mode: 0o755 });
  return {
    world,
    watch: at('watch.cjs'),
    clock: at('clock.cjs'),
    faketime: library === null ? null : at('libfaketime.so.1'),
    resolvConf: at('resolv.conf'),
  };
}

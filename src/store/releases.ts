/** Releases, the deployments that put them somewhere, and the instances that run. */
import type { Deployment, Instance, Release } from '../domain/app.ts';
import { lockApp } from './apps.ts';
import type { Database } from './database.ts';
import { tableOf } from './sql.ts';
import type { Store } from './store.ts';

const releases = tableOf<Release>('release', [
  'app',
  'number',
  'commit',
  'imageId',
  'config',
  'envVersion',
  'createdAt',
]);

export function releasesOn(database: Database): Store['releases'] {
  return {
    add: (release) =>
      database.transaction(async (inside) => {
        await lockApp(inside, release.app);
        const last = await inside.row<{ number: number }>(
          'SELECT coalesce(max(number), 0) AS number FROM release WHERE app = $1',
          [release.app],
        );
        const number = last!.number + 1;
        return (await inside.row<Release>(releases.insert({ ...release, number })))!;
      }),
    get: (app, number) => database.row<Release>(releases.select({ app, number })),
    list: (app) => database.rows<Release>(releases.select({ app }, 'ORDER BY number DESC')),
  };
}

const deployments = tableOf<Deployment>('deployment', [
  'id',
  'app',
  'commit',
  'branch',
  'releaseNumber',
  'status',
  'reason',
  'startedAt',
  'endedAt',
]);

export function deploymentsOn(database: Database): Store['deployments'] {
  return {
    add: async (deployment) =>
      (await database.row<Deployment>(deployments.insert({ ...deployment, id: undefined })))!,
    async update(id, changes) {
      const statement = deployments.update(changes, { id });
      if (statement) await database.rows(statement);
    },
    get: (id) => database.row<Deployment>(deployments.select({ id })),
    list: (app) => database.rows<Deployment>(deployments.select({ app }, 'ORDER BY ordinal DESC')),
    // A preview serves, too, but is not what "the app" means.
    serving: (app) =>
      database.row<Deployment>(
        `SELECT ${deployments.columns} FROM deployment WHERE app = $1 AND status = 'serving'
         AND branch = (SELECT default_branch FROM app WHERE name = $1)
         ORDER BY ordinal DESC LIMIT 1`,
        [app],
      ),
    async appendLog(id, line) {
      await database.rows('INSERT INTO deployment_log (deployment_id, line) VALUES ($1, $2)', [
        id,
        line.replaceAll('\u0000', '\ufffd'),
      ]);
    },
    async readLog(id, from) {
      const rows = await database.rows<{ line: string }>(
        'SELECT line FROM deployment_log WHERE deployment_id = $1 ORDER BY ordinal OFFSET $2',
        [id, from],
      );
      return rows.map((row) => row.line);
    },
  };
}

const instances = tableOf<Instance>('instance', [
  'id',
  'app',
  'releaseNumber',
  'deploymentId',
  'containerId',
  'anchorId',
  'netns',
  'address',
  'port',
  'startedAt',
  'healthyAt',
  'endedAt',
]);

export function instancesOn(database: Database): Store['instances'] {
  return {
    async add(instance) {
      await database.rows(instances.insert(instance));
    },
    async update(id, changes) {
      const statement = instances.update(changes, { id });
      if (statement) await database.rows(statement);
    },
    get: (id) => database.row<Instance>(instances.select({ id })),
    list: ({ app, live }) =>
      database.rows<Instance>(
        `SELECT ${instances.columns} FROM instance WHERE ($1::text IS NULL OR app = $1)
         AND ($2::boolean IS NULL OR (ended_at IS NULL) = $2) ORDER BY started_at DESC`,
        [app ?? null, live ?? null],
      ),
  };
}

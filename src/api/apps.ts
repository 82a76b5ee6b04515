/** Routes of apps: making them, their configuration, deployments and logs. */
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { isAppName } from '../domain/app.ts';
import * as contract from './contract.ts';
import { ApiProblem, accepted, found } from './errors.ts';
import { env } from './objects.ts';
import type { ApiOptions, TypedServer } from './server.ts';
import { stream } from './stream.ts';

const byName = z.object({ app: z.string() });
const switchText = z.enum(['0', '1']).default('0');
const masked = '********';

export function appRoutes(server: TypedServer, { platform, store, logger }: ApiOptions): void {
  const shown = async (app: App) => ({
    ...app,
    ...platform.urlsOf(app.name),
    serving: await store.deployments.serving(app.name),
    degradations: platform.degradationsOf(app.name),
  });
  const appOf = async (name: string) => found(await store.apps.get(name), `app ${name}`);

  server.get('/apps', { schema: { response: { 200: contract.apps } } }, async () => {
    return { apps: await Promise.all((await store.apps.list()).map(shown)) };
  });

  server.post(
    '/apps',
    { schema: { body: contract.newApp, response: { 201: contract.oneApp } } },
    async (request, reply) => {
      const { name, defaultBranch } = request.body;
      if (!isAppName(name)) {
        const rule = 'lower-case letters, digits and hyphens, at most 40, beginning with a letter';
        throw new ApiProblem('invalid', `"${name}" cannot be the name of an app: ${rule}.`);
      }
      const app = accepted(await platform.createApp({ name, defaultBranch }));
      return reply.code(201).send({ app: await shown(app) });
    },
  );

  server.get(
    '/apps/:app',
    { schema: { params: byName, response: { 200: contract.oneApp } } },
    async ({ params }) => ({ app: await shown(await appOf(params.app)) }),
  );

  server.get(
    '/apps/:app/env',
    {
      schema: {
        params: byName,
        querystring: z.object({ reveal: switchText }),
        response: { 200: env },
      },
      config: { plain: true },
    },
    async ({ params, query }) => {
      await appOf(params.app);
      const { version, values } = await store.env.current(params.app);
      if (query.reveal === '1') return { version, values };
      const names = Object.keys(values).sort();
      return { version, values: Object.fromEntries(names.map((name) => [name, masked])) };
    },
  );

  server.patch(
    '/apps/:app/env',
    { schema: { params: byName, body: contract.envChanges } },
    async ({ params, body }, reply) => {
      await appOf(params.app);
      await stream(reply, { result: contract.envChanged, logger }, ({ say }) =>
        platform.setEnv(params.app, body.changes, say),
      );
    },
  );

  server.get(
    '/apps/:app/deployments',
    { schema: { params: byName, response: { 200: contract.deployments } } },
    async ({ params }) => {
      await appOf(params.app);
      return { deployments: await store.deployments.list(params.app) };
    },
  );

  server.get(
    '/deployments/:id',
    {
      schema: { params: z.object({ id: z.string() }), response: { 200: contract.deploymentLog } },
    },
    async ({ params }) => {
      const deployment = found(await store.deployments.get(params.id), `deployment ${params.id}`);
      return { deployment, lines: await store.deployments.readLog(params.id, 0) };
    },
  );

  server.get(
    '/apps/:app/logs',
    {
      schema: {
        params: byName,
        querystring: z.object({
          follow: switchText,
          lines: z.coerce.number().int().min(0).max(100_000).default(200),
        }),
      },
    },
    async ({ params, query }, reply) => {
      await appOf(params.app);
      const follow = query.follow === '1';
      await stream(reply, { result: z.null(), logger }, ({ log, gone }) =>
        platform.logs(params.app, { linesMax: query.lines, follow, signal: gone }, log),
      );
    },
  );
}

/** Recordings that leave as files, and come in as such. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Recording } from '../domain/recording.ts';
import { fromPortable, toPortable } from '../store/recordings/portable.ts';
import * as contract from './contract.ts';
import { ApiProblem, found } from './errors.ts';
import { wholeId } from './recordings.ts';
import type { ApiOptions, TypedServer } from './server.ts';

const importBytesMax = 1 << 30;

export function transferRoutes(server: TypedServer, options: ApiOptions): void {
  const params = z.object({ id: z.string() });

  server.get('/recordings/:id/har', { schema: { params } }, async ({ params: { id } }) => {
    const { recording, boot } = await withBoot(id, options);
    return options.platform.har(recording, { boot, version: options.about.version });
  });

  // Sent as it was recorded: whoever asks is told by the command line that secrets are in it.
  server.get('/recordings/:id/portable', { schema: { params } }, async ({ params }, reply) => {
    const { recording, boot } = await withBoot(params.id, options);
    const bytes = await toPortable(boot === null ? [recording] : [recording, boot]);
    return reply.type('application/octet-stream').send(bytes);
  });

  server.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: importBytesMax },
    (_request, body, done) => done(null, body),
  );
  server.post(
    '/recordings/import',
    {
      bodyLimit: importBytesMax,
      schema: {
        querystring: z.object({ app: z.string().optional() }),
        response: { 200: contract.imported },
      },
    },
    async ({ body, query }) => {
      if (!Buffer.isBuffer(body)) throw new ApiProblem('invalid', 'Send the file itself.');
      const read = await fromPortable(body);
      if (read.kind === 'refused') throw new ApiProblem('invalid', `Not imported: ${read.reason}.`);
      return { recordings: await takeIn(read.recordings, query.app, options) };
    },
  );
}

/** A recording with its instance's start, without which it cannot be replayed. */
async function withBoot(
  given: string,
  options: ApiOptions,
): Promise<{ recording: Recording; boot: Recording | null }> {
  const { recordings } = options.store;
  const id = await wholeId(given, options);
  const recording = found(await recordings.load(id), `recording ${given}`);
  if (recording.kind === 'boot') return { recording, boot: null };
  const { app, instanceId } = recording;
  const [boot] = await recordings.list({ app, instanceId, kind: 'boot', limit: 1 });
  return { recording, boot: boot === undefined ? null : await recordings.load(boot.id) };
}

/** Nothing is kept before everything fits; one that is here already is not kept twice. */
async function takeIn(
  recordings: readonly Recording[],
  into: string | undefined,
  { store }: Pick<ApiOptions, 'store'>,
): Promise<contract.Imported['recordings']> {
  for (const app of new Set(recordings.map((each) => into ?? each.app))) {
    if ((await store.apps.get(app)) !== null) continue;
    const text = `There is no app ${app}: make it (fixpoint apps create), or name another (--app).`;
    throw new ApiProblem('not-found', text);
  }
  const taken: contract.Imported['recordings'] = [];
  for (const recording of recordings) {
    const app = into ?? recording.app;
    const before = await store.recordings.summary(recording.id);
    const same = before !== null && isSame(before, { ...recording, app });
    const id = before === null || same ? recording.id : randomUUID();
    if (!same) await store.recordings.keep({ ...recording, app, id });
    const release = await store.releases.get(app, recording.releaseNumber);
    taken.push({ id, from: recording.id, app, known: same, replayable: release !== null });
  }
  return taken;
}

function isSame(
  a: Pick<Recording, 'app' | 'instanceId' | 'from' | 'to' | 'kind'>,
  b: Pick<Recording, 'app' | 'instanceId' | 'from' | 'to' | 'kind'>,
): boolean {
  const keyOf = ({ app, instanceId, from, to, kind }: typeof a) =>
    JSON.stringify([app, instanceId, from, to, kind]);
  return keyOf(a) === keyOf(b);
}

/** Routes of recordings: lists, and one as text. */
import { z } from 'zod';
import type { RecordingText } from './contract.ts';
import * as contract from './contract.ts';
import { found } from './errors.ts';
import { recording, recordingText } from './objects.ts';
import type { ApiOptions, TypedServer } from './server.ts';

export function recordingRoutes(server: TypedServer, options: ApiOptions): void {
  server.get(
    '/recordings',
    {
      schema: {
        querystring: z.object({
          app: z.string().optional(),
          kind: recording.shape.kind.optional(),
          route: z.string().optional(),
          limit: z.coerce.number().int().min(1).max(10_000).default(50),
        }),
        response: { 200: contract.recordings },
      },
    },
    async ({ query }) => ({ recordings: await options.store.recordings.list(query) }),
  );

  server.get(
    '/recordings/:id',
    {
      schema: { params: z.object({ id: z.string() }), response: { 200: recordingText } },
    },
    async ({ params }) => {
      const id = await wholeId(params.id, options);
      return found(await recordingTextOf(id, options), `recording ${params.id}`);
    },
  );
}

const idCharacters = 36;

/** The id that begins so, when it is the only one; else what was given. */
export async function wholeId(
  given: string,
  { store }: Pick<ApiOptions, 'store'>,
): Promise<string> {
  if (given.length >= idCharacters) return given;
  const [first, second] = await store.recordings.idsStartingWith(given, 2);
  return first !== undefined && second === undefined ? first : given;
}

/** Null when there is none. Throws when its file is damaged. */
export async function recordingTextOf(
  id: string,
  { store, platform }: Pick<ApiOptions, 'store' | 'platform'>,
): Promise<RecordingText | null> {
  const [summary, whole] = await Promise.all([
    store.recordings.summary(id),
    store.recordings.load(id),
  ]);
  if (!summary || !whole) return null;
  const { trigger, calls, others } = platform.explain(whole);
  return { recording: summary, trigger, calls, others, log: whole.log, exit: whole.exit };
}

/** Routes of issues and change requests: reading them, and the commands that work on them. */
import { z } from 'zod';
import type { Issue, Occurrence } from '../domain/failure.ts';
import * as contract from './contract.ts';
import { ApiProblem, accepted, found } from './errors.ts';
import { attempt, change, issue as issueSchema, reproduction } from './objects.ts';
import { recordingTextOf } from './recordings.ts';
import type { ApiOptions, TypedServer } from './server.ts';
import { stream } from './stream.ts';

const byId = z.object({
  id: z.coerce
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1),
});
const occurrencesMax = 20;

export function issueRoutes(server: TypedServer, options: ApiOptions): void {
  const { platform, store, logger } = options;
  const issueOf = async (id: number) => found(await store.issues.get(id), `issue ${id}`);

  server.get(
    '/issues',
    {
      schema: {
        querystring: z.object({
          app: z.string().optional(),
          status: issueSchema.shape.status.optional(),
        }),
        response: { 200: contract.issues },
      },
    },
    async ({ query }) => ({ issues: await store.issues.list(query) }),
  );

  server.get(
    '/issues/:id',
    { schema: { params: byId, response: { 200: contract.issueDetail } } },
    async ({ params }) => detailOf(await issueOf(params.id), options),
  );

  server.post('/issues/:id/reproduce', { schema: { params: byId } }, async ({ params }, reply) => {
    await issueOf(params.id);
    await stream(reply, { result: reproduction, logger }, ({ say }) =>
      platform.reproduce(params.id, say),
    );
  });

  server.post('/issues/:id/fix', { schema: { params: byId } }, async ({ params }, reply) => {
    await issueOf(params.id);
    await stream(reply, { result: contract.fixed, logger }, ({ say }) =>
      platform.fix(params.id, say),
    );
  });

  server.post(
    '/issues/:id/verify',
    { schema: { params: byId, body: contract.branchToVerify } },
    async ({ params, body }, reply) => {
      await issueOf(params.id);
      await stream(reply, { result: attempt, logger }, ({ say }) =>
        platform.verifyBranch(params.id, body.branch, say),
      );
    },
  );

  server.post('/issues/:id/merge', { schema: { params: byId } }, async ({ params }, reply) => {
    await issueOf(params.id);
    const [open] = await store.changes.list({ issueId: params.id, status: 'open' });
    if (!open) {
      const text = `Issue ${params.id} has no open change request.`;
      throw new ApiProblem('conflict', text);
    }
    await stream(reply, { result: contract.merged, logger }, ({ say }) =>
      platform.merge(open.id, say),
    );
  });

  changeRoutes(server, options);
}

function changeRoutes(server: TypedServer, { platform, store, logger }: ApiOptions): void {
  const changeOf = async (id: number) => found(await store.changes.get(id), `change request ${id}`);

  server.get(
    '/changes',
    {
      schema: {
        querystring: z.object({
          app: z.string().optional(),
          status: change.shape.status.optional(),
        }),
        response: { 200: contract.changes },
      },
    },
    async ({ query }) => ({ changes: await store.changes.list(query) }),
  );

  server.get(
    '/changes/:id',
    { schema: { params: byId, response: { 200: contract.changeDetail } } },
    async ({ params }) => {
      const shown = await changeOf(params.id);
      const issue = found(await store.issues.get(shown.issueId), `issue ${shown.issueId}`);
      const attempts = await store.attempts.list(shown.issueId);
      const number = shown.attemptNumber;
      return { change: shown, issue, attempt: attempts.find((a) => a.number === number) ?? null };
    },
  );

  server.post('/changes/:id/merge', { schema: { params: byId } }, async ({ params }, reply) => {
    await changeOf(params.id);
    await stream(reply, { result: contract.merged, logger }, ({ say }) =>
      platform.merge(params.id, say),
    );
  });

  server.post(
    '/changes/:id/close',
    {
      schema: {
        params: byId,
        body: contract.changeToClose,
        response: { 200: z.object({ change }) },
      },
    },
    async ({ params, body }) => {
      await changeOf(params.id);
      return { change: accepted(await platform.closeChange(params.id, body.comment)) };
    },
  );
}

async function detailOf(issue: Issue, options: ApiOptions): Promise<contract.IssueDetail> {
  const { store } = options;
  const occurrences = await store.issues.occurrences(issue.id, occurrencesMax);
  const [reproduction, attempts, changes, recorded] = await Promise.all([
    store.reproductions.get(issue.id),
    store.attempts.list(issue.id),
    store.changes.list({ issueId: issue.id }),
    newestRecording(occurrences, options),
  ]);
  return { issue, occurrences, reproduction, attempts, changes, ...recorded };
}

/** A damaged recording must not hide the rest of its issue. */
async function newestRecording(
  occurrences: Occurrence[],
  options: ApiOptions,
): Promise<Pick<contract.IssueDetail, 'recording' | 'recordingProblem'>> {
  let recordingProblem: string | null = null;
  for (const { recordingId } of occurrences) {
    if (recordingId === null) continue;
    try {
      const recording = await recordingTextOf(recordingId, options);
      if (recording) return { recording, recordingProblem: null };
    } catch (error) {
      recordingProblem ??= (error as Error).message;
    }
  }
  return { recording: null, recordingProblem };
}

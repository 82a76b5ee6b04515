/** What becomes of an issue: its reproduction, the attempts to fix it, and the change requests. */
import type { Attempt, ChangeRequest } from '../domain/fix.ts';
import type { Reproduction } from '../domain/outcome.ts';
import { now } from '../domain/time.ts';
import type { Database } from './database.ts';
import { tableOf } from './sql.ts';
import type { Store } from './store.ts';

export function reproductionsOn(database: Database): Store['reproductions'] {
  return {
    async save(reproduction) {
      await database.rows(
        `INSERT INTO reproduction VALUES ($1, $2)
         ON CONFLICT (issue_id) DO UPDATE SET document = excluded.document`,
        [reproduction.issueId, JSON.stringify(reproduction)],
      );
    },
    async get(issueId) {
      const row = await database.row<{ document: Reproduction }>(
        'SELECT document FROM reproduction WHERE issue_id = $1',
        [issueId],
      );
      return row?.document ?? null;
    },
    async forget(issueId) {
      await database.rows('DELETE FROM reproduction WHERE issue_id = $1', [issueId]);
    },
  };
}

const attempts = tableOf<Attempt>('attempt', [
  'issueId',
  'number',
  'candidate',
  'verdict',
  'startedAt',
  'endedAt',
]);

export function attemptsOn(database: Database): Store['attempts'] {
  return {
    add: (issueId, candidate) =>
      database.transaction(async (inside) => {
        const issue = await inside.row('SELECT id FROM issue WHERE id = $1 FOR UPDATE', [issueId]);
        if (!issue) throw new Error(`There is no issue ${issueId}.`);
        const last = await inside.row<{ number: number }>(
          'SELECT coalesce(max(number), 0) AS number FROM attempt WHERE issue_id = $1',
          [issueId],
        );
        const attempt = {
          issueId,
          number: last!.number + 1,
          candidate,
          verdict: null,
          startedAt: now(),
          endedAt: null,
        };
        return (await inside.row<Attempt>(attempts.insert(attempt)))!;
      }),
    async finish(issueId, number, verdict) {
      const changes = { verdict, endedAt: now() };
      await database.rows(attempts.update(changes, { issueId, number })!);
    },
    list: (issueId) => database.rows<Attempt>(attempts.select({ issueId }, 'ORDER BY number')),
  };
}

const changes = tableOf<ChangeRequest>('change_request', [
  'id',
  'app',
  'issueId',
  'attemptNumber',
  'forge',
  'branch',
  'commit',
  'title',
  'body',
  'status',
  'url',
  'createdAt',
  'endedAt',
]);

export function changesOn(database: Database): Store['changes'] {
  return {
    add: (change) =>
      database.transaction(async (inside) => {
        // Whoever adds for this issue at the same time waits here, then finds the open one.
        await inside.rows('SELECT id FROM issue WHERE id = $1 FOR UPDATE', [change.issueId]);
        const open = await inside.row<ChangeRequest>(
          changes.select({ issueId: change.issueId, status: 'open' }),
        );
        if (open) return open;
        return (await inside.row<ChangeRequest>(changes.insert({ ...change, id: undefined })))!;
      }),
    async update(id, fields) {
      const statement = changes.update(fields, { id });
      if (statement) await database.rows(statement);
    },
    get: (id) => database.row<ChangeRequest>(changes.select({ id })),
    list: (filter) => database.rows<ChangeRequest>(changes.select(filter, 'ORDER BY id DESC')),
  };
}

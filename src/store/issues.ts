/** Issues: how an occurrence finds its issue, and what makes one come back. */
import type { Issue, Occurrence } from '../domain/failure.ts';
import { now } from '../domain/time.ts';
import type { Database, Queryable } from './database.ts';
import { tableOf } from './sql.ts';
import type { Filed, Store } from './store.ts';

interface IssueRow extends Issue {
  resolvedAt: number | null;
}

const fields = [
  'id',
  'app',
  'fingerprint',
  'title',
  'kind',
  'route',
  'status',
  'reason',
  'firstSeenAt',
  'lastSeenAt',
  'firstRelease',
  'lastRelease',
  'count',
  'regressedIn',
] as const;
const issues = tableOf<Issue>('issue', fields);
const issueRows = tableOf<IssueRow>('issue', [...fields, 'resolvedAt']);
const occurrences = tableOf<Occurrence>('occurrence', [
  'id',
  'issueId',
  'app',
  'releaseNumber',
  'instanceId',
  'at',
  'failure',
  'recordingId',
]);

type Options = Parameters<Store['issues']['file']>[0];

export function issuesOn(database: Database): Store['issues'] {
  return {
    file: (options) =>
      database.transaction(async (inside) => {
        const { issue, news } = (await begin(inside, options)) ?? (await extend(inside, options));
        const occurrence = await inside.row<Occurrence>(
          occurrences.insert({
            issueId: issue.id,
            app: options.app,
            releaseNumber: options.releaseNumber,
            instanceId: options.instanceId,
            at: options.failure.at,
            failure: options.failure,
            recordingId: options.recordingId,
          }),
        );
        return { issue, occurrence: occurrence!, news };
      }),
    get: (id) => database.row<Issue>(issues.select({ id })),
    list: (filter) => database.rows<Issue>(issues.select(filter, 'ORDER BY last_seen_at DESC, id')),
    async setStatus(id, status, reason) {
      const resolvedAt = status === 'resolved' ? now() : null;
      const statement = issueRows.update({ status, reason, resolvedAt }, { id });
      if (statement) await database.rows(statement);
    },
    occurrences: (issueId, limit) =>
      database.rows<Occurrence>(
        `SELECT ${occurrences.columns} FROM occurrence WHERE issue_id = $1
         ORDER BY at DESC, ordinal DESC LIMIT $2`,
        [issueId, limit],
      ),
  };
}

/** The first of its fingerprint; null when the issue is there already. */
async function begin(
  inside: Queryable,
  { app, releaseNumber, failure, title, count = 1 }: Options,
): Promise<Pick<Filed, 'issue' | 'news'> | null> {
  const issue = await inside.row<Issue>(
    issues.insert(
      {
        app,
        fingerprint: failure.fingerprint,
        title,
        kind: failure.kind,
        route: failure.route,
        status: 'open',
        reason: null,
        firstSeenAt: failure.at,
        lastSeenAt: failure.at,
        firstRelease: releaseNumber,
        lastRelease: releaseNumber,
        count,
        regressedIn: null,
      },
      'ON CONFLICT (app, fingerprint) DO NOTHING',
    ),
  );
  return issue && { issue, news: 'new' };
}

async function extend(
  inside: Queryable,
  { app, releaseNumber, failure, count = 1 }: Options,
): Promise<Pick<Filed, 'issue' | 'news'>> {
  const before = (await inside.row<IssueRow>(
    issueRows.select({ app, fingerprint: failure.fingerprint }, 'FOR UPDATE'),
  ))!;
  const regressed = isRegression(before, { releaseNumber, at: failure.at });
  const statement = issueRows.update(
    {
      firstSeenAt: Math.min(before.firstSeenAt, failure.at),
      lastSeenAt: Math.max(before.lastSeenAt, failure.at),
      firstRelease: Math.min(before.firstRelease, releaseNumber),
      lastRelease: Math.max(before.lastRelease, releaseNumber),
      count: before.count + count,
      ...(regressed && {
        status: 'open',
        reason: `Came back in release ${releaseNumber} after it had been resolved.`,
        regressedIn: releaseNumber,
        resolvedAt: null,
      }),
    },
    { id: before.id },
  );
  await inside.rows(statement!);
  const issue = await inside.row<Issue>(issues.select({ id: before.id }));
  return { issue: issue!, news: regressed ? 'regressed' : 'known' };
}

/**
 * A resolved issue comes back with a failure of a later release than it was ever seen in. Old
 * instances that still drain, and rollbacks to a release that had the bug, are no news.
 */
function isRegression(issue: IssueRow, seen: { releaseNumber: number; at: number }): boolean {
  if (issue.status !== 'resolved' || issue.resolvedAt === null) return false;
  return seen.at >= issue.resolvedAt && seen.releaseNumber > issue.lastRelease;
}

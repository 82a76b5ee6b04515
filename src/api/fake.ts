/** For tests: a platform that does nothing but answer, and a store with one issue told in full. */
import type { Failure, Issue } from '../domain/failure.ts';
import type { Attempt, Candidate, ChangeRequest, Check } from '../domain/fix.ts';
import { checkNames } from '../domain/fix.ts';
import { silent } from '../domain/logger.ts';
import type { Reproduction } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Store } from '../store/store.ts';
import type { Exchange } from './contract.ts';
import type { Platform, Refusal } from './platform.ts';
import type { ApiOptions } from './server.ts';

export const fakeToken = 'fp_test-token-of-the-fake-server';
const start = 1_700_000_000_000_000;

export interface Planted {
  issue: Issue;
  change: ChangeRequest;
}

/** Options for a server on this store; what the platform was asked is in `asked`. */
export function fakeApi(store: Store, changes: Partial<Platform> = {}) {
  const asked: unknown[][] = [];
  const platform: Platform = { ...fakePlatform(store, asked), ...changes };
  const options: ApiOptions = {
    platform,
    store,
    token: fakeToken,
    about: { version: '0.0.0-test', dataDir: '/data' },
    logger: silent,
    async git(request, response, target) {
      let bytes = 0;
      for await (const chunk of request) bytes += chunk.length;
      asked.push(['git', request.method, target, bytes]);
      response.writeHead(200, { 'content-type': 'text/plain' }).end(JSON.stringify(target));
    },
  };
  return { options, asked };
}

function fakePlatform(store: Store, asked: unknown[][]): Platform {
  const refused: Refusal = { kind: 'refused', code: 'unavailable', reason: 'Not in this test.' };
  return {
    urlsOf: (app) => ({
      gitUrl: `http://127.0.0.1:7070/git/${app}.git`,
      url: `http://${app}.localhost:8080`,
    }),
    async createApp(options) {
      const app = await store.apps.create({ ...options, createdAt: start });
      const reason = `There is an app ${options.name} already.`;
      return app ?? { kind: 'refused', code: 'conflict', reason };
    },
    async setEnv(app, changes, say) {
      asked.push(['setEnv', app, changes]);
      say('Deploying again with the new configuration');
      return { version: await store.env.set(app, changes), deployment: null };
    },
    degradationsOf: () => [],
    har: () => ({ log: { version: '1.2', entries: [] } }),
    explain: () => ({ trigger: exchanges[0]!, calls: exchanges.slice(1), others: [] }),
    async reproduce(issueId, say) {
      for (const run of [1, 2, 3]) say(`Run ${run} of 3: failed with the same fingerprint`);
      return (await store.reproductions.get(issueId)) ?? refused;
    },
    async fix(issueId, say) {
      say('Candidate 1: rejected');
      const [change] = await store.changes.list({ issueId });
      return { issue: (await store.issues.get(issueId))!, change: change ?? null };
    },
    async verifyBranch(issueId, branch) {
      asked.push(['verifyBranch', issueId, branch]);
      const attempts = await store.attempts.list(issueId);
      const wanted = branch === 'good' ? 'verified' : 'rejected';
      return attempts.find((attempt) => attempt.verdict?.kind === wanted) as Attempt;
    },
    async merge(changeId, say) {
      say('Merging');
      const change = (await store.changes.get(changeId))!;
      if (change.status !== 'open') return { kind: 'not-open', change };
      await store.changes.update(changeId, { status: 'merged' });
      const merged = { ...change, status: 'merged' as const };
      return { kind: 'merged', change: merged, commit: 'f'.repeat(40), deployment: null };
    },
    async closeChange(changeId, comment) {
      asked.push(['closeChange', changeId, comment]);
      await store.changes.update(changeId, { status: 'closed' });
      return (await store.changes.get(changeId))!;
    },
    async logs(_app, { follow, signal }, onLine) {
      onLine({ at: start, stream: 'stdout', text: 'GET /orders?token=planted-secret' });
      onLine({ at: start + 1, stream: 'stderr', text: '\u001b[31mred\u001b[0m \u0007bell' });
      if (follow) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      asked.push(['logs ended']);
      return null;
    },
    status: async () => [{ name: 'sensor', state: 'ok', says: 'watches 1 instance' }],
    doctor: async () => [
      { name: 'kernel', answer: 'ok', says: '6.1', remedy: null },
      { name: 'nginx', answer: 'failed', says: 'not found', remedy: 'apt-get install nginx' },
    ],
  };
}

/** An app with an issue that was reproduced, attempted twice and has a change request. */
export async function plant(store: Store, app: string): Promise<Planted> {
  await store.apps.create({ name: app, defaultBranch: 'main', createdAt: start });
  await store.deployments.add({
    app,
    commit: 'c'.repeat(40),
    branch: 'main',
    releaseNumber: 1,
    status: 'serving',
    reason: null,
    startedAt: start,
    endedAt: start + 5_000_000,
  });
  const id = `${app}-recording`;
  await store.recordings.keep({ ...recording, id, app });
  const { issue } = await store.issues.file({
    app,
    releaseNumber: 1,
    instanceId: 'i-1',
    failure,
    title: failure.message,
    recordingId: id,
  });
  await store.reproductions.save(reproductionOf(issue.id, id));
  await store.attempts.add(issue.id, candidateOf('optional-chain'));
  await store.attempts.finish(issue.id, 1, verdictOf('rejected'));
  await store.attempts.add(issue.id, candidateOf('early-exit'));
  await store.attempts.finish(issue.id, 2, verdictOf('verified'));
  const change = await store.changes.add({
    app,
    issueId: issue.id,
    attemptNumber: 2,
    forge: 'builtin',
    branch: `fixpoint/issue-${issue.id}`,
    commit: 'd'.repeat(40),
    title: 'Answer 404 for an order without a customer',
    body: 'What happened: it failed.',
    status: 'open',
    url: null,
    createdAt: start + 60_000_000,
    endedAt: null,
  });
  await store.issues.setStatus(issue.id, 'proposed', null);
  return { issue: (await store.issues.get(issue.id))!, change };
}

const failure: Failure = {
  kind: 'exception',
  at: start + 10_000_000,
  message: "TypeError: Cannot read properties of null (reading 'city')",
  trace: {
    runtime: 'v8',
    type: 'TypeError',
    message: "Cannot read properties of null (reading 'city')",
    lines: [
      {
        file: 'src/orders.ts',
        function: 'toView',
        line: 41,
        column: 22,
        text: 'city: order.customer.city, // password: not a secret here',
        inApp: true,
      },
      {
        file: 'node_modules/express/lib/router.js',
        function: 'next',
        line: 7,
        column: 1,
        text: null,
        inApp: false,
      },
    ],
    causes: [],
    uncaught: true,
  },
  status: 500,
  exit: null,
  route: 'GET /orders/:id',
  fingerprint: 'v1:test',
};

function exchangeOf(changes: Partial<Exchange>): Exchange {
  return {
    id: '1/0',
    direction: 'inbound',
    protocol: 'http1',
    server: 'orders.localhost:3000',
    title: 'GET /orders/7 -> 500 (31 B)',
    startedAt: start + 10_000_000,
    endedAt: start + 10_012_000,
    end: 'complete',
    error: '500 Internal Server Error',
    lines: [
      'GET /orders/7 HTTP/1.1',
      'authorization: Bearer planted-secret-1',
      '',
      'HTTP/1.1 500 Internal Server Error',
      '{"password":"planted-secret"}',
    ],
    ...changes,
  };
}

const exchanges: Exchange[] = [
  exchangeOf({}),
  exchangeOf({
    id: '2/3',
    direction: 'outbound',
    protocol: 'postgres',
    server: 'db:5432',
    title: 'SELECT * FROM orders WHERE id = $1 -> 1 row',
    startedAt: start + 10_001_000,
    endedAt: start + 10_004_000,
    error: null,
    lines: ['SELECT * FROM orders WHERE id = $1', '$1 = 7'],
  }),
  exchangeOf({
    id: '3/0',
    direction: 'outbound',
    server: 'rates:80',
    title: 'GET /rates/EUR -> 200 (18 B)',
    startedAt: start + 10_005_000,
    endedAt: start + 10_010_000,
    error: null,
    lines: ['GET /rates/EUR HTTP/1.1'],
  }),
];

const recording: Recording = {
  id: '',
  kind: 'failure',
  app: '',
  releaseNumber: 1,
  instanceId: 'i-1',
  from: start,
  to: start + 11_000_000,
  connections: [],
  triggerExchangeId: '1/0',
  callExchangeIds: ['2/3', '3/0'],
  causality: 'exact',
  prefixExchangeIds: [],
  log: [{ at: start + 10_011_000, stream: 'stderr', text: failure.message }],
  exit: null,
  route: 'GET /orders/:id',
  completeness: { seenBytes: 900, totalBytes: 900, reasons: [] },
};

function reproductionOf(issueId: number, recordingId: string): Reproduction {
  const run = {
    outcome: 'failed' as const,
    fingerprint: failure.fingerprint,
    message: failure.message,
    divergences: [],
    served: [],
    raised: [
      {
        type: 'TypeError',
        message: failure.message,
        file: 'src/orders.ts',
        function: 'toView',
        line: 41,
        uncaught: true,
        variables: { order: '{ id: 7, customer: null }', token: 'planted-secret' },
      },
    ],
    tookMs: 812.4,
  };
  return { kind: 'reproduced', issueId, recordingId, prefix: [], runs: [run, run, run] };
}

function candidateOf(template: string): Candidate {
  return {
    diff: [
      'diff --git a/src/orders.ts b/src/orders.ts',
      '--- a/src/orders.ts',
      '+++ b/src/orders.ts',
      '@@ -40,2 +40,3 @@',
      '+  if (order.customer === null) return null;',
      '   city: order.customer.city,',
      '',
    ].join('\n'),
    explanation: 'Leaves early when there is no customer.',
    rootCause: 'The LEFT JOIN yields no customer for a guest order (src/orders.ts:41).',
    provenance: { kind: 'template', template },
  };
}

function verdictOf(kind: 'verified' | 'rejected') {
  const checks: Check[] = checkNames.slice(0, 11).map((name) => {
    const fails = kind === 'rejected' && name === 'outcome-sane';
    const reason = fails ? 'It answers 200 with nothing where others have content.' : 'As wanted.';
    return { name, answer: fails ? 'fail' : name === 'generalises' ? 'unknown' : 'pass', reason };
  });
  const { diff } = candidateOf('x');
  const before = { status: 500, body: '{"error":"internal"}' };
  return { kind, checks, diff, before, after: { status: 404, body: '{}' }, tookMs: 4321 };
}

// From `git push` to a merged fix for examples/orders, then wrong and right patches by hand.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Change, Fixed, Issue, Merged, Reproduction } from '../src/api/contract.ts';
import { checkNames } from '../src/domain/fix.ts';
import { ownerOf } from '../src/server/settings.ts';
import {
  deployed,
  detailOf,
  expectRefused,
  expectVerified,
  issueOf,
  type Patch,
  type Patched,
  replaced,
  type WrongPatch,
} from './parts/patches.ts';
import { type Platform, startPlatform } from './parts/platform.ts';
import { startPostgres, type TestPostgres } from './parts/postgres.ts';

const examples = join(import.meta.dirname, '../examples');
const source = '    billTo: order.customer.email.toLowerCase(),';
const line =
  readFileSync(join(examples, 'orders/src/invoices.ts'), 'utf8').split('\n').indexOf(source) + 1;
let platform: Platform;
let postgres: TestPostgres;
let patched: Patched;

beforeAll(async () => {
  postgres = await startPostgres();
  platform = await startPlatform({ settings: { FIXPOINT_FIX_AUTOMATIC: 'no' } });
  const rates = await platform.repository(join(examples, 'rates'));
  await deployed(platform, 'rates', { folder: rates });
  const folder = await platform.repository(join(examples, 'orders'));
  const env = { DATABASE_URL: postgres.urlForContainers, RATES_URL: 'http://rates:3000' };
  await deployed(platform, 'orders', { folder, env });
  patched = { app: 'orders', folder, issueId: 0 };
});

afterAll(async () => {
  // What stands still would not end.
  postgres?.resume();
  if (platform !== undefined) still('unpause', 'rates');
  await platform?.stop();
  await postgres?.stop();
});

const invoice = (order: number, currency: string) =>
  platform.ask('orders', 'POST', `/orders/${order}/invoices`, { currency });

describe('from a failure to its proven fix', () => {
  it('files one issue with everything that a person needs', async () => {
    for (const id of [1, 2, 3]) {
      expect((await platform.ask('orders', 'GET', `/orders/${id}`)).status).toBe(200);
    }
    for (const [order, currency] of [
      [1, 'USD'],
      [2, 'GBP'],
      [3, 'USD'],
    ] as const) {
      expect((await invoice(order, currency)).status).toBe(201);
    }
    const taken = await platform.ask('orders', 'POST', '/orders', { totalCents: 5900 });
    expect(taken).toMatchObject({ status: 201, body: '{"id":4}' });
    expect((await invoice(4, 'USD')).status).toBe(500);

    const issue = await issueOf(platform, 'orders', /null/);
    patched.issueId = issue.id;
    expect(issue).toMatchObject({ app: 'orders', status: 'open', firstRelease: 1, count: 1 });
    expect(issue.route).toMatch(/^POST \/orders\/:\w+\/invoices$/);
    const { occurrences, recording } = await detailOf(platform, issue.id);
    const [{ failure }] = occurrences as [(typeof occurrences)[0]];
    expect(failure).toMatchObject({ status: 500, trace: { type: 'TypeError' } });
    expect(failure.message).toContain("Cannot read properties of null (reading 'email')");
    const lines = failure.trace?.lines.filter((line) => line.inApp) ?? [];
    expect(lines[0]).toMatchObject({ file: 'src/invoices.ts', line, text: source.trim() });
    expect(lines[1]).toMatchObject({ file: 'src/app.ts' });
    expect(recording?.trigger?.title).toContain('POST /orders/4/invoices');
    expect(recording?.trigger?.lines.join('\n')).toContain('"USD"');
    const calls = recording?.calls.map(({ protocol, title }) => `${protocol} ${title}`).join('\n');
    expect(calls).toMatch(/postgres .*SELECT o\.id/);
    expect(calls).toMatch(/http1? GET .*\/rates\/USD/);
  });

  it('reproduces it three times of three without database and rates', async () => {
    postgres.pause();
    still('pause', 'rates');
    const result = await platform.json<Reproduction>('reproduce', String(patched.issueId));
    if (result.kind !== 'reproduced') throw new Error(`${result.kind}: ${result.reason}`);
    const { fingerprint } = await issueOf(platform, 'orders', /null/);
    expect(result.prefix).toEqual([]);
    const alike = result.runs.filter((run) => run.fingerprint === fingerprint);
    expect(alike.length).toBeGreaterThanOrEqual(3);
    expect(result.runs.flatMap((run) => run.divergences)).toEqual([]);
    // The debugger's run holds the variables at the throw.
    const raised = result.runs.flatMap((run) => run.raised);
    expect(raised.at(-1)).toMatchObject({ type: 'TypeError', file: 'src/invoices.ts', line });
    expect(JSON.stringify(raised.at(-1)?.variables)).toContain('customer');
  });

  it('finds a fix, and opens a change request with every check in it', async () => {
    const { issue, change } = await platform.json<Fixed>('fix', String(patched.issueId));
    expect(issue.status).toBe('proposed');
    const { attempts } = await detailOf(platform, patched.issueId);
    for (const attempt of attempts.slice(0, -1)) {
      expect(attempt.verdict?.kind).not.toBe('verified');
      expect(attempt.verdict?.checks.some((check) => check.answer === 'fail')).toBe(true);
    }
    const verdict = attempts.at(-1)?.verdict;
    expect(verdict?.kind).toBe('verified');
    expect(verdict?.checks.map(({ name }) => name)).toEqual(checkNames);
    expect(verdict?.before?.status).toBe(500);
    expect(verdict?.after?.status).toBe(201);
    expect(change?.body).toContain('src/invoices.ts');
    for (const { reason } of verdict?.checks ?? []) expect(reason.length).toBeGreaterThan(10);
    expect(numbered(change!)).toEqual(checkNames.map((_, index) => index + 1));
  });
});

const guard = (statement: string) =>
  replaced([
    '    const invoice = draftInvoice(order, { currency, perEuro });',
    `    ${statement}\n    const invoice = draftInvoice(order, { currency, perEuro });`,
  ]);
const handled = (answer: string) =>
  replaced(
    ['    const invoice = draftInvoice(', '    try {\n    const invoice = draftInvoice('],
    [
      '    res.status(201).json({ id, ...invoice });',
      `    res.status(201).json({ id, ...invoice });\n    } catch (error) {\n      ${answer}\n    }`,
    ],
  );
const fixedLine = '    billTo: order.customer?.email.toLowerCase() ?? null as never,';
const fixed = replaced([source, fixedLine]);
const extra = (statement: string): WrongPatch['changes'] => ({
  'src/invoices.ts': replaced(
    [source, fixedLine],
    [
      '    async add(invoice) {\n',
      `    async add(invoice) {\n      if (invoice.billTo === null) ${statement};\n`,
    ],
  ),
});

const wrong: WrongPatch[] = [
  {
    name: 'a comment and nothing else',
    changes: { 'src/invoices.ts': replaced([source, `    // a guest has no customer\n${source}`]) },
    check: 'error-gone',
    says: /null \(reading 'email'\)/,
  },
  {
    name: 'a catch-all around the handler',
    changes: { 'src/app.ts': handled("res.status(201).json({ id: 0, error: 'no invoice' });") },
    check: 'not-hidden-in-text',
    says: /swallows/,
  },
  {
    name: 'a catch-all answering 200 {}',
    changes: { 'src/app.ts': handled('res.status(200).json({});') },
    check: 'not-hidden-in-text',
    says: /swallows/,
  },
  {
    name: 'a catch-all in an error middleware',
    changes: {
      'src/app.ts': replaced([
        '  return app;',
        '  app.use(((error, _req, res, _next) => {\n    if (error) res.status(201).json({});\n' +
          '  }) as express.ErrorRequestHandler);\n  return app;',
      ]),
    },
    check: 'not-hidden-in-text',
    says: /swallows/,
  },
  {
    name: 'an empty 200',
    changes: { 'src/app.ts': guard('if (!order.customer) return void res.status(200).end();') },
    check: 'outcome-sane',
    says: /empty where successful requests have content/,
  },
  {
    name: 'an empty object and a bare return',
    changes: { 'src/app.ts': guard('if (!order.customer) { res.json({}); return; }') },
    check: 'not-hidden-in-text',
    says: /early way out/,
  },
  {
    name: 'no row written and an id made up',
    changes: {
      'src/invoices.ts': fixed,
      'src/app.ts': replaced([
        'const id = await invoices.add(invoice);',
        'const id = order.customer ? await invoices.add(invoice) : order.id + 1000;',
      ]),
    },
    check: 'calls-after-plausible',
    says: /work skipped.*INSERT INTO invoices/i,
  },
  {
    name: 'a call to somebody new',
    changes: extra("await fetch('http://rates:3000/audit', { method: 'POST', body: 'guest' })"),
    check: 'calls-after-plausible',
    says: /POST .*\/audit/,
  },
  {
    name: 'one more row written',
    changes: extra(
      "await pool.query('INSERT INTO customers (name, email) VALUES ($1, $2)', ['Guest', 'guest'])",
    ),
    check: 'calls-after-plausible',
    says: /INSERT INTO customers/i,
  },
  {
    name: 'one more row read',
    changes: extra("await pool.query('SELECT email FROM customers WHERE id = $1', [1])"),
    check: 'error-gone',
    answer: 'unknown',
    says: /SELECT email FROM customers/i,
  },
  {
    name: 'a constant returned early',
    changes: {
      'src/invoices.ts': replaced([
        '  const due = ',
        "  if (!order.customer) return { orderId: 0, billTo: '', currency: 'EUR', " +
          "amountCents: 0, dueOn: '2026-01-01' };\n  const due = ",
      ]),
    },
    check: 'not-hidden-in-text',
    says: /early way out/,
  },
  {
    name: 'a test deleted',
    changes: { 'src/invoices.ts': fixed, 'test/orders.test.ts': null },
    check: 'not-hidden-in-text',
    says: /a test that exists/,
  },
  {
    name: 'a test changed',
    changes: {
      'src/invoices.ts': fixed,
      'test/orders.test.ts': replaced(["assert.equal(invoice.currency, 'USD');", '']),
    },
    check: 'not-hidden-in-text',
    says: /a test that exists/,
  },
  {
    name: 'a handler for the whole process',
    changes: {
      'src/server.ts': replaced([
        'const app = createApp({',
        "process.on('uncaughtException', () => {});\nconst app = createApp({",
      ]),
    },
    check: 'not-hidden-in-text',
    says: /process-wide handler/,
  },
  {
    name: 'an address that the patch makes up',
    changes: {
      'src/invoices.ts': replaced([
        source,
        "    billTo: order.customer?.email.toLowerCase() ?? 'unknown@example.com',",
      ]),
    },
    check: 'outcome-sane',
    answer: 'unknown',
    says: /in the answer is made up by the patch/,
  },
  {
    name: 'another route broken',
    changes: {
      'src/invoices.ts': fixed,
      'src/app.ts': replaced(['    res.json(order);', '    res.json({ ...order, status: null });']),
    },
    check: 'nothing-else-changed',
    says: /GET \/orders\/:\w+ is answered differently/,
  },
  {
    name: 'another amount for guests',
    changes: {
      'src/invoices.ts': replaced(
        [source, fixedLine],
        [
          '    amountCents: Math.round(order.totalCents * price.perEuro),',
          '    amountCents: Math.round(order.totalCents * (order.customer ? price.perEuro : 1)),',
        ],
      ),
    },
    check: 'every-hunk-needed',
    answer: 'unknown',
    says: /a change in src\/invoices\.ts that the fix does not need/,
  },
  {
    name: "another customer's order read",
    changes: {
      'src/orders.ts': replaced([
        'LEFT JOIN customers c ON c.id = o.customer_id\n          WHERE o.id = $1',
        'JOIN customers c ON c.id = o.customer_id\n          WHERE o.id <= $1 ORDER BY o.id DESC',
      ]),
    },
    check: 'error-gone',
    answer: 'unknown',
    says: /asks what the recording does not hold: SELECT o\.id/,
  },
  {
    name: 'not found for an order that is there',
    changes: {
      'src/app.ts': guard(
        "if (!order.customer) return void res.status(404).json({ error: 'no such order' });",
      ),
    },
    check: 'outcome-sane',
    says: /as good as successful ones/,
  },
];

const right: Patch[] = [
  { name: 'a null where there is no customer', changes: { 'src/invoices.ts': fixed } },
  {
    name: 'the same with its types, over several hunks',
    changes: {
      'src/invoices.ts': replaced(
        ['  billTo: string;', '  /** Null for guests. */\n  billTo: string | null;'],
        [source, '    billTo: order.customer?.email.toLowerCase() ?? null,'],
      ),
      'src/orders.ts': replaced(['  customer: Customer;', '  customer: Customer | null;']),
    },
  },
  {
    name: 'the same with a test',
    changes: {
      'src/invoices.ts': fixed,
      'test/guests.test.ts': `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draftInvoice } from '../src/invoices.ts';
import type { Order } from '../src/orders.ts';

test('an invoice for a guest names nobody', () => {
  const order = { id: 4, totalCents: 100, status: 'open', customer: null } as unknown as Order;
  assert.equal(draftInvoice(order, { currency: 'EUR', perEuro: 1 }).billTo, null);
});
`,
    },
  },
];

describe('patches that hide the error or break something', () => {
  it.each(wrong)('refuses $name', (patch) => expectRefused(platform, patched, patch));
});

describe('patches that mend it', () => {
  it.each(right)('verifies $name', async (patch) => {
    const verdict = await expectVerified(platform, patched, patch);
    const hunks = (text: string) => text.split('\n').filter((line) => line.startsWith('@@')).length;
    if (/hunks/.test(patch.name)) expect(hunks(verdict.diff)).toBe(3);
    if (/test/.test(patch.name)) expect(verdict.diff).toContain('test/guests.test.ts');
  });
});

describe('merging it', () => {
  it('deploys it; the same request succeeds and the issue is resolved', async () => {
    const { rows } = await untouched();
    expect(rows).toEqual([{ invoices: '3', customers: '2' }]);
    const merged = await platform.json<Merged>('merge', String(patched.issueId));
    expect(merged).toMatchObject({ kind: 'merged', deployment: { status: 'serving' } });
    const answer = await invoice(4, 'USD');
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.body)).toMatchObject({ orderId: 4, currency: 'USD', billTo: null });
    const { issue, changes } = await detailOf(platform, patched.issueId);
    expect(issue.status satisfies Issue['status']).toBe('resolved');
    expect(changes).toMatchObject([{ status: 'merged' }]);
  });
});

/** What is in the database, once it is reachable again. */
async function untouched() {
  postgres.resume();
  still('unpause', 'rates');
  return postgres.query(
    'SELECT (SELECT count(*) FROM invoices) AS invoices, (SELECT count(*) FROM customers) AS customers',
  );
}

/** Halts the app's processes, or lets them go on. */
function still(how: 'pause' | 'unpause', app: string): void {
  const filters = JSON.stringify({
    label: [`fixpoint.app=${app}`, `fixpoint.owner=${ownerOf(platform.dataDir)}`],
  });
  const docker = (method: string, path: string) =>
    execFileSync('curl', [
      '-s',
      '-X',
      method,
      '--unix-socket',
      '/var/run/docker.sock',
      `http://d${path}`,
    ]);
  const found = docker('GET', `/containers/json?filters=${encodeURIComponent(filters)}`).toString();
  for (const { Id, State } of JSON.parse(found) as { Id: string; State: string }[]) {
    const already = (State === 'paused') === (how === 'pause');
    if (!already) docker('POST', `/containers/${Id}/${how}`);
  }
}

/** Numbers of the checks that the change request lists. */
function numbered({ body }: Change): number[] {
  return [...body.matchAll(/^\| *(\d+) *\|/gm)].map((found) => Number(found[1]));
}

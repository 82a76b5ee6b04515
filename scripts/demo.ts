// The tour of the README, run for real: every line printed below a `$` came from that command.
// `--keep` leaves the platform running; `--verbose` shows the server's log; `orders` or `inbox`
// tells one of the two stories only.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type HttpAnswer, Platform, until } from '../test/parts/platform.ts';
import { freePort } from '../test/parts/ports.ts';
import { startPostgres, type TestPostgres } from '../test/parts/postgres.ts';

const root = join(import.meta.dirname, '..');
const keep = process.argv.includes('--keep');
const stories = ['orders', 'inbox'].filter((name) => process.argv.includes(name));
const startedAt = performance.now();
const durations: { stage: string; seconds: number }[] = [];

interface IssueRow {
  id: number;
  app: string;
  status: string;
}

async function main(): Promise<number> {
  const ports = { apiPort: await freePort(), routerPort: await freePort() };
  const platform = new Platform({ ...ports, verbose: process.argv.includes('--verbose') });
  let postgres: TestPostgres | null = null;
  const cleanUp = async () => {
    await platform.stop();
    await postgres?.stop();
  };
  const interrupted = () => void cleanUp().finally(() => process.exit(130));
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  let code = 1;
  try {
    await stage('Starting the platform (server, PostgreSQL, sensor, router)', () => platform.up());
    if (stories.length === 0 || stories.includes('orders')) {
      postgres = await stage('Starting a database for the sample app', startPostgres);
      await ordersStory(platform, postgres);
    }
    if (stories.length === 0 || stories.includes('inbox')) await inboxStory(platform);
    summary();
    code = 0;
  } catch (error) {
    console.error(`\nThe demo stopped: ${(error as Error).message}`);
    console.error(`\nThe end of the server's log:\n${platform.log.slice(-3000)}`);
  }
  if (keep) {
    keepRunning(platform);
    await new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  }
  process.removeListener('SIGINT', interrupted).removeListener('SIGTERM', interrupted);
  await cleanUp();
  return code;
}

/** A TypeScript service with a database and a second service; a null that one path forgot. */
async function ordersStory(platform: Platform, postgres: TestPostgres): Promise<void> {
  await stage('Deploying rates and orders by git push', async () => {
    await shown(platform, 'apps', 'create', 'rates');
    await pushed(platform, 'rates');
    await shown(platform, 'apps', 'create', 'orders');
    const url = postgres.urlForContainers;
    const settings = [`DATABASE_URL=${url}`, 'RATES_URL=http://rates:3000'];
    await quiet(platform, 'env', 'orders', 'set', ...settings);
    await pushed(platform, 'orders');
  });
  await stage('Ordinary traffic', async () => {
    for (const id of [1, 2, 3]) await asked(platform, 'orders', 'GET', `/orders/${id}`);
    for (const [id, currency] of [
      [2, 'USD'],
      [1, 'GBP'],
      [3, 'USD'],
    ] as const) {
      await asked(platform, 'orders', 'POST', `/orders/${id}/invoices`, { currency });
    }
    await asked(platform, 'orders', 'POST', '/orders', { totalCents: 5900 });
  });
  const failing = () =>
    asked(platform, 'orders', 'POST', '/orders/4/invoices', { currency: 'USD' });
  await stage('The request that fails: an order of a guest, who is no customer', failing);
  await fixed(platform, 'orders', failing, (answer) => answer.status === 201);
}

/** Plain JavaScript without a database; its process dies after it has answered. */
async function inboxStory(platform: Platform): Promise<void> {
  await stage('Deploying inbox by git push', async () => {
    await shown(platform, 'apps', 'create', 'inbox');
    await pushed(platform, 'inbox');
  });
  const webhook = (event: unknown) => asked(platform, 'inbox', 'POST', '/webhooks', event);
  await stage('Ordinary traffic', async () => {
    await webhook({ type: 'push', sender: { login: 'Ada' }, subject: 'First' });
    await webhook({ type: 'issue', sender: { login: 'Grace' }, subject: 'Second' });
    await webhook({ type: 'push', sender: { login: 'Ada' } });
    await asked(platform, 'inbox', 'GET', '/inbox/ada');
  });
  const failing = () => webhook({ type: 'ping', subject: 'no sender' });
  await stage('The request that kills the process: a webhook without a sender', failing);
  await fixed(platform, 'inbox', failing, (answer) => answer.status < 500);
}

/** From the failure to the merged fix, the same for every app. */
async function fixed(
  platform: Platform,
  app: string,
  failing: () => Promise<HttpAnswer>,
  isRight: (answer: HttpAnswer) => boolean,
): Promise<void> {
  const issue = await stage('Detecting it, without any SDK in the app', async () => {
    const found = await until(() => issueOf(platform, app), {
      timeoutMs: 60_000,
      says: 'no issue was detected',
    });
    await shown(platform, 'issue', String(found.id));
    return found;
  });
  const id = String(issue.id);
  await stage('Reproducing, proposing and proving a fix in the sandbox', async () => {
    await shown(platform, 'fix', id);
    const { status } = (await issueOf(platform, app)) ?? {};
    if (status !== 'proposed') throw new Error(`the issue is ${status}, not proposed`);
  });
  await stage('What was tried, and the proof', () => shown(platform, 'issue', id));
  await stage('The change request, as a maintainer sees it', async () => {
    const { changes } = await platform.json<{ changes: { id: number; issueId: number }[] }>(
      'changes',
    );
    const change = changes.find((one) => one.issueId === issue.id);
    await shown(platform, 'change', String(change?.id));
  });
  await stage('Merging it, which deploys it', () => shown(platform, 'merge', id));
  await stage('The same request again', async () => {
    const answer = await failing();
    if (!isRight(answer)) throw new Error(`it still answers ${answer.status}`);
  });
}

async function issueOf(platform: Platform, app: string): Promise<IssueRow | undefined> {
  const { issues } = await platform.json<{ issues: IssueRow[] }>('issues');
  return issues.find((issue) => issue.app === app);
}

/** Runs a stage under its headline and notes how long it took. */
async function stage<T>(name: string, work: () => Promise<T>): Promise<T> {
  console.log(`\n== ${name}`);
  const before = performance.now();
  const result = await work();
  const seconds = (performance.now() - before) / 1000;
  durations.push({ stage: name, seconds });
  console.log(`   (${seconds.toFixed(1)} s)`);
  return result;
}

/** Runs a command of the CLI and shows it with what it prints, as it prints it. */
async function shown(platform: Platform, ...argv: string[]): Promise<void> {
  console.log(`$ fixpoint ${argv.join(' ')}`);
  await run(platform, join(root, 'bin/fixpoint'), argv);
}

/** The same for what holds a password on its command line. */
async function quiet(platform: Platform, ...argv: string[]): Promise<void> {
  const said = argv.map((word) => word.replace(/(:\/\/[^:]+:)[^@]+@/, '$1***@'));
  console.log(`$ fixpoint ${said.join(' ')}`);
  await run(platform, join(root, 'bin/fixpoint'), argv);
}

async function pushed(platform: Platform, app: string): Promise<void> {
  const folder = await platform.repository(join(root, 'examples', app));
  console.log(`$ git push http://fixpoint:TOKEN@127.0.0.1:${platform.apiPort}/git/${app}.git main`);
  await run(platform, 'git', ['-C', folder, 'push', '-q', platform.remote(app), 'main']);
  const { deployments } = await platform.json<{ deployments: { status: string }[] }>(
    'deployments',
    app,
  );
  if (deployments[0]?.status !== 'serving') throw new Error(`${app} was not deployed`);
}

async function asked(
  platform: Platform,
  app: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<HttpAnswer> {
  const answer = await platform.ask(app, method, path, body);
  const sent = body === undefined ? '' : ` ${JSON.stringify(body)}`;
  const text = answer.body.replace(/\s+/g, ' ').slice(0, 100);
  console.log(`   ${method} http://${app}.localhost:${platform.routerPort}${path}${sent}`);
  console.log(`      -> ${answer.status} ${text}`);
  return answer;
}

function run(platform: Platform, file: string, argv: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, { env: platform.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) console.log(`   ${line.trimEnd()}`);
      });
      stream.on('end', () => rest !== '' && console.log(`   ${rest.trimEnd()}`));
    }
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${argv.join(' ')} ended with status ${code}`));
    });
  });
}

function summary(): void {
  console.log('\n== How long it took');
  for (const { stage: name, seconds } of durations) {
    console.log(`   ${seconds.toFixed(1).padStart(6)} s  ${name}`);
  }
  const total = (performance.now() - startedAt) / 1000;
  console.log(`   ${total.toFixed(1).padStart(6)} s  in all, without set-up`);
}

function keepRunning(platform: Platform): void {
  console.log('\nThe platform stays up until you press Ctrl-C. In another terminal:');
  console.log(`   export FIXPOINT_DATA=${platform.dataDir}`);
  console.log(`   export FIXPOINT_URL=http://127.0.0.1:${platform.apiPort}`);
  console.log('   bin/fixpoint issues');
}

process.exitCode = await main();

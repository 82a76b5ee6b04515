/**
 * From a failure in production to the change request that mends it, through the real platform, beside
 * a plain build and start of the same app on the same engine. `node bench/fix.ts [--rounds 3]`
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { dockerEngine } from '../src/engine/docker.ts';
import { tarOf } from '../src/engine/tar.ts';
import { type Platform, startPlatform } from '../test/parts/platform.ts';
import { type Figures, median, printFigures } from './figures.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const rounds = Number(values.rounds);
if (!(rounds >= 1)) throw new Error('--rounds is at least 1');
const pollMs = 50;
const giveUpMs = 600_000;
const app = 'shelf';

interface Issue {
  id: number;
  route: string | null;
  status: string;
  reason: string | null;
}

/** Milliseconds after the failing request. */
interface Fix {
  issueMs: number;
  reproducedMs: number;
  changeMs: number;
}

const dockerfile = `FROM node:24-bookworm-slim
WORKDIR /app
COPY . .
ENV PORT=3000
EXPOSE 3000
CMD ["node", "server.js"]
`;

const server = `const http = require('node:http');
const shelves = require('./shelves');

const server = http.createServer((req, res) => {
  const [, kind, id] = req.url.split('/');
  if (kind === 'health') return send(res, 200, { ok: true });
  const shelf = shelves[kind];
  if (!shelf) return send(res, 404, { error: 'no such shelf' });
  try {
    send(res, 200, shelf.describe(id));
  } catch (error) {
    console.error(error);
    send(res, 500, { error: 'internal error' });
  }
});

function send(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}

server.listen(Number(process.env.PORT ?? 3000), () => console.log('listening'));
process.on('SIGTERM', () => server.close());
`;

/** The third one has no owner: a null that its author did not think of. */
function shelf(kind: string): string {
  return `const ${kind} = [
  { title: 'First', owner: { email: 'Ada@Example.com' } },
  { title: 'Second', owner: { email: 'Grace@Example.com' } },
  { title: 'Third', owner: null },
];

function describe(id) {
  const found = ${kind}[Number(id) - 1];
  return { title: found.title, owner: found.owner.email.toLowerCase() };
}

module.exports = { describe };
`;
}

/** One shelf per round, each with its own failure, and so its own issue. */
function filesOf(kinds: readonly string[]): Record<string, string> {
  const lines = kinds.map((kind) => `  ${kind}: require('./${kind}'),\n`);
  return {
    Dockerfile: dockerfile,
    'package.json': JSON.stringify({ name: app, version: '1.0.0', private: true }, null, 2),
    'server.js': server,
    'shelves.js': `module.exports = {\n${lines.join('')}};\n`,
    ...Object.fromEntries(kinds.map((kind) => [`${kind}.js`, shelf(kind)])),
  };
}

const names = ['books', 'films', 'games', 'maps', 'plays', 'poems', 'songs', 'tales'];
const kinds = Array.from({ length: rounds }, (_, n) => {
  return `${names[n % names.length]}${n < names.length ? '' : n}`;
});
const platform = await startPlatform();
try {
  printFigures('fix', await measured());
} finally {
  await platform.stop();
}

async function measured(): Promise<Figures> {
  await deployed();
  const fixes: Fix[] = [];
  const plain: number[] = [];
  for (const kind of kinds) {
    plain.push(await plainMs());
    fixes.push(await fixOf(platform, kind));
  }
  const plainMedian = median(plain);
  const figure = (of: (fix: Fix) => number) => ({
    value: median(fixes.map(of)) / 1000,
    unit: 's',
    ratio: median(fixes.map((fix, n) => of(fix) / plain[n]!)),
    against: 'of a plain build and start',
  });
  return {
    plain_build_and_start: { value: plainMedian / 1000, unit: 's', ratio: 1 },
    failure_to_issue: figure((fix) => fix.issueMs),
    issue_to_reproduction: figure((fix) => fix.reproducedMs - fix.issueMs),
    reproduction_to_change: figure((fix) => fix.changeMs - fix.reproducedMs),
    failure_to_change: figure((fix) => fix.changeMs),
  };
}

async function deployed(): Promise<void> {
  await platform.json('apps', 'create', app);
  const pushed = await platform.push(await platform.repositoryOf(filesOf(kinds)), app);
  if (pushed.code !== 0) throw new Error(pushed.stderr);
  // Some ordinary traffic: what works has to keep working.
  for (const kind of kinds) await ask(`/${kind}/1`, 200);
  for (const kind of kinds) await ask(`/${kind}/2`, 200);
}

async function fixOf(on: Platform, kind: string): Promise<Fix> {
  const startedMs = performance.now();
  const passedMs = () => performance.now() - startedMs;
  await ask(`/${kind}/3`, 500);
  const of = async () => {
    const { issues } = await on.get<{ issues: Issue[] }>(`/issues?app=${app}`);
    return issues.find(({ route }) => route?.includes(`/${kind}/`));
  };
  await seen(on, `no issue for ${kind}`, async () => (await of()) !== undefined);
  const issueMs = passedMs();
  await seen(on, 'not reproduced', async () => {
    const issue = await of();
    return issue !== undefined && issue.status !== 'open' && issue.status !== 'reproducing';
  });
  const reproducedMs = passedMs();
  await seen(on, 'no change request', async () => {
    const { status, reason } = (await of())!;
    const over = ['no-fix', 'not-replayable', 'not-reproduced', 'resolved'].includes(status);
    if (over) throw new Error(`${kind} ended as ${status}: ${reason}`);
    return status === 'proposed';
  });
  return { issueMs, reproducedMs, changeMs: passedMs() };
}

async function seen(on: Platform, says: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + giveUpMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`${says}:\n${on.log.slice(-3000)}`);
    await sleep(pollMs);
  }
}

async function ask(path: string, status: number): Promise<void> {
  const answer = await platform.ask(app, 'GET', path);
  if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${answer.body}`);
}

/** What anybody needs to see a change run: an image of changed files, and a container that answers. */
async function plainMs(): Promise<number> {
  const engine = dockerEngine();
  const labels = { 'fixpoint.test': 'bench-fix' };
  const files = { ...filesOf(kinds), 'change.txt': randomUUID() };
  const context = await tarOf(Object.entries(files).map(([path, bytes]) => ({ path, bytes })));
  const startedMs = performance.now();
  const built = await engine.build({ context, dockerfile: 'Dockerfile', labels });
  if (built.kind === 'failed') throw new Error(built.reason);
  const { imageId: image } = built;
  const network = { kind: 'network' as const, name: 'bridge', aliases: [] };
  const id = await engine.create({ image, labels, network });
  try {
    await engine.start(id);
    const address = (await engine.inspect(id))?.addresses.bridge;
    while (!(await answers(`http://${address}:3000/health`))) {
      if (performance.now() - startedMs > giveUpMs)
        throw new Error('the plain app does not answer');
      await sleep(10);
    }
    return performance.now() - startedMs;
  } finally {
    await engine.remove(id);
    await engine.removeImage(image);
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}

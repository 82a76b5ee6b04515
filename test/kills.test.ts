// kill -9 of the sensor and of the server, again and again under load: the app never notices, and what
// was not recorded is declared. FIXPOINT_TEST_KILLS says how often; 100 take about eight minutes.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Issue, Status } from '../src/api/contract.ts';
import { type Platform, startPlatform, until } from './parts/platform.ts';
import { dockerfile } from './parts/shelf.ts';

const app = 'steady';
const kills = Number(process.env.FIXPOINT_TEST_KILLS ?? 10);
const lanes = 4;
/** One request in so many fails: about one in two seconds, so that each is looked into. */
const failEvery = 700;
/** Each failure has a function of its own in the app, and so an issue of its own. */
const sites = 1000;
/** The clocks of this process and of the server's files are one; timers are late by as much. */
const slackUs = 100_000;

const siteOf = (_: unknown, n: number) =>
  `  function fail${n}(id) { throw new TypeError('no luck with ' + id); },\n`;
const server = `const { createHash } = require('node:crypto');
const http = require('node:http');
const fail = [
${Array.from({ length: sites }, siteOf).join('')}];
http.createServer((req, res) => {
  const [, kind, id] = req.url.split('/');
  try {
    if (kind === 'fail') fail[id].call(null, id);
    res.end(createHash('sha256').update(req.url).digest('hex'));
  } catch (error) {
    console.error(error);
    res.writeHead(500);
    res.end('failed');
  }
}).listen(Number(process.env.PORT));
`;

interface Failure {
  id: string;
  sentAt: number;
  answeredAt: number;
}

let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform({ settings: { FIXPOINT_FIX_AUTOMATIC: 'no' } });
  const folder = await platform.repositoryOf({ Dockerfile: dockerfile, 'server.js': server });
  await platform.json('apps', 'create', app);
  const pushed = await platform.push(folder, app);
  expect(pushed.code, pushed.stderr).toBe(0);
});

afterAll(() => platform?.stop());

it(`is not noticed by the app, ${kills} times, and every time without recording is declared`, async () => {
  const load = new Load();
  const killedAt: number[] = [];
  for (let count = 0; count < kills; count++) {
    await sleep(800 + 371 * (count % 5));
    killedAt.push(Date.now() * 1000);
    if (count % 2 === 0) await killSensor();
    else {
      await platform.kill();
      await sleep(50 * (count % 5));
      await platform.up();
    }
  }
  await sleep(3000);
  const { failures, answers, problems } = await load.stop();
  expect(problems).toEqual([]);
  expect(answers).toBeGreaterThan(100 * kills);

  const { interruptions } = await until(declared, {
    timeoutMs: 30_000,
    says: 'an interruption goes on although everything runs',
  });
  const isDeclared = (from: number, to: number) =>
    interruptions.some((each) => each.from <= to + slackUs && each.to! >= from - slackUs);
  expect(killedAt.filter((at) => !isDeclared(at, at))).toEqual([]);

  // Whoever failed while it was recorded has an issue.
  const certain = failures.filter((each) => !isDeclared(each.sentAt, each.answeredAt));
  expect(certain.length).toBeGreaterThan(kills / 8);
  await until(async () => (await missing(certain)).length === 0, {
    timeoutMs: 20_000,
    says: 'failures outside of every declared interruption have no issue',
    detail: async () =>
      (await missing(certain)).map((each) => near(each, interruptions)).join('\n'),
  });
  const counted = failures.length - (await missing(failures)).length;
  const lost = interruptions.reduce((sum, { from, to }) => sum + (to! - from), 0) / 1e6;
  console.log(
    `${kills} kills, ${answers} answers, none wrong; ${failures.length} failures, ` +
      `${counted} with an issue, ${certain.length} of them outside of the ` +
      `${interruptions.length} declared interruptions (${lost.toFixed(1)} s in all)`,
  );
}, 1_800_000);

/** The status once nothing is interrupted any more. */
async function declared(): Promise<Status | null> {
  const status = await platform.json<Status>('status');
  return status.interruptions.every(({ to }) => to !== null) ? status : null;
}

/** When it failed, beside what was declared before and after. */
function near({ id, sentAt }: Failure, interruptions: Status['interruptions']): string {
  const after = interruptions.filter(({ from }) => from > sentAt).map(({ from }) => from);
  const before = interruptions.filter(({ to }) => to! < sentAt).map(({ to }) => to!);
  const since = (sentAt - Math.max(...before)) / 1000;
  const until = (Math.min(...after) - sentAt) / 1000;
  return `${id}: ${since} ms after an interruption, ${until} ms before the next`;
}

/** Those that no issue is about. */
async function missing(failures: readonly Failure[]): Promise<Failure[]> {
  const { issues } = await platform.get<{ issues: Issue[] }>('/issues');
  const found = new Set(issues.map(({ title }) => /no luck with (\d+)/.exec(title)?.[1]));
  return failures.filter(({ id }) => !found.has(id));
}

/** The sensor of this platform's server, by the kernel's list of processes. */
async function killSensor(): Promise<void> {
  const found = await until(
    async () => {
      const text = execFileSync('ps', ['-eo', 'pid=,ppid=,comm='], { encoding: 'utf8' });
      const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
      const own = lines.find(
        ([, parent, name]) =>
          Number(parent) === platform.pid && name?.startsWith('fixpoint-sensor'),
      );
      return own === undefined ? null : Number(own[0]);
    },
    {
      timeoutMs: 20_000,
      says: 'the server has no sensor',
      detail: () => platform.log.slice(-2000),
    },
  );
  expect(readFileSync(`/proc/${found}/comm`, 'utf8')).toContain('fixpoint-sensor');
  process.kill(found, 'SIGKILL');
}

/** Clients that ask one request after the other and check each answer. */
class Load {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: lanes });
  readonly #failures: Failure[] = [];
  readonly #problems: string[] = [];
  readonly #done: Promise<unknown>;
  #answers = 0;
  #site = 0;
  #stopping = false;

  constructor() {
    this.#done = Promise.all(Array.from({ length: lanes }, (_, lane) => this.#run(lane)));
  }

  async stop() {
    this.#stopping = true;
    await this.#done;
    this.#agent.destroy();
    return { failures: this.#failures, answers: this.#answers, problems: this.#problems };
  }

  async #run(lane: number): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const fails = (n + lane * 175) % failEvery === failEvery - 1;
      const id = fails ? String(this.#site++ % sites) : `${lane}-${n}`;
      const path = `/${fails ? 'fail' : 'work'}/${id}`;
      const sentAt = Date.now() * 1000;
      const { status, body } = await this.#ask(path).catch((error: Error) => {
        return { status: 0, body: error.message };
      });
      const answeredAt = Date.now() * 1000;
      this.#answers++;
      if (fails) this.#failures.push({ id, sentAt, answeredAt });
      const wanted = fails
        ? { status: 500, body: 'failed' }
        : { status: 200, body: createHash('sha256').update(path).digest('hex') };
      if (status !== wanted.status || body !== wanted.body) {
        this.#problems.push(
          `${path} at ${new Date(answeredAt / 1000).toISOString()}: ${status} ${body}`,
        );
      }
      await sleep(10);
    }
  }

  #ask(path: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const headers = { host: `${app}.localhost` };
      const to = {
        host: '127.0.0.1',
        port: platform.routerPort,
        agent: this.#agent,
        path,
        headers,
      };
      const sent = request(to, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      });
      sent.setTimeout(10_000, () => sent.destroy(new Error('no answer in 10 s')));
      sent.on('error', reject);
      sent.end();
    });
  }
}

/**
 * What replaying costs: a sandbox without its app, whole replays, and many exchanges in one boot,
 * each beside plain containers of the same engine in the same run. `node bench/replay.ts`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from '../src/domain/outcome.ts';
import { prepareAssets } from '../src/replay/assets.ts';
import { fakeApps, locateBelowApp } from '../src/replay/fake-app.ts';
import * as fake from '../src/replay/fake-recording.ts';
import { SandboxPool } from '../src/replay/pool.ts';
import type { ManyOptions, ManyReplayer, ManyRequest } from '../src/replay/replay.ts';
import { createReplayer, replayerDefaults } from '../src/replay/replayer.ts';
import { openSandbox } from '../src/replay/sandbox.ts';
import { type Figures, median, printFigures } from './figures.ts';

const upstream = { address: '172.30.0.9', port: 8080 };
const self = { address: '172.30.0.5', port: 3000 };
const runs = 5;
const lanes = 2;
const replays = 12;
const exchanges = 150;
const refillMs = 2500;
const against = 'of a plain container that starts, ends and is removed';

/** Passes each request on to another service and its answer back. */
const app = `
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true });
http.createServer((request, response) => {
  http.get('http://${upstream.address}:${upstream.port}' + request.url, { agent }, (answer) => {
    response.writeHead(answer.statusCode, { 'Content-Type': 'text/plain' });
    answer.pipe(response);
  });
}).listen(${self.port});
`;

const apps = fakeApps();
const { engine } = apps;
const directory = await mkdtemp(join(tmpdir(), 'fixpoint-bench-'));
const replayer = await createReplayer({ engine, directory, warm: lanes });
const figures: Figures = {};
try {
  await measure();
} finally {
  await replayer.close();
  await apps.removeAll();
  await rm(directory, { recursive: true, force: true });
}
printFigures('replay', figures);

async function measure(): Promise<void> {
  const imageId = await apps.build(app);
  const plainMs = await medianOf(() => plainRun(imageId));
  const time = (name: string, ms: number) => {
    figures[name] = { value: ms, unit: 'ms', ratio: ms / plainMs, against };
  };
  time('plain_container', plainMs);
  const ready = await readyTimes();
  time('sandbox_ready_cold', ready.coldMs);
  time('sandbox_ready_warm', ready.warmMs);
  await replayer.replay({ ...optionsOf(imageId), ...requestOf(0, 100) }); // learns the image
  time('replay_warm', await medianOf(() => replayOnce(replayer, imageId), refillMs));
  await sleep(refillMs);
  const tookMs = await timed(() => inLanes(() => replayOnce(replayer, imageId)));
  const perSecond = (replays * 1000) / tookMs;
  figures.replays = {
    ...{ value: perSecond, unit: '1/s', ratio: (perSecond * plainMs) / 1000 },
    against: `of plain containers one by one, ${lanes} replays at once`,
  };
  for (const [name, bytes] of [
    ['150_small', 100],
    ['150_of_1_mb', 1 << 20],
  ] as const) {
    const requests = Array.from({ length: exchanges }, (_, i) => requestOf(i, bytes));
    await sleep(refillMs);
    time(
      `exchanges_${name}`,
      await timed(async () => {
        const outcomes = await replayer.replayMany(optionsOf(imageId), requests);
        outcomes.forEach((outcome) => {
          mustHaveSucceeded(outcome, bytes);
        });
      }),
    );
  }
}

/** From asking for a sandbox until its world listens for the app, which is not started. */
async function readyTimes(): Promise<{ coldMs: number; warmMs: number }> {
  const place = await mkdtemp(join(tmpdir(), 'fixpoint-bench-'));
  const sandboxImage = replayerDefaults.sandboxImage;
  const assets = await prepareAssets({ engine, sandboxImage, directory: place });
  const open = () =>
    openSandbox({ ...replayerDefaults, engine, assets, image: sandboxImage, owner: 'bench' });
  const once = async (size: number) => {
    const pool = new SandboxPool({ open, size, usesMax: 1, attemptsMax: 1, retryDelayMs: 0 });
    pool.fill();
    if (size > 0) await sleep(refillMs);
    const boot = fake.recording([requestOf(0, 100).trigger.connections[1]!]);
    const tookMs = await timed(async () => {
      const sandbox = await pool.take();
      await sandbox.link.call('begin', { appPort: self.port, boot, bodyBytesMax: 1 << 20 });
      pool.giveBack(sandbox, { isSound: true });
    });
    await pool.close();
    return tookMs;
  };
  try {
    const [cold, warm]: [number[], number[]] = [[], []];
    for (let run = 0; run < runs; run++) {
      cold.push(await once(0));
      warm.push(await once(1));
    }
    return { coldMs: median(cold), warmMs: median(warm) };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** A container of the same image that starts, ends at once and is removed. */
async function plainRun(image: string): Promise<void> {
  const labels = { 'fixpoint.test': 'bench' };
  const id = await engine.create({ image, labels, network: { kind: 'none' }, command: ['true'] });
  await engine.start(id);
  await engine.wait(id);
  await engine.remove(id);
}

async function replayOnce(on: ManyReplayer, imageId: string): Promise<void> {
  mustHaveSucceeded(await on.replay({ ...optionsOf(imageId), ...requestOf(0, 100) }), 100);
}

function mustHaveSucceeded(outcome: Outcome, bytes: number): void {
  const length = outcome.kind === 'succeeded' ? outcome.observed.answer?.body.length : null;
  if (length !== bytes) throw new Error(JSON.stringify(outcome).slice(0, 2000));
}

/** One request that the app passes on, and its answer of so many bytes. */
function requestOf(number: number, bytes: number): ManyRequest {
  const path = `/things/${number}`;
  const answer = fake.httpAnswer('x'.repeat(bytes));
  const client = { address: '203.0.113.7', port: 50000 };
  const host = `${upstream.address}:${upstream.port}`;
  const passedOn = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`;
  const connections = [
    fake.connection({
      ...{ id: 'trigger', direction: 'inbound', client, server: self },
      talk: [
        ['>', fake.httpRequest(`GET ${path}`)],
        ['<', answer],
      ],
    }),
    fake.connection({
      id: 'call',
      server: upstream,
      talk: [
        ['>', passedOn],
        ['<', answer],
      ],
    }),
  ];
  return { trigger: fake.recording(connections, { trigger: 'trigger' }), siblings: [] };
}

function optionsOf(imageId: string): ManyOptions {
  const release = fake.release({ imageId, port: self.port });
  return { release, imageId, env: {}, boot: fake.recording([]), locate: locateBelowApp };
}

async function inLanes(run: () => Promise<void>): Promise<void> {
  let begun = 0;
  const lane = async () => {
    while (begun++ < replays) await run();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

async function medianOf(run: () => Promise<void>, pauseMs = 0): Promise<number> {
  const took: number[] = [];
  for (let count = 0; count < runs; count++) {
    await sleep(pauseMs);
    took.push(await timed(run));
  }
  return median(took);
}

/**
 * What it costs to keep a recording and to find one again, by how many are stored already: linear to
 * write, flat to find. `node bench/record-store.ts [--up-to 10000] [--tries 200]`: sizes are the powers
 * of ten up to there. Each recording is one exchange with one call.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Recording } from '../src/domain/recording.ts';
import { connection, httpAnswer, httpRequest, recording } from '../src/replay/fake-recording.ts';
import { openTestStore } from '../src/store/fake.ts';
import { encodeRecording } from '../src/store/recordings/file.ts';
import { sealerOf } from '../src/store/seal.ts';
import type { Store } from '../src/store/store.ts';
import { type Figures, median, printFigures } from './figures.ts';

const apps = 5;
const routes = 40;
/** Recordings that are kept at once while the store is filled, as several apps would. */
const lanes = 8;

const { values } = parseArgs({
  options: {
    'up-to': { type: 'string', default: '10000' },
    tries: { type: 'string', default: '200' },
  },
});
const upTo = Number(values['up-to']);
const tries = Number(values.tries);
if (!(upTo >= 1000) || !(tries >= 10)) throw new Error('--up-to is 1000 or more, --tries 10');

const figures: Figures = {};
const folder = await mkdtemp(join(tmpdir(), 'fixpoint-bench-store-'));
const store = await openTestStore();
let stored = 0;
const ids: string[] = [];
try {
  for (let size = 1000; size <= upTo; size *= 10) {
    await fill(store, size);
    await measure(store, size);
  }
  printFigures('record-store', figures);
} finally {
  await store.close();
  await rm(folder, { recursive: true, force: true });
}

async function fill(into: Store, size: number): Promise<void> {
  const from = performance.now();
  const before = stored;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (stored < size) {
        const n = stored++;
        const made = recordingOf(n);
        await into.recordings.keep(made);
        if (ids.length < 100_000) ids.push(made.id);
        if (n % 10_000 === 9_999) process.stderr.write(`${n + 1} of ${upTo} are stored\n`);
      }
    }),
  );
  const ms = (performance.now() - from) / (size - before);
  const first = figures.fill_1000?.value ?? ms;
  const ratio = ms / first;
  figures[`fill_${size}`] = {
    value: ms,
    unit: 'ms',
    ratio,
    against: `of the first 1000, ${lanes} at once`,
  };
}

/** One at a time: what each costs in wall-clock time, the middle of many. */
async function measure(from: Store, size: number): Promise<void> {
  const any = () => ids[Math.floor(Math.random() * ids.length)]!;
  const route = () => `GET /things/:id/${Math.floor(Math.random() * routes)}`;
  const bare = await timed(() => appended());
  const kept = await timed(async () => {
    await from.recordings.keep(recordingOf(stored++));
  });
  figures[`keep_${size}`] = {
    value: kept,
    unit: 'ms',
    ratio: kept / bare,
    against: 'of appending and syncing the same bytes',
  };
  const found = {
    load: () => from.recordings.load(any()),
    newest: () => from.recordings.list({ limit: 50 }),
    newest_of_route: () => from.recordings.list({ app: 'app-1', route: route(), limit: 20 }),
    prefix: () => from.recordings.idsStartingWith(any().slice(0, 8), 2),
  };
  for (const [name, find] of Object.entries(found)) {
    const ms = await timed(find);
    const least = figures[`${name}_1000`]?.value ?? ms;
    figures[`${name}_${size}`] = {
      value: ms,
      unit: 'ms',
      ratio: ms / least,
      against: 'of the same with 1000',
    };
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const tookMs: number[] = [];
  for (let n = 0; n < tries; n++) {
    const startedMs = performance.now();
    await work();
    tookMs.push(performance.now() - startedMs);
  }
  return median(tookMs);
}

/** The baseline: the bytes of a recording at the end of one file, durable. */
async function appended(): Promise<void> {
  const sealer = sealerOf(randomBytes(32));
  const file = await open(join(folder, 'log'), 'a');
  try {
    await file.write(await encodeRecording(recordingOf(0), sealer));
    await file.sync();
  } finally {
    await file.close();
  }
}

function recordingOf(n: number): Recording {
  const web = connection({
    ...{ id: 'c1', direction: 'inbound', server: { address: '10.0.0.5', port: 3000 } },
    talk: [
      ['>', httpRequest(`GET /things/${n}/${n % routes}`)],
      ['<', httpAnswer({ id: n, name: randomBytes(60).toString('hex') })],
    ],
  });
  const api = connection({
    ...{ id: 'c2', server: { address: '10.0.0.9', port: 80 } },
    talk: [
      ['>', httpRequest(`GET /rates/${n}`)],
      ['<', httpAnswer({ rate: n })],
    ],
  });
  return {
    ...recording([web, api], { trigger: 'c1' }),
    ...{ id: randomUUID(), app: `app-${n % apps}`, route: `GET /things/:id/${n % routes}` },
    ...{ kind: 'sample', from: 1_700_000_000_000_000 + n * 1000 },
  };
}

// What is old or too much goes, newest last; what unresolved issues and serving releases need stays.
import { describe, expect, it } from 'vitest';
import { silent } from '../domain/logger.ts';
import type { RecordingKind, RecordingSummary } from '../domain/recording.ts';
import { now } from '../domain/time.ts';
import type { Store } from '../store/store.ts';
import { neededReleases, tidyUp } from './retention.ts';

const day = 86_400_000_000;

function summary(id: string, ageDays: number, kind: RecordingKind = 'sample', release = 1) {
  const to = now() - ageDays * day;
  return {
    id,
    kind,
    app: 'shop',
    releaseNumber: release,
    to,
    storedBytes: 100,
  } as RecordingSummary;
}

function storeOf(recordings: RecordingSummary[], reproducedId: string | null, serving: number) {
  const removed: string[] = [];
  const issues = [
    { id: 1, status: 'proposed', lastRelease: 3 },
    { id: 2, status: 'resolved', lastRelease: 2 },
  ];
  const store = {
    recordings: {
      async *pages() {
        const newestFirst = [...recordings].sort((a, b) => b.to - a.to);
        for (let at = 0; at < newestFirst.length; at += 2) yield newestFirst.slice(at, at + 2);
      },
      remove: async (id: string) => void removed.push(id),
    },
    issues: { list: async () => issues },
    reproductions: { get: async (id: number) => (id === 1 ? { recordingId: reproducedId } : null) },
    instances: { list: async () => [{ releaseNumber: serving }] },
  } as unknown as Store;
  return { store, removed };
}

const limits = { recordingDays: 30, recordingsBytesMax: 10_000 };

describe('retention', () => {
  it('removes what is too old, except what is needed', async () => {
    const recordings = [
      summary('new', 1),
      summary('old', 40),
      summary('reproduced', 50, 'failure'),
      summary('boot of what serves', 60, 'boot', 7),
      summary('boot of an open issue', 60, 'boot', 3),
      summary('boot of a resolved issue', 60, 'boot', 2),
    ];
    const { store, removed } = storeOf(recordings, 'reproduced', 7);
    const done = await tidyUp({ store, logger: silent, limits });
    expect(removed).toEqual(['old', 'boot of a resolved issue']);
    expect(done).toEqual({ recordings: 2, bytes: 200 });
  });

  it('keeps the newest that fit into the space', async () => {
    const recordings = [1, 2, 3, 4, 5].map((age) => summary(`age ${age}`, age));
    const { store, removed } = storeOf(recordings, null, 1);
    await tidyUp({ store, logger: silent, limits: { ...limits, recordingsBytesMax: 300 } });
    expect(removed).toEqual(['age 4', 'age 5']);
  });

  it('knows the releases whose images have to stay', async () => {
    const { store } = storeOf([], null, 1);
    expect(await neededReleases(store, 'shop')).toEqual(new Set([3]));
  });
});

/** What is filed, what is kept, and what is only counted. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Issue, Occurrence } from '../domain/failure.ts';
import type { Recording } from '../domain/recording.ts';
import type { Filed, Store } from '../store/store.ts';
import type { Locate, Suspicion } from '../symptoms/symptoms.ts';
import { type DetectLimits, detect } from './detect.ts';

const locate: Locate = async ({ file, line, column, function: name }) =>
  file.includes('node:')
    ? null
    : { file: `src${file}`, function: name, line, column, text: `line ${line}`, inApp: true };

let issues: Issue[];
let occurrences: Occurrence[];
let recordings: Map<string, Recording>;
let reproduced: string | null;

beforeEach(() => {
  issues = [];
  occurrences = [];
  recordings = new Map();
  reproduced = null;
});

describe('detect', () => {
  it('files what failed, with its recording and its place', async () => {
    const filed = await run(suspicion('r1'));
    expect(filed).toMatchObject({ news: 'new', occurrence: { recordingId: 'r1' } });
    expect(filed!.issue.title).toBe("TypeError: no 'email' in draft (src/a.js)");
    expect(filed!.occurrence.failure).toMatchObject({ kind: 'server-error', status: 500 });
    expect([...recordings.keys()]).toEqual(['r1']);
  });

  it('files an answer without a trace by its route', async () => {
    const filed = await run(suspicion('r1', { log: [] }));
    expect(filed!.issue.title).toBe('Answered 500 in GET /a/:id');
  });

  it('files nothing when nothing failed', async () => {
    expect(await run(suspicion('r1', { log: [], status: 200 }))).toBeNull();
    expect(recordings.size).toBe(0);
  });

  it('keeps a title on one line whatever the message is', async () => {
    const text = `Error: a\u0000b\u001b[31m\u202e ${'x'.repeat(500)}`;
    const log = [line(text), line('    at f (/a.js:1:1)')];
    const { title } = (await run(suspicion('r1', { log })))!.issue;
    expect(title).toMatch(/^Error: a b \[31m x+…$/);
    expect(title.length).toBe(200);
  });

  it('files what failed also when the disk is full, and says so', async () => {
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const filed = await run(suspicion('r1'), {}, full);
    expect(filed).toMatchObject({ news: 'new', occurrence: { recordingId: null } });
    expect(filed!.unkept).toBe('the disk is full (ENOSPC)');
    expect(recordings.size).toBe(0);
    await expect(run(suspicion('r2'), {}, new Error('a bug'))).rejects.toThrow('a bug');
    expect((await run(suspicion('r3')))!.unkept).toBeNull();
  });

  it('counts every failure of a flood', async () => {
    await run({ ...suspicion('r1'), repeats: 41 });
    await run({ ...suspicion('r2'), recording: null, repeats: 7 });
    expect(issues[0]!.count).toBe(50);
  });

  it('keeps so many recordings of one issue, then renews the oldest but the first', async () => {
    const limits = { recordingsPerIssueMax: 3, renewAfterMs: 1000 };
    for (let n = 1; n <= 5; n++) await run(suspicion(`r${n}`, { at: n }), limits);
    expect([...recordings.keys()]).toEqual(['r1', 'r2', 'r3']);
    expect(occurrences.map(({ recordingId }) => recordingId)).toEqual([
      ...['r1', 'r2', 'r3'],
      ...[null, null],
    ]);
    await run(suspicion('r6', { at: 2_000_000 }), limits);
    expect([...recordings.keys()]).toEqual(['r1', 'r3', 'r6']);
    reproduced = 'r3';
    await run(suspicion('r7', { at: 4_000_000 }), limits);
    expect([...recordings.keys()]).toEqual(['r1', 'r3', 'r7']);
    expect(issues[0]!.count).toBe(7);
  });
});

/** `error` is what keeping its recording throws. */
function run(from: Suspicion, limits: Partial<DetectLimits> = {}, error: Error | null = null) {
  return detect({ suspicion: from, locate, store: fakeStore(error), limits });
}

function line(text: string) {
  return { at: 1, stream: 'stderr' as const, text };
}

function suspicion(id: string, more: Partial<Suspicion['symptoms']> = {}): Suspicion {
  return {
    app: 'shop',
    releaseNumber: 1,
    instanceId: 'i1',
    symptoms: {
      at: 1,
      status: 500,
      route: 'GET /a/:id',
      log: [line("TypeError: no 'email'"), line('    at draft (/a.js:5:3)')],
      exit: null,
      ...more,
    },
    recording: { id, releaseNumber: 1 } as Recording,
    repeats: 0,
  };
}

function fakeStore(error: Error | null) {
  return {
    recordings: {
      async keep(recording: Recording) {
        if (error !== null) throw error;
        recordings.set(recording.id, recording);
      },
      summary: async (id: string) => recordings.get(id) ?? null,
      remove: async (id: string) => void recordings.delete(id),
    },
    reproductions: { get: async () => (reproduced === null ? null : { recordingId: reproduced }) },
    issues: {
      list: async () => issues,
      occurrences: async () =>
        occurrences.map((each) => ({ ...each, at: each.failure.at })).sort((a, b) => b.at - a.at),
      async file(options: Parameters<Store['issues']['file']>[0]): Promise<Filed> {
        const { failure, title, count = 1 } = options;
        let issue = issues.find((each) => each.fingerprint === failure.fingerprint);
        const news = issue === undefined ? 'new' : 'known';
        if (issue === undefined) {
          issue = { id: 1, fingerprint: failure.fingerprint, title, count: 0 } as Issue;
          issues.push(issue);
        }
        issue.count += count;
        const occurrence = { ...options, issueId: 1, at: failure.at } as unknown as Occurrence;
        occurrences.push(occurrence);
        return { issue, occurrence, news };
      },
    },
  } as unknown as Store;
}

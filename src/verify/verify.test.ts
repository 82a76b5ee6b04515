// The whole verdict on one patch, with a real repository and a replayer that plays its part.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome, Raised } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { BuildResult } from '../engine/engine.ts';
import { openRepository } from '../git/bare.ts';
import type { Repository } from '../git/repository.ts';
import {
  connection,
  httpAnswer,
  httpRequest,
  recording,
  release,
} from '../replay/fake-recording.ts';
import type { ReplayOptions } from '../replay/replay.ts';
import { unifiedDiff } from '../source/write.ts';
import { type VerifyOptions, verify } from './verify.ts';

const source = 'export function show(order) {\n  return { name: order.customer.name };\n}\n';
const mended = source.replace('order.customer', '(order.customer ?? order.owner)');
const diff = unifiedDiff([{ path: 'src/app.js', before: source, after: mended }]);

let folder: string;
let repository: Repository;
let commit: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-verify-'));
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@example.org', '-c', 'init.defaultBranch=m'];
  const git = (...argv: string[]) =>
    execFileSync('git', [...who, ...argv], { cwd: folder, encoding: 'utf8' }).trim();
  git('init', '-q');
  await mkdir(join(folder, 'src'));
  await writeFile(join(folder, 'src/app.js'), source);
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\n');
  git('add', '.');
  git('commit', '-q', '-m', 'All');
  commit = git('rev-parse', 'HEAD');
  repository = await openRepository(join(folder, '.git'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function recorded(id: string, answer: string): Recording {
  const inbound = connection({
    ...{ id, direction: 'inbound', server: { address: '172.30.0.5', port: 3000 } },
    talk: [
      ['>', httpRequest(`GET /orders/${id}`)],
      ['<', answer],
    ],
  });
  return { ...recording([inbound], { trigger: id }), route: 'GET /orders/:id' };
}

const boot = recording([]);
const trigger = recorded('7', httpAnswer({ error: 'internal' }, '500 Internal Server Error'));
const siblings = [
  recorded('1', httpAnswer({ name: 'Ada' })),
  recorded('2', httpAnswer({ name: 'Bob' })),
];
const raised: Raised = {
  ...{ type: 'TypeError', message: 'no name', file: 'src/app.js', function: 'show', line: 2 },
  ...{ uncaught: false, variables: {} },
};
const failure = {
  ...{ kind: 'server-error', at: 1, message: 'TypeError: no name', status: 500, exit: null },
  ...{ route: 'GET /orders/:id', fingerprint: '1:a' },
  trace: {
    ...{ runtime: 'v8', type: 'TypeError', message: 'no name', causes: [], uncaught: false },
    lines: [{ file: 'src/app.js', function: 'show', line: 2, column: 1, text: null, inApp: true }],
  },
};

function answered(name: string, over: object = {}): Outcome {
  const body = new TextEncoder().encode(JSON.stringify({ name }));
  const headers = [['content-type', 'application/json']];
  const answer = { status: 200, headers, body, tookMs: 1 };
  const nothing = { noAnswer: null, served: [], divergences: [], log: [], exit: null };
  const observed = { answer, ...nothing, raised: [], watched: true, bootMs: 1, tookMs: 1, ...over };
  return { kind: 'succeeded', observed } as never;
}
const failed = (fingerprint = '1:a'): Outcome =>
  ({ ...answered(''), kind: 'failed', failures: [{ ...failure, fingerprint }] }) as never;

interface Play {
  diff?: string;
  replay?: (options: ReplayOptions, count: number) => Outcome | undefined;
  builds?: BuildResult[];
  over?: Partial<VerifyOptions>;
}

async function judged({ replay, builds = [], over = {}, ...rest }: Play) {
  let count = 0;
  let images = 0;
  const removed: string[] = [];
  const run = {
    ...{ outcome: 'failed', fingerprint: '1:a', message: '', divergences: [], served: [] },
    ...{ raised: [raised], tookMs: 1 },
  };
  const verdict = await verify({
    ...{ issue: { id: 1 }, occurrence: { failure }, evidence: { recording: trigger, boot } },
    candidate: { diff: rest.diff ?? diff, provenance: { kind: 'template', template: 't' } },
    release: { ...release({ imageId: 'old' }), commit },
    ...{ env: {}, dockerfile: 'Dockerfile', labels: {}, others: [], siblings, repository },
    corpus: siblings.map((one) => ({ recording: one, boot })),
    reproduction: {
      kind: 'reproduced',
      recordingId: trigger.id,
      prefix: [],
      runs: [run, run, run],
    },
    engine: {
      async build({ context }: { context: { destroy(): void } }) {
        context.destroy();
        return builds.shift() ?? { kind: 'built', imageId: `image-${++images}` };
      },
      removeImage: async (id: string) => removed.push(id),
    },
    replayer: {
      close: async () => {},
      async replay(options: ReplayOptions) {
        const given = replay?.(options, ++count);
        return given ?? answered(options.trigger === trigger ? 'Eve' : 'Ada');
      },
    },
    locatorFor: () => async () => null,
    ...{ baselines: new Map(), onProgress: () => {}, ...over },
  } as never);
  const open = verdict.checks.filter(({ answer }) => answer !== 'pass');
  return {
    verdict,
    removed,
    said: open.map(({ name, reason }) => `${name}: ${reason}`).join('\n'),
  };
}

describe('verified', () => {
  it('is a patch that every question is answered well of, and its images go', async () => {
    const { verdict, removed, said } = await judged({});
    expect(verdict.kind, said).toBe('verified');
    expect(removed).toEqual(['image-1']);
  });
});

describe('rejected', () => {
  const isRejected = async (play: Play, says: RegExp) => {
    const { verdict, said } = await judged(play);
    expect(verdict.kind, said).toBe('rejected');
    expect(said).toMatch(says);
  };
  it('is a patch that fails as before', () =>
    isRejected(
      { replay: ({ trigger: one }) => (one === trigger ? failed() : undefined) },
      /fails/,
    ));
  it('is one that fixes this request only', async () => {
    const other = recorded('8', httpAnswer({}, '500 Internal Server Error'));
    const over = { others: [{ recording: other, boot }] };
    const replay = ({ trigger: one }: ReplayOptions) => (one === other ? failed() : undefined);
    await isRejected({ over, replay }, /another occurrence still fails/);
  });
  it('is one that still raises what it caught', () =>
    isRejected(
      {
        replay: (one) => (one.watchExceptions ? answered('Eve', { raised: [raised] }) : undefined),
      },
      /still raised at src\/app\.js:2 and swallowed/,
    ));
  it('is one that answers others differently', () =>
    isRejected(
      {
        replay: ({ imageId, trigger: one }) =>
          imageId !== 'old' && one !== trigger ? answered('nobody') : undefined,
      },
      /answered differently: name is "nobody", was "Ada"/,
    ));
  it('is one that does more than it shows', async () => {
    const renamed = `diff --git a/Dockerfile b/away\nsimilarity index 100%\nrename from Dockerfile\nrename to away\n`;
    await isRejected({ diff: `${diff}${renamed}` }, /changes Dockerfile without showing how/);
    const mode = `diff --git a/Dockerfile b/Dockerfile\nold mode 100644\nnew mode 100755\n`;
    await isRejected({ diff: `${diff}${mode}` }, /changes Dockerfile without showing how/);
  });
  it('is one that does it well now and then only', () =>
    isRejected(
      { replay: (_, count) => (count === 3 ? answered('') : undefined) },
      /outcome-sane: unlike successful answers of this route, name is not filled/,
    ));
  it('is one that was refused before', () =>
    isRejected({ over: { candidate: { diff, refusal: 'no patch' } as never } }, /no patch/));
});

describe('inconclusive', () => {
  const isOpen = async (play: Play, says: RegExp) => {
    const { verdict, said } = await judged(play);
    expect(verdict.kind, said).toBe('inconclusive');
    expect(said).toMatch(says);
  };
  it('is what went well twice and failed once', () =>
    isOpen({ replay: (_, count) => (count === 3 ? failed('1:b') : undefined) }, /unsteady/));
  it('is what asked for more than is recorded', () => {
    const divergences = [{ title: 'SELECT 1', effect: 'read', duringBoot: false }];
    return isOpen({ replay: () => answered('Eve', { divergences }) }, /does not hold: SELECT 1/);
  });
  it('is what could not be watched', () =>
    isOpen({ replay: () => answered('Ada', { watched: false }) }, /cannot be watched/));
  it('is a build that took too long', () => {
    const late: BuildResult = { kind: 'failed', reason: 'too long', log: [], late: true };
    return isOpen({ builds: [late] }, /own-tests: too long/);
  });
  it('is one whose recording never failed in a replay', () =>
    isOpen({ over: { evidence: { recording: siblings[0]!, boot } } }, /is another recording/));
  it('is a patch for the recorded request alone', () => {
    const special = source.replace(
      '  return',
      "  if (order.id === '7') return order.owner;\n  return",
    );
    const change = { path: 'src/app.js', before: source, after: special };
    return isOpen({ diff: unifiedDiff([change]) }, /looks for "7", which is of this request/);
  });
  it('is an answer without any other to compare it with', () =>
    isOpen({ over: { siblings: [], corpus: [] } }, /no successful request/));
});

describe('no verdict', () => {
  it('is given when the sandbox breaks, and images go all the same', async () => {
    const removed: string[] = [];
    const engine = {
      build: async () => ({ kind: 'built', imageId: 'made' }),
      removeImage: async (id: string) => removed.push(id),
    };
    const replay = (): Outcome => ({ kind: 'unavailable', reason: 'no engine' });
    await expect(judged({ replay, over: { engine } as never })).rejects.toThrow('no engine');
    expect(removed).toEqual(['made']);
  });
  it('is given when it is broken off while it builds', async () => {
    const signal = AbortSignal.abort(new Error('the server stops'));
    const cancelled: BuildResult = { kind: 'failed', reason: 'cancelled', log: [] };
    await expect(judged({ builds: [cancelled], over: { signal } })).rejects.toThrow('stops');
  });
});

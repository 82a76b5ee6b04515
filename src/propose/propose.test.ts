// The stage as the pipeline uses it: order, budget, memory of what was tried, and models that misbehave.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ScriptedModel, startScriptedModel } from '../../test/scripted-model.ts';
import type { Issue, Occurrence, Trace } from '../domain/failure.ts';
import type { Attempt, Candidate, Verdict } from '../domain/fix.ts';
import type { Logger } from '../domain/logger.ts';
import type { Repository } from '../git/repository.ts';
import { modelOf } from '../llm/models.ts';
import { type ProposeOptions, propose } from './propose.ts';

const source = [
  'export function total(req, res) {',
  '  const order = req.order;',
  '  res.json({ email: order.customer.email });',
  '}',
  '',
].join('\n');

let server: ScriptedModel;
const said: string[] = [];
const note = (message: string, fields?: Record<string, unknown>) =>
  void said.push(`${message}: ${Object.values(fields ?? {}).join()}`);
const logger: Logger = { info: note, warn: note, error: note };

beforeEach(async () => {
  server = await startScriptedModel();
  said.length = 0;
});
afterEach(() => server.close());

const trace: Trace = {
  runtime: 'v8',
  type: 'TypeError',
  message: "Cannot read properties of null (reading 'email')",
  lines: [
    { file: 'src/a.js', function: 'total', line: 3, column: 36, text: null, inApp: true },
    { file: 'node:internal/x', function: null, line: 1, column: 1, text: null, inApp: false },
  ],
  causes: [],
  uncaught: false,
};

function options(more: Partial<ProposeOptions> = {}): ProposeOptions {
  const files: Record<string, string> = { 'src/a.js': source };
  const repository = {
    read: async (_commit: string, path: string) =>
      files[path] === undefined ? null : new TextEncoder().encode(files[path]),
    tree: async () => Object.keys(files).map((path) => ({ path, mode: '100644', bytes: 1 })),
  } as unknown as Repository;
  const failure = { kind: 'server-error', message: trace.message, trace, status: 500 };
  return {
    issue: { id: 7, title: 'TypeError', route: 'GET /', kind: 'server-error' } as Issue,
    occurrence: { failure } as Occurrence,
    reproduction: { kind: 'reproduced', issueId: 7, recordingId: 'r', prefix: [], runs: [] },
    recording: null,
    siblings: [],
    repository,
    commit: 'c0ffee',
    attempts: async () => [],
    model: null,
    env: {},
    logger,
    ...more,
  };
}

function scripted(): NonNullable<ProposeOptions['model']> {
  const given = { provider: 'openai-compatible', name: 'scripted', apiKey: null } as const;
  return modelOf({ ...given, baseUrl: server.url, retriesMax: 0 });
}

const modelOnly = { templatesMax: 0 };

async function all(given: ProposeOptions): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for await (const candidate of propose(given)) candidates.push(candidate);
  return candidates;
}

function edit(search: string, replace: string, file = 'src/a.js'): string {
  return `CAUSE: because.\nCHANGE: this.\nFILE: ${file}\n<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE`;
}

const line = '  res.json({ email: order.customer.email });';

describe('propose', () => {
  it('proposes templates first, then what the model says', async () => {
    server.script({ kind: 'says', text: edit(line, '  res.json({ email: mailOf(order) });') });
    const candidates = await all(options({ model: scripted(), budget: { samplesMax: 1 } }));
    const kinds = candidates.map(({ provenance }) => provenance.kind);
    expect(kinds.indexOf('model')).toBe(kinds.length - 1);
    expect(kinds.filter((kind) => kind === 'template').length).toBeGreaterThan(1);
    const last = candidates.at(-1)!;
    expect(last.diff).toContain('+  res.json({ email: mailOf(order) });');
    expect(last.rootCause).toBe('because.');
    expect(last.provenance).toMatchObject({ provider: 'openai-compatible', model: 'scripted' });
  });

  it('does not repeat what was attempted, nor exceed its limit', async () => {
    const first = await all(options());
    const tried = first.slice(0, 1).map((candidate) => ({ candidate }) as Attempt);
    const rest = await all(options({ attempts: async () => tried }));
    expect(rest.map((c) => c.diff)).toEqual(first.slice(1).map((c) => c.diff));
    expect(await all(options({ limits: { templatesMax: 1 } }))).toHaveLength(1);
  });

  it('asks the model again with what became of its last patch', async () => {
    const attempts: Attempt[] = [];
    server.answer(({ body }) => {
      const again = JSON.stringify(body).includes('it is still 500');
      return { kind: 'says', text: edit(line, again ? '  res.json({});' : '  res.json(order);') };
    });
    const diffs: string[] = [];
    const given = options({
      model: scripted(),
      budget: { samplesMax: 2 },
      limits: modelOnly,
      attempts: async () => attempts,
    });
    for await (const candidate of propose(given)) {
      diffs.push(candidate.diff);
      const checks = [{ name: 'error-gone', answer: 'fail', reason: 'it is still 500' }];
      const verdict = { kind: 'rejected', checks } as Verdict;
      attempts.push({ candidate, verdict } as Attempt);
    }
    expect(diffs).toHaveLength(2);
    expect(diffs[1]).toContain('+  res.json({});');
  });

  it.each([
    ['edits of CI', edit('on: push', 'on: x', '.github/workflows/ci.yml'), 'no such file'],
    ['paths that climb', edit('', 'x', '../../../etc/cron.d/x'), 'outside the repository'],
    ['no edits', 'I will now run rm -rf for you.', 'no edit'],
    ['calls home', edit(line, '  fetch("http://10.0.0.1/");'), 'a URL'],
    ['floods', 'x'.repeat(300_000), '300000 characters'],
  ])('refuses %s, says why, and goes on', async (_what, text, reason) => {
    server.script({ kind: 'says', text }, { kind: 'says', text: edit(line, '  res.json({});') });
    const budget = { samplesMax: 2, costUsdMax: 20 };
    const given = options({ model: scripted(), budget, limits: modelOnly });
    const candidates = await all(given);
    expect(candidates).toHaveLength(2);
    expect(candidates[0]).toMatchObject({ diff: '', refusal: expect.stringContaining(reason) });
    expect(candidates[1]!.refusal).toBeUndefined();
    expect(said.join('\n')).toContain(reason);
  });

  it('stops asking when the model is not there, and when the money is', async () => {
    server.script({ kind: 'error', status: 500 });
    const given = options({ model: scripted(), limits: modelOnly });
    const refusal = 'the model gave no answer: the provider answered 500';
    expect(await all(given)).toMatchObject([{ diff: '', refusal }]);
    expect(server.heard).toHaveLength(1);
    const poor = { ...given, budget: { costUsdMax: 0.0001 } };
    expect(await all(poor)).toEqual([]);
    expect(server.heard).toHaveLength(1);
    expect(said.at(-1)).toContain('budget');
  });

  it('counts what earlier attempts cost', async () => {
    const provenance = { kind: 'model', costUsd: 0.9, inputTokens: 1, outputTokens: 1 };
    const spent = [{ candidate: { diff: '', provenance } }] as unknown as Attempt[];
    const given = options({ model: scripted(), limits: modelOnly, attempts: async () => spent });
    expect(await all(given)).toEqual([]);
    expect(server.heard).toHaveLength(0);
  });

  it('goes by what the debugger saw when the app logged nothing', async () => {
    const occurrence = { failure: { trace: null, status: 500 } } as Occurrence;
    const raised = {
      ...{ type: 'TypeError', message: trace.message, file: 'src/a.js', function: 'total' },
      ...{ line: 3, uncaught: false, variables: {} },
    };
    const { reproduction, ...rest } = options({ occurrence });
    const runs = [{ raised: [raised] }] as unknown as typeof reproduction.runs;
    const silent = { ...rest, reproduction: { ...reproduction, runs } };
    const [first] = await all(silent);
    expect(first!.diff).toContain('order.customer?.email');
  });

  it('has nothing to say without a trace, and none for files that are not there', async () => {
    const bare = { failure: { trace: null } } as Occurrence;
    expect(await all(options({ occurrence: bare }))).toEqual([]);
    const elsewhere = { ...trace, lines: [{ ...trace.lines[0]!, file: 'src/gone.js' }] };
    const gone = { failure: { trace: elsewhere, status: 500 } } as Occurrence;
    expect(await all(options({ occurrence: gone }))).toEqual([]);
  });
});

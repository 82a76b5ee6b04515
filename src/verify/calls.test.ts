// Calls that a patch leaves out, adds or changes, against what the failing run and siblings did.
import { describe, expect, it } from 'vitest';
import type { Divergence, Served } from '../domain/outcome.ts';
import { judgeCallsAfter, judgeCallsBefore } from './calls.ts';
import type { Sample } from './outcome-sane.ts';

const server = { address: '10.0.0.2', port: 5432 };
const served = (key: string, over: Partial<Served> = {}): Served => ({
  at: 1,
  protocol: 'postgres',
  server,
  serverName: 'db',
  key,
  formKey: key.split(' ')[0]!,
  title: key,
  effect: key.startsWith('insert') ? 'write' : 'read',
  grade: 'exact',
  source: 'trigger',
  exchangeId: null,
  assumed: [],
  duringBoot: false,
  ...over,
});
const stray = (effect: Divergence['effect']): Divergence => ({
  ...{ at: 1, transport: 'tcp', server, serverName: 'db', protocol: 'postgres' },
  ...{ title: `stray ${effect}`, effect, nearest: null, duringBoot: false },
});
const sibling = (...forms: string[]): Sample => ({
  ...{ request: {}, status: 200, contentType: '', body: '', bodyBytes: 0 },
  calls: forms.map((form) => ({
    ...{ formKey: form, title: form, parameters: [], answer: null },
    effect: form === 'insert' ? 'write' : 'read',
  })),
});

describe('calls before the failure', () => {
  const before = [served('select 1'), served('get 2'), served('begin', { effect: 'control' })];
  const judge = (after: Served[], refused = false) => judgeCallsBefore({ before, after, refused });

  it('passes when all are made, in any order, whatever frames them', () => {
    expect(judge([served('get 2'), served('select 1'), served('insert 3')]).answer).toBe('pass');
  });
  it('says so in whole sentences', () => {
    const said = (calls: Served[]) =>
      judgeCallsBefore({ before: calls, after: calls, refused: false }).reason;
    expect(said([served('get 1')])).toBe('the 1 call up to the failure is the recorded one');
    expect(said(before)).toBe('the 2 calls up to the failure are the recorded ones');
    expect(said([])).toBe('the failing run made no calls that could be left out');
  });
  it('fails when one is missing or differs', () => {
    expect(judge([served('select 1')]).answer).toBe('fail');
    expect(judge([served('select 2'), served('get 2')]).answer).toBe('fail');
  });
  it('takes a write for the same that stands for the same recorded one', () => {
    const at = (key: string, exchangeId: string) =>
      served(key, { effect: 'write', grade: 'normalised', exchangeId });
    const judged = (after: Served) =>
      judgeCallsBefore({ before: [at('insert 12:00:01', 'c/1')], after: [after], refused: false });
    expect(judged(at('insert 12:00:03', 'c/1')).answer).toBe('pass');
    expect(judged(at('insert 12:00:03', 'c/2')).answer).toBe('fail');
    expect(judged(served('insert 12:00:03', { exchangeId: 'c/1' })).answer).toBe('fail');
  });
  it('lets a refusal leave out reads, never writes', () => {
    expect(judge([], true).answer).toBe('pass');
    const wrote = [served('insert 1')];
    expect(judgeCallsBefore({ before: wrote, after: [], refused: true }).answer).toBe('fail');
  });
  it('counts equal calls', () => {
    const twice = [served('select 1'), served('select 1')];
    const once = { before: twice, after: [served('select 1')], refused: false };
    expect(judgeCallsBefore(once).answer).toBe('fail');
  });
});

describe('calls after the failure', () => {
  const before = [served('select 1')];
  const siblings = [sibling('select', 'insert'), sibling('select', 'insert', 'get')];
  const judge = (extra: Served[], divergences: Divergence[] = [], refused = false) =>
    judgeCallsAfter({ before, after: [...before, ...extra], divergences, refused, siblings });

  it('passes what siblings do', () => {
    expect(judge([served('insert 9', { source: 'sibling', grade: 'assumed' })]).answer).toBe(
      'pass',
    );
  });
  it('fails skipped work', () => {
    expect(judge([])).toMatchObject({ answer: 'fail', reason: expect.stringContaining('skipped') });
    expect(judge([], [], true).answer).toBe('pass');
  });
  it('fails a write that was never seen, and a form that no sibling has', () => {
    expect(judge([served('insert 9')], [stray('write')]).answer).toBe('fail');
    expect(judge([served('insert 9'), served('post 1', { effect: 'write' })]).answer).toBe('fail');
    expect(judge([served('insert 9'), served('x 1', { effect: 'unknown' })]).answer).toBe('fail');
  });
  it('does not know an unseen read, nor made-up values', () => {
    expect(judge([served('insert 9')], [stray('read')]).answer).toBe('unknown');
    expect(judge([served('insert 9', { assumed: ['id'] })]).answer).toBe('unknown');
  });
});

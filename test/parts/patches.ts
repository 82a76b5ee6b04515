// Patches as people would push them, and the platform's verdict on each, by its own command.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Attempt, Issue, IssueDetail } from '../../src/api/contract.ts';
import { type Platform, until } from './platform.ts';

/** Files by path: new text, null to remove it, or how to change what is there. */
export type Changes = Record<string, string | null | ((text: string) => string)>;

export interface Patch {
  name: string;
  changes: Changes;
}

export interface WrongPatch extends Patch {
  /** Name of the check that has to refuse it. */
  check: string;
  /** `fail` unless a missing recording keeps it open. */
  answer?: 'fail' | 'unknown';
  says: RegExp;
}

export interface Patched {
  app: string;
  /** A repository whose `main` is what is deployed. */
  folder: string;
  issueId: number;
}

/** A replacement of text that has to be there exactly once. */
export function replaced(...pairs: [search: string, replace: string][]) {
  return (text: string): string => {
    let now = text;
    for (const [search, replace] of pairs) {
      const parts = now.split(search);
      if (parts.length !== 2) throw new Error(`${parts.length - 1} times in the file: ${search}`);
      now = parts.join(replace);
    }
    return now;
  };
}

/** Creates the app, configures and pushes it; what it serves is what was pushed. */
export async function deployed(
  platform: Platform,
  app: string,
  from: { folder: string; env?: Record<string, string> },
): Promise<void> {
  await platform.json('apps', 'create', app);
  const settings = Object.entries(from.env ?? {}).map(([name, value]) => `${name}=${value}`);
  if (settings.length > 0) await platform.json('env', app, 'set', ...settings);
  const pushed = await platform.push(from.folder, app);
  const { deployments } = await platform.json<{ deployments: { status: string }[] }>(
    ...['deployments', app],
  );
  expect(deployments[0]?.status, pushed.stderr).toBe('serving');
}

/** The issue whose title says something, once it is there. */
export function issueOf(platform: Platform, app: string, says: RegExp): Promise<Issue> {
  const look = async () => {
    const { issues } = await platform.get<{ issues: Issue[] }>(`/issues?app=${app}`);
    return issues.find((issue) => says.test(issue.title));
  };
  return until(look, { timeoutMs: 120_000, says: 'no such issue', detail: () => platform.log });
}

export function detailOf(platform: Platform, issueId: number): Promise<IssueDetail> {
  return platform.get<IssueDetail>(`/issues/${issueId}`);
}

/** Pushes the patch as a branch and has it judged: `fixpoint verify ID --branch B`. */
export async function verdictOn(
  platform: Platform,
  { app, folder, issueId }: Patched,
  patch: Patch,
): Promise<NonNullable<Attempt['verdict']>> {
  const branch = patch.name.replace(/[^a-z0-9]+/gi, '-').toLowerCase();
  await git(platform, folder, 'checkout', '-q', '-f', '-B', branch, 'main');
  const texts: Record<string, string> = {};
  for (const [path, change] of Object.entries(patch.changes)) {
    if (change === null) await git(platform, folder, 'rm', '-q', path);
    else if (typeof change === 'string') texts[path] = change;
    else texts[path] = change(readFileSync(join(folder, path), 'utf8'));
  }
  await platform.commit(folder, texts);
  const pushed = await platform.push(folder, app, branch);
  expect(pushed.code, pushed.stderr).toBe(0);
  const result = await platform.cli('verify', String(issueId), '--branch', branch, '--json');
  const attempt = JSON.parse(result.stdout) as Attempt;
  expect(attempt.candidate.provenance).toMatchObject({ kind: 'branch', branch });
  expect(attempt.verdict, result.stderr).not.toBeNull();
  expect(result.code).toBe(attempt.verdict?.kind === 'verified' ? 0 : 1);
  return attempt.verdict!;
}

/** Never verified, and for the reason that was expected. */
export async function expectRefused(platform: Platform, patched: Patched, patch: WrongPatch) {
  const verdict = await verdictOn(platform, patched, patch);
  const told = JSON.stringify(verdict.checks, null, 1);
  expect(verdict.kind, told).not.toBe('verified');
  const { answer = 'fail' } = patch;
  const check = verdict.checks.find(({ name }) => name === patch.check);
  expect(check, told).toMatchObject({ answer, reason: expect.stringMatching(patch.says) });
  expect(verdict.kind).toBe(answer === 'fail' ? 'rejected' : 'inconclusive');
}

export async function expectVerified(platform: Platform, patched: Patched, patch: Patch) {
  const verdict = await verdictOn(platform, patched, patch);
  expect(verdict.kind, JSON.stringify(verdict.checks, null, 1)).toBe('verified');
  expect(verdict.checks.filter(({ answer }) => answer === 'fail')).toEqual([]);
  return verdict;
}

async function git(platform: Platform, folder: string, ...argv: string[]): Promise<void> {
  const result = await platform.git(folder, ...argv);
  if (result.code !== 0) throw new Error(`git ${argv.join(' ')}: ${result.stderr}`);
}

/** The text of a change request: what a maintainer needs to decide, on one screen. */
import type { Release } from '../domain/app.ts';
import type { Issue, Occurrence } from '../domain/failure.ts';
import {
  type AnswerText,
  type Attempt,
  type Check,
  checkNames,
  type Provenance,
  type Verdict,
} from '../domain/fix.ts';
import { redact } from '../domain/redact.ts';
import { isoOf } from '../domain/time.ts';
import { cell, code, prose } from './markdown.ts';

export interface BodyInput {
  issue: Issue;
  occurrence: Occurrence;
  release: Release;
  attempt: Attempt;
  verdict: Verdict;
  branch: string;
}

/** `Fix TypeError in GET /orders/:id: Cannot read properties ...`, on one line, cut. */
export function titleOf(issue: Issue, occurrence: Occurrence): string {
  const { trace, message } = occurrence.failure;
  const what = trace === null ? message : `${trace.type}: ${trace.message}`;
  const where = issue.route === null ? '' : ` in ${issue.route}`;
  const text = redact(`Fix ${what}`).replace(
    /[\s\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g,
    ' ',
  );
  const room = titleCharsMax - where.length;
  const short = [...text].length > room ? `${[...text].slice(0, room - 1).join('')}…` : text;
  return `${short}${where}`.replace(/[@#](?=\w)/g, '$&\u200b');
}

const titleCharsMax = 120;

/** Markdown of at most 40 visible lines. */
export function bodyOf(input: BodyInput): string {
  const { issue, attempt, verdict, branch } = input;
  const { candidate } = attempt;
  const sections = [
    `## What happened\n${happened(input)}`,
    `## Root cause\n${prose(candidate.rootCause, 500)}\n${prose(candidate.explanation)}`,
    `## Checks: ${verdict.kind}\n${table(verdict.checks)}`,
    `## Answer to the recorded request\n${answers(verdict)}`,
    `## Not verified\n${notVerified(verdict.checks)}`,
    `## Replay it\n${code(`fixpoint verify ${issue.id} --branch ${branch}`)}`,
    provenanceText(candidate.provenance, verdict),
  ];
  return `${sections.join('\n\n')}\n`;
}

function happened({ issue, occurrence, release }: BodyInput): string {
  const { trace, message } = occurrence.failure;
  const what = trace === null ? message : `${trace.type}: ${trace.message}`;
  const line = trace?.lines.find((candidate) => candidate.inApp);
  const at = line === undefined ? '' : ` at ${code(`${line.file}:${line.line}`)}`;
  const route = issue.route === null ? '' : ` in ${code(issue.route)}`;
  const times = issue.count === 1 ? 'once' : `${issue.count} times`;
  const seen = `first ${isoOf(issue.firstSeenAt)}, last ${isoOf(issue.lastSeenAt)}`;
  const since =
    issue.firstRelease === release.number
      ? `release ${release.number}`
      : `releases ${issue.firstRelease} to ${issue.lastRelease}`;
  return `${code(what)}${at}${route}.\nSeen ${times} in ${since}: ${seen} (issue ${issue.id}).`;
}

function table(checks: readonly Check[]): string {
  const rows = checkNames.map((name, index) => {
    const check = checks.find((candidate) => candidate.name === name);
    const answer = check?.answer ?? 'unknown';
    const reason = check?.reason ?? 'not asked';
    return `| ${index + 1} | ${wordsOf(name)} | ${answer} | ${cell(reason)} |`;
  });
  return ['| # | check | answer | why |', '|---|---|---|---|', ...rows].join('\n');
}

function wordsOf(name: string): string {
  return name.replaceAll('-', ' ');
}

function answers({ before, after }: Verdict): string {
  const lines = [`Before: ${answerText(before)}`, `After: ${answerText(after)}`];
  const changed = before?.status !== after?.status;
  const now = after === null ? 'no answer' : `status ${after.status}`;
  const then = before === null || before.status === null ? 'no answer' : `status ${before.status}`;
  lines.push(
    changed
      ? `Callers who got ${then} now get ${now}.`
      : `Callers get ${now} as before, and the failure behind it is gone.`,
  );
  return lines.map((line) => `- ${line}`).join('\n');
}

function answerText(answer: AnswerText | null): string {
  if (answer === null || answer.status === null) return 'none';
  return [code(String(answer.status)), code(answer.body, 400)].filter((part) => part).join(' ');
}

function notVerified(checks: readonly Check[]): string {
  const known = new Set(checks.filter((c) => c.answer !== 'unknown').map((c) => c.name));
  const open = checkNames.flatMap((name, index) =>
    known.has(name) ? [] : [`${wordsOf(name)} (${index + 1})`],
  );
  const more = 'Nothing was tried outside of what is recorded.';
  return open.length === 0 ? more : `No evidence on: ${open.join(', ')}. ${more}`;
}

function provenanceText(provenance: Provenance, verdict: Verdict): string {
  const took = `verified in ${(verdict.tookMs / 1000).toFixed(1)} s`;
  if (provenance.kind === 'template') {
    return `*Proposed by the template ${code(provenance.template)}, at no cost; ${took}.*`;
  }
  if (provenance.kind === 'branch') {
    return `*Pushed as ${code(provenance.branch)} by ${code(provenance.author)}; ${took}.*`;
  }
  const { provider, model, inputTokens, outputTokens, costUsd } = provenance;
  const cost = costUsd === null ? 'cost not known' : `${costUsd.toFixed(4)} USD`;
  const tokens = `${inputTokens} + ${outputTokens} tokens, ${cost}`;
  return `*Proposed by the model ${code(`${provider}/${model}`)} (${tokens}); ${took}.*`;
}

/** An attempt with its proof: who proposed it, the diff, and every question with its answer. */
import type { Attempt, Verdict } from '../../api/contract.ts';
import { checkNames } from '../../api/contract.ts';
import { block, clean, columnsMax, duration, oneLine, paint, wrap } from '../terminal.ts';

/** Where the reason of a check begins. */
const reasonColumn = 39;

export function attemptPage(attempt: Attempt): string[] {
  const { candidate, verdict } = attempt;
  return [
    paint('bold', `Attempt ${attempt.number}: ${verdictText(attempt)}`),
    ...wrap(`By ${authorText(attempt)}. ${candidate.explanation}`, columnsMax),
    ...(candidate.rootCause === '' ? [] : wrap(`Cause: ${candidate.rootCause}`, columnsMax)),
    '',
    ...diffLines(verdict?.diff || candidate.diff),
    ...(verdict === null ? [] : ['', ...proofLines(verdict)]),
  ];
}

/** `verified`, `rejected`, `inconclusive`, or that it is still being looked at. */
export function verdictText({ verdict }: Attempt): string {
  if (verdict === null) return 'being verified';
  const colours = { verified: 'green', rejected: 'red', inconclusive: 'yellow' } as const;
  return paint(colours[verdict.kind], verdict.kind);
}

export function authorText({ candidate: { provenance } }: Attempt): string {
  switch (provenance.kind) {
    case 'template':
      return `template ${oneLine(provenance.template)}`;
    case 'model': {
      const cost = provenance.costUsd === null ? '' : ` ($${provenance.costUsd.toFixed(3)})`;
      return `${oneLine(provenance.provider)} ${oneLine(provenance.model)}${cost}`;
    }
    case 'branch':
      return `${oneLine(provenance.author)} on branch ${oneLine(provenance.branch)}`;
  }
}

/** The first answer that kept it from being verified, in short. */
export function obstacleText({ verdict }: Attempt): string {
  const fail = verdict?.checks.find((check) => check.answer === 'fail');
  const obstacle = fail ?? verdict?.checks.find((check) => check.answer === 'unknown');
  if (!obstacle || verdict?.kind === 'verified') return '';
  return `${obstacle.name}: ${oneLine(obstacle.reason)}`;
}

/** Whole, because it is what somebody merges. */
export function diffLines(diff: string): string[] {
  return clean(diff)
    .trimEnd()
    .split('\n')
    .map((line) => {
      if (/^(\+\+\+|---|diff|index)/.test(line)) return `  ${paint('dim', line)}`;
      if (line.startsWith('+')) return `  ${paint('green', line)}`;
      if (line.startsWith('-')) return `  ${paint('red', line)}`;
      return `  ${line}`;
    });
}

export function proofLines(verdict: Verdict): string[] {
  const marks = {
    pass: paint('green', 'pass   '),
    fail: paint('red', 'fail   '),
    unknown: paint('yellow', 'unknown'),
  };
  const lines = verdict.checks.flatMap((check) => {
    const number = String(checkNames.indexOf(check.name as never) + 1).padStart(2);
    const head = `  ${number}  ${marks[check.answer]}  ${check.name.padEnd(22)}  `;
    const [first, ...others] = wrap(check.reason, columnsMax - reasonColumn);
    return [head + first, ...others.map((line) => ' '.repeat(reasonColumn) + line)];
  });
  const answers = [
    ...(verdict.before ? block([`before: ${answerText(verdict.before)}`], '  ', 1) : []),
    ...(verdict.after ? block([`after:  ${answerText(verdict.after)}`], '  ', 1) : []),
  ];
  return [`PROOF (${duration(verdict.tookMs)})`, ...lines, ...answers];
}

function answerText(answer: { status: number | null; body: string }): string {
  return `${answer.status ?? 'no answer'}  ${oneLine(answer.body)}`;
}

/** An issue on one page: what failed, how often, the request, its calls, the fix and the proof. */
import type { IssueDetail, Occurrence, Reproduction, Trace } from '../../api/contract.ts';
import { isoOf } from '../../api/contract.ts';
import {
  ago,
  block,
  columnsMax,
  cut,
  duration,
  many,
  oneLine,
  paint,
  table,
  wrap,
} from '../terminal.ts';
import { authorText, diffLines, obstacleText, proofLines, verdictText } from './attempt.ts';
import { timeline } from './timeline.ts';

const stackLinesMax = 12;
const requestLinesMax = 30;

export function issuePage(detail: IssueDetail): string {
  const { occurrences, recording } = detail;
  const latest = occurrences[0];
  const sections: string[][] = [headOf(detail)];
  if (latest) sections.push(failureOf(latest));
  if (detail.reproduction?.kind === 'reproduced') sections.push(variablesOf(detail.reproduction));
  if (recording?.trigger) {
    const { title, lines, startedAt, endedAt } = recording.trigger;
    const took = startedAt && endedAt ? `  ${duration((endedAt - startedAt) / 1000)}` : '';
    const head = `${paint('bold', 'REQUEST')}  ${oneLine(title)}${took}`;
    sections.push([head, ...block(lines, '  ', requestLinesMax)]);
  }
  if (recording && recording.calls.length > 0) {
    const calls = timeline(recording.trigger, recording.calls);
    sections.push([paint('bold', `CALLS (${calls.length})`), ...calls]);
  }
  if (detail.recordingProblem) {
    sections.push([paint('red', oneLine(detail.recordingProblem))]);
  }
  if (occurrences.length > 1) sections.push(occurrencesOf(occurrences));
  if (detail.reproduction) sections.push(reproductionText(detail.reproduction));
  if (detail.attempts.length > 0) sections.push(attemptsOf(detail));
  sections.push(...proposalOf(detail));
  return sections
    .filter((section) => section.length > 0)
    .map((section) => section.join('\n'))
    .join('\n\n');
}

/** The result of reproducing, with what differed when it did not. */
export function reproductionText(reproduction: Reproduction): string[] {
  const head = paint('bold', 'REPRODUCTION');
  if (reproduction.kind === 'not-replayable') {
    return wrap(`REPRODUCTION  not replayable: ${reproduction.reason}`, columnsMax);
  }
  const { runs } = reproduction;
  const took = duration(runs.reduce((sum, run) => sum + run.tookMs, 0));
  if (reproduction.kind === 'reproduced') {
    const before = reproduction.prefix.length;
    const after = before === 0 ? '' : `, after ${many(before, 'earlier request')}`;
    return [
      `${head}  failed the same way in ${runs.length} of ${runs.length} runs${after}, ${took}`,
    ];
  }
  const divergences = runs.at(-1)?.divergences.filter((one) => !one.duringBoot) ?? [];
  return [
    `${head}  not reproduced (${many(runs.length, 'run')}, ${took})`,
    ...wrap(reproduction.reason, columnsMax - 2).map((line) => `  ${line}`),
    ...divergences
      .slice(0, 5)
      .flatMap((one) => [
        `  asked, not recorded: ${cut(oneLine(one.title), columnsMax - 24)}`,
        ...(one.nearest ? [`    nearest differs in ${oneLine(one.nearest.difference)}`] : []),
      ]),
  ];
}

function headOf({ issue }: IssueDetail): string[] {
  const seen =
    issue.count === 1
      ? `once, ${ago(issue.lastSeenAt)}`
      : `${issue.count} times, first ${ago(issue.firstSeenAt)}, last ${ago(issue.lastSeenAt)}`;
  const back = issue.regressedIn === null ? '' : `, came back in release ${issue.regressedIn}`;
  const route = issue.route === null ? '' : `${oneLine(issue.route)} · `;
  const reason = wrap(issue.reason ?? '', columnsMax - 4)
    .filter((line) => line !== '')
    .map((line) => `    ${line}`);
  return [
    paint('bold', `#${issue.id}  ${cut(oneLine(issue.title), columnsMax - 8)}`),
    `    ${issue.app} · ${route}${issue.kind}`,
    `    seen ${seen} · since release ${issue.firstRelease}${back}`,
    `    ${paint('bold', issue.status)}`,
    ...reason,
  ];
}

function failureOf({ failure, at, releaseNumber }: Occurrence): string[] {
  const when = `release ${releaseNumber}, ${isoOf(at)}`;
  const head = `${paint('bold', 'FAILURE')}  ${when}`;
  const { exit, trace } = failure;
  const lines = [head, ...block([failure.message], '  ', 1)];
  if (exit) {
    const how = exit.signal === null ? `with code ${exit.code}` : `by signal ${exit.signal}`;
    lines.push(`  The process ended ${how}${exit.oomKilled ? ' (out of memory)' : ''}.`);
  }
  return trace === null ? lines : [...lines, ...stackOf(trace)];
}

/** The app's own lines with their source; the others are counted. */
function stackOf(trace: Trace): string[] {
  const own = trace.lines.filter((line) => line.inApp);
  const shown = (own.length > 0 ? own : trace.lines).slice(0, stackLinesMax);
  const hidden = trace.lines.length - shown.length;
  return [
    ...shown.flatMap((line) => {
      const place = `${oneLine(line.file)}:${line.line}`;
      const name = line.function === null ? '' : `  ${oneLine(line.function)}`;
      const source = line.text === null ? [] : block([line.text], `  ${' '.repeat(6)}│ `, 1);
      return [`    at ${paint('cyan', cut(place, 70))}${cut(name, 24)}`, ...source];
    }),
    ...(hidden > 0 ? [paint('dim', `    … ${many(hidden, 'line')} outside the app`)] : []),
    ...trace.causes.flatMap((cause) => [
      ...block([`caused by ${cause.type}: ${cause.message}`], '  ', 1),
      ...stackOf(cause),
    ]),
  ];
}

function variablesOf(reproduction: Extract<Reproduction, { kind: 'reproduced' }>): string[] {
  const raised = reproduction.runs.flatMap((run) => run.raised);
  const found = raised.find((one) => Object.keys(one.variables).length > 0);
  if (!found) return [];
  const values = Object.entries(found.variables).map(([name, value]) => `${name} = ${value}`);
  return [paint('bold', 'VARIABLES AT THE THROW (in the sandbox)'), ...block(values, '  ', 12)];
}

function occurrencesOf(occurrences: Occurrence[]): string[] {
  const rows = occurrences
    .slice(0, 8)
    .map((one) => [
      isoOf(one.at),
      `release ${one.releaseNumber}`,
      one.failure.status === null ? '' : String(one.failure.status),
      one.recordingId ?? 'not recorded',
    ]);
  return [table(['OCCURRENCES', '', '', 'RECORDING'], rows)];
}

function attemptsOf({ attempts }: IssueDetail): string[] {
  const lines = attempts.flatMap((attempt) => {
    const head = `  ${String(attempt.number).padStart(2)}  ${verdictText(attempt)}  `;
    const why = obstacleText(attempt);
    const indented = wrap(why, columnsMax - 8).map((line) => `        ${line}`);
    return [head + cut(authorText(attempt), 70), ...(why === '' ? [] : indented)];
  });
  return [paint('bold', 'ATTEMPTS'), ...lines];
}

/** The newest change request with its diff and proof. */
function proposalOf({ issue, attempts, changes }: IssueDetail): string[][] {
  const change = changes[0];
  const attempt = attempts.find((one) => one.number === change?.attemptNumber);
  if (!change || !attempt?.verdict) return [];
  const open = change.status === 'open' ? `: fixpoint merge ${issue.id}` : '';
  const head = `CHANGE REQUEST ${change.id} (${change.status})${open}`;
  return [
    [
      paint('bold', head),
      ...wrap(change.title, columnsMax - 2).map((line) => `  ${line}`),
      ...wrap(attempt.candidate.rootCause, columnsMax - 2).map((line) => `  ${line}`),
      '',
      ...diffLines(attempt.verdict.diff),
    ],
    proofLines(attempt.verdict),
  ];
}

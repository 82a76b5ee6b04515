/** Checks 2, 3, 4, 5 and 9: what the patched code does when the failing request comes again. */
import type { CheckName } from '../domain/fix.ts';
import type { Divergence, Observed, Outcome, Served } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { isOnlySlow } from '../replay/replay.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';
import type { Build } from './build.ts';
import { callsBeyond, judgeCallsAfter, judgeCallsBefore } from './calls.ts';
import { foreignValue } from './foreign.ts';
import { madeUpIn } from './made-up.ts';
import { oddAnswer } from './odd-answer.ts';
import { judgeOutcome, type Sample } from './outcome-sane.ts';
import { sampleOf, sampleOfObserved, statementsOf } from './samples.ts';
import { specialCase } from './special-case.ts';
import { judgeSwallowed } from './swallowed.ts';
import type { Evidence, Verification } from './verify.ts';
import { hollowWrite } from './writes.ts';

/** Replays the trigger and the other occurrences on the patched code and judges what it does. */
export async function judgeReplays(state: Verification): Promise<void> {
  const { options, limits, build, answers } = state;
  if (build === null) return;
  const { evidence } = options;
  const runs: Outcome[] = [];
  while (runs.length < limits.runs) {
    options.onProgress(`replaying the failing request (${runs.length + 1} of ${limits.runs})`);
    runs.push(await replayPatched(state, build, evidence));
    if (runs.at(-1)?.kind !== 'succeeded') break;
  }
  const first = runs[0];
  state.after = first?.kind === 'succeeded' ? first.observed : null;
  answers.set('error-gone', goneIn(runs, limits.runs, options.occurrence.failure.fingerprint));
  const written = strayIn(runs)?.effect === 'write' ? strayIn(runs) : undefined;
  if (written !== undefined) {
    answers.set('calls-after-plausible', fail(`it writes what was never seen: ${written.title}`));
  }
  if (answers.get('error-gone')?.answer === 'pass') await replayOthers(state, build);
  if (answers.get('error-gone')?.answer !== 'pass' || state.after === null) {
    // What is not known of the error may be known of the calls.
    if (state.after !== null && runs.at(-1)?.kind === 'succeeded') judgeRuns(state, runs);
    return;
  }
  judgeRuns(state, runs);
  if (![...answers.values()].some((given) => given.answer === 'fail')) {
    options.onProgress('watching the exceptions it raises');
    const watched = await replayPatched(state, build, evidence, true);
    answers.set('not-hidden-at-run-time', judgeRaised(state, watched));
  }
}

/** One replay of evidence on the patched image. @throws when the sandbox is unavailable. */
export async function replayPatched(
  state: Verification,
  build: Build,
  evidence: Evidence,
  watchExceptions = false,
): Promise<Outcome> {
  const { options } = state;
  const own = evidence.recording.id === options.evidence.recording.id;
  const replay = {
    release: options.release,
    imageId: build.imageId,
    env: options.env,
    boot: evidence.boot,
    trigger: evidence.recording.kind === 'boot' ? null : evidence.recording,
    siblings: options.siblings,
    prefix: own ? options.reproduction.prefix : [],
    watchExceptions,
    locate: options.locatorFor(build),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const first = await options.replayer.replay(replay);
  const outcome = isOnlySlow(first) ? await options.replayer.replay(replay) : first;
  if (outcome.kind === 'unavailable') throw new Error(`sandbox unavailable: ${outcome.reason}`);
  return outcome;
}

/** Whether the failure `fingerprint` is gone, as far as the recording can tell. */
function goneIn(runs: readonly Outcome[], wanted: number, fingerprint: string): Answer {
  const bad = runs.find((run) => run.kind !== 'succeeded');
  const good = runs.filter((run) => run.kind === 'succeeded').length;
  // Whatever came after a question that could not be answered says nothing about production.
  const stray = strayIn(runs);
  if (stray !== undefined && (bad === undefined || !hasFailed(bad, fingerprint))) {
    return unknown(`it asks what the recording does not hold: ${stray.title}`);
  }
  if (bad === undefined) return pass(`no failure in ${good} of ${wanted} replays of the request`);
  if (good > 0) return unknown(`unsteady: ${good} replays went well, then ${endOf(bad)}`);
  if (bad.kind === 'failed') return fail(endOf(bad));
  const crashed = bad.kind === 'not-ready' && bad.observed.exit !== null;
  return crashed ? fail(endOf(bad)) : unknown(endOf(bad));
}

function hasFailed(outcome: Outcome, fingerprint: string): boolean {
  if (outcome.kind !== 'failed') return false;
  return outcome.failures.some((found) => found.fingerprint === fingerprint);
}

/** What the runs asked after their start without getting a recorded answer; writes first. */
function strayIn(runs: readonly Outcome[]): Divergence | undefined {
  const strays = runs
    .flatMap((run) => ('observed' in run ? run.observed.divergences : []))
    .filter((found) => !found.duringBoot);
  return strays.find((found) => found.effect === 'write') ?? strays[0];
}

function endOf(outcome: Outcome): string {
  if (outcome.kind === 'failed') {
    return `the patched code fails: ${outcome.failures[0]?.message ?? 'without a message'}`;
  }
  if (outcome.kind === 'not-ready') return `the patched code does not start: ${outcome.reason}`;
  return 'reason' in outcome ? outcome.reason : outcome.kind;
}

/** Other occurrences of the issue: a fix for one request only is none. */
async function replayOthers(state: Verification, build: Build): Promise<void> {
  const { options, limits, answers } = state;
  const others = options.others.slice(0, limits.othersMax);
  let judged = 0;
  for (const other of others) {
    options.onProgress(`replaying other occurrences (${judged + 1} of ${others.length})`);
    const outcome = await replayPatched(state, build, other);
    // What came after a question without a recorded answer says nothing about production.
    const { fingerprint } = options.occurrence.failure;
    const strayed = strayIn([outcome]) !== undefined;
    if (outcome.kind === 'failed' && strayed && !hasFailed(outcome, fingerprint)) continue;
    if (outcome.kind === 'failed') {
      answers.set('error-gone', fail(`another occurrence still fails: ${endOf(outcome)}`));
      return;
    }
    if (outcome.kind !== 'succeeded') continue;
    if (!strayed) judged++;
    const sane = outcomeOf(state, other, outcome.observed);
    if (sane.answer === 'fail') {
      answers.set('outcome-sane', fail(`in another occurrence, ${sane.reason}`));
      return;
    }
  }
  const gone = answers.get('error-gone');
  if (others.length > 0 && gone?.answer === 'pass') {
    const reason = `${gone.reason}, nor in ${judged} of ${others.length} other occurrences`;
    answers.set('error-gone', { answer: 'pass', reason });
  }
}

/** Checks 3, 4 and 5: the worst answer of any run counts, since production may be like it. */
function judgeRuns(state: Verification, runs: readonly Outcome[]): void {
  const { options, answers } = state;
  const before = servedBefore(state);
  const siblings = siblingsOf(state);
  const request = sampleOf(options.evidence.recording)?.request;
  const note = (name: CheckName, found: Answer) => {
    const known = answers.get(name);
    answers.set(name, known?.answer === 'fail' ? known : found);
  };
  const good = runs.flatMap((run) => (run.kind === 'succeeded' ? [run.observed] : []));
  const calls = good.map(({ served: after, divergences, answer }) => {
    const refused = (answer?.status ?? 0) >= 400;
    return { before, after, divergences, refused, siblings, request };
  });
  note('outcome-sane', worstOf(good.map((one) => outcomeOf(state, options.evidence, one))));
  note('calls-before-equal', worstOf(calls.map(judgeCallsBefore)));
  note('calls-after-plausible', worstOf(calls.map(judgeCallsAfter)));
}

function worstOf(found: readonly Answer[]): Answer {
  const is = (answer: Answer['answer']) => found.find((one) => one.answer === answer);
  return is('fail') ?? is('unknown') ?? found[0] ?? unknown('no replay went well');
}

/** Check 3 for one replay: sane, and not by a value that the patch makes up. */
function outcomeOf(state: Verification, evidence: Evidence, observed: Observed): Answer {
  const siblings = siblingsOf(state);
  const trigger = sampleOf(evidence.recording);
  const after = trigger === null ? null : sampleOfObserved(observed, trigger.request);
  if (trigger === null || after === null) {
    return unknown('there is no answer to compare with others');
  }
  const { literals: brought, compared, zero, added } = state.brought;
  const answer = judgeOutcome({ after, trigger, siblings, bringsZero: zero });
  const special = answer.answer === 'pass' ? specialCase(compared, trigger, siblings) : null;
  if (special !== null) {
    return unknown(`the patch looks for "${special}", which is of this request alone`);
  }
  if (answer.answer !== 'pass' || after.status >= 400) return answer;
  const odd = oddAnswer({ after, trigger, siblings });
  if (odd !== null) return odd;
  const calls = callsBeyond(servedBefore(state), observed.served);
  const hollow = hollowWrite(calls, siblings, statementsOf(evidence.boot));
  if (hollow !== null) return unknown(`${hollow}: no recording shows that it is right`);
  const madeUp = madeUpIn({ brought, after, calls, siblings });
  if (madeUp === null) {
    const foreign = foreignValue({ added, after, trigger, siblings, calls });
    return foreign === null ? answer : unknown(foreign);
  }
  const { value, where } = madeUp;
  return unknown(`"${value}" in ${where} is made up by the patch: no recording shows it is right`);
}

function siblingsOf({ options }: Verification): Sample[] {
  return options.siblings.flatMap((recording) => sampleOf(recording) ?? []);
}

function servedBefore(state: Verification): readonly Served[] {
  return state.options.reproduction.runs[0]?.served ?? [];
}

/** Check 9: what the debugger saw of the patched code, against what it saw of the old. */
function judgeRaised(state: Verification, outcome: Outcome): Answer {
  if (outcome.kind !== 'succeeded') return unknown(`under watch, ${endOf(outcome)}`);
  const { occurrence, reproduction, evidence } = state.options;
  const after = outcome.observed;
  const status = after.answer?.status ?? 0;
  const sane = state.answers.get('outcome-sane')?.answer === 'pass';
  return judgeSwallowed({
    trace: occurrence.failure.trace,
    originals: reproduction.runs.flatMap((run) => run.raised),
    after,
    refusedForReason: status >= 400 && status < 500 && sane,
    errors: errorsOf(evidence.recording),
  });
}

function errorsOf({ connections }: Recording): Set<string> {
  const failed = exchangesOf(connections).filter(({ error }) => error !== null);
  return new Set(failed.map(({ id }) => id));
}

/** Checks 4 and 5: what the patched code asks of the world around it, against what it should. */
import type { Divergence, Served } from '../domain/outcome.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';
import type { Sample } from './outcome-sane.ts';
import { undoneWork } from './transactions.ts';
import { seldomWrite } from './writes.ts';

/** Calls of one replay, without those that only prepare or frame others. */
export function callsOf(served: readonly Served[]): Served[] {
  return served.filter((call) => !call.duringBoot && call.effect !== 'control');
}

/**
 * Check 4: every call that the failing run made is made again with the same content. A patch
 * that refuses the request may stop asking earlier, but it may not leave a write out.
 */
export function judgeCallsBefore(options: {
  before: readonly Served[];
  after: readonly Served[];
  refused: boolean;
}): Answer {
  const before = callsOf(options.before);
  const after = callsOf(options.after);
  const missing = surplus(before, after);
  if (missing.length === 0) {
    return pass(sameCalls(before.length));
  }
  const write = missing.find((call) => call.effect !== 'read');
  if (options.refused && write === undefined) {
    return pass(`it refuses the request earlier, leaving out ${count(missing)} that only read`);
  }
  return fail(
    `it no longer makes a call that the failing run made: ${(write ?? missing[0]!).title}`,
  );
}

/**
 * Check 5: calls beyond those of the failing run. Allowed is what successful siblings do; what
 * nobody was seen doing is unknown when it reads and fails when it writes; and a success that
 * leaves out what every sibling does has skipped work.
 */
export function judgeCallsAfter(options: {
  before: readonly Served[];
  after: readonly Served[];
  divergences: readonly Divergence[];
  refused: boolean;
  siblings: readonly Sample[];
  /** The trigger's, as a value. */
  request?: unknown;
}): Answer {
  const after = callsOf(options.after);
  const extra = surplus(after, callsOf(options.before));
  const diverged = options.divergences.filter((found) => !found.duringBoot);
  const forms = formsOf(options.siblings);
  const strange = diverged.find((found) => found.effect === 'write');
  if (strange !== undefined) return fail(`it writes what was never seen: ${strange.title}`);
  const unseen = extra.find((call) => call.effect !== 'read' && !forms.any.has(call.formKey));
  if (unseen !== undefined) {
    return fail(`it makes a call that no successful request of this route makes: ${unseen.title}`);
  }
  if (diverged[0] !== undefined) {
    return unknown(`it asks what the recording does not hold: ${diverged[0].title}`);
  }
  const skipped = options.refused ? undefined : skippedWork(after, forms);
  if (skipped !== undefined) {
    return fail(`work skipped: every successful request of this route also makes ${skipped}`);
  }
  const { request, siblings } = options;
  const undone = options.refused ? null : undoneWork(options.after, siblings);
  if (undone !== null) return fail(`work undone: ${undone}`);
  const seldom = options.refused ? null : seldomWrite({ after, request, siblings });
  if (seldom !== null) return fail(`work skipped: ${seldom}`);
  const assumed = extra.filter((call) => call.assumed.length > 0);
  if (assumed.length > 0) {
    const names = [...new Set(assumed.flatMap((call) => call.assumed))].join(', ');
    return unknown(`its answer rests on made-up values of a write not recorded: ${names}`);
  }
  const said = extra.length === 0 ? 'no calls beyond the recorded ones' : `${count(extra)} more`;
  return pass(`${said}${extra.length === 0 ? '' : ', all of a form that siblings make'}`);
}

/** Calls that one run makes beyond those of another. */
export function callsBeyond(before: readonly Served[], after: readonly Served[]): Served[] {
  return surplus(callsOf(after), callsOf(before));
}

interface Forms {
  any: Set<string>;
  /** Forms that every successful sibling makes, with a title for people. */
  every: Map<string, string>;
}

function formsOf(siblings: readonly Sample[]): Forms {
  const fine = siblings.filter((sibling) => sibling.status < 400);
  const any = new Set(fine.flatMap((sibling) => sibling.calls.map((call) => call.formKey)));
  const every = new Map<string, string>();
  for (const call of fine[0]?.calls ?? []) {
    const always = fine.every((s) => s.calls.some((other) => other.formKey === call.formKey));
    if (always && call.effect !== 'control') every.set(call.formKey, call.title);
  }
  return { any, every };
}

function skippedWork(after: readonly Served[], forms: Forms): string | undefined {
  const made = new Set(after.map((call) => call.formKey));
  return [...forms.every].find(([form]) => !made.has(form))?.[1];
}

/** Calls of `more` that `less` does not make, counted with multiplicity, by identity. */
function surplus(more: readonly Served[], less: readonly Served[]): Served[] {
  const left = less.map(identity);
  return more.filter((call) => {
    const at = left.indexOf(identity(call));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** A change that stands for the same recorded one but for times and ids made anew is the same. */
export function identity(call: Served): string {
  if (call.effect !== 'read' && call.grade === 'normalised' && call.exchangeId !== null) {
    return `recorded ${call.exchangeId}`;
  }
  const server = `${call.serverName ?? call.server.address}:${call.server.port}`;
  return `${call.protocol} ${server} ${call.key}`;
}

function sameCalls(made: number): string {
  if (made === 0) return 'the failing run made no calls that could be left out';
  if (made === 1) return 'the 1 call up to the failure is the recorded one';
  return `the ${made} calls up to the failure are the recorded ones`;
}

function count(calls: readonly Served[]): string {
  return calls.length === 1 ? '1 call' : `${calls.length} calls`;
}

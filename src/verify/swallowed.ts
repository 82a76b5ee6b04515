/** Check 9: is the original exception gone, or only caught where nobody sees it? */
import type { Trace } from '../domain/failure.ts';
import type { Observed, Raised } from '../domain/outcome.ts';
import { normalisedMessage } from '../symptoms/fingerprint.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';

export interface SwallowedOptions {
  /** Of the failure in production; null where it printed none. */
  trace: Trace | null;
  /** What the debugger saw of the unpatched code. */
  originals: readonly Raised[];
  /** The patched code under the debugger. */
  after: Pick<Observed, 'raised' | 'watched' | 'answer' | 'served'>;
  /** Whether the request is refused for a reason that check 3 could see in the request itself. */
  refusedForReason: boolean;
  /** Exchanges of the trigger's recording that were answered with an error of their protocol. */
  errors: ReadonlySet<string>;
}

/**
 * The original exception is not raised any more. Raised and caught counts as handled only where
 * the request is refused for a reason. That the debugger sees nothing counts only where it would
 * have seen something: it must have seen the original in the unpatched code.
 */
export function judgeSwallowed(options: SwallowedOptions): Answer {
  const { trace, originals, after, refusedForReason } = options;
  if (!after.watched) return unknown('exceptions of this runtime cannot be watched');
  const same = after.raised.find((raised) => isSame(raised, trace, originals));
  const status = after.answer?.status ?? 0;
  if (same !== undefined) {
    const place = `${same.file}:${same.line}`;
    return refusedForReason
      ? pass(`raised at ${place} for bad input, caught and answered with ${status}`)
      : fail(`the original exception is still raised at ${place} and swallowed`);
  }
  if (trace === null) return judgeWithoutTrace(options);
  if (originals.some((raised) => isOriginal(raised, trace, originals))) {
    return pass('the original exception is not raised any more');
  }
  return judgeUnseen(options, trace);
}

/** A failure without a trace: whatever the failing run raised may have been its cause. */
function judgeWithoutTrace({ originals, after, refusedForReason }: SwallowedOptions): Answer {
  const still = after.raised.find((raised) =>
    originals.some((one) => one.file === raised.file && isAlike(one, raised)),
  );
  const blind = originals.length === 0 && after.raised.length > 0;
  if (blind && !refusedForReason) {
    return unknown('the debugger did not see what was raised in the unpatched code');
  }
  if (still === undefined || refusedForReason) {
    return pass('no exception of the failing run is raised any more');
  }
  const place = `${still.file}:${still.line}`;
  return unknown(`an exception is raised at ${place} as in the failing run: it may be the cause`);
}

/** The debugger did not see the original either, as with errors that a library hands on. */
function judgeUnseen(options: SwallowedOptions, trace: Trace): Answer {
  if (trace.lines[0]?.inApp === true) {
    return unknown('the debugger does not see the original exception in the unpatched code either');
  }
  const { after, errors } = options;
  const met = after.served.find(({ exchangeId }) => exchangeId !== null && errors.has(exchangeId));
  if (met !== undefined && (after.answer?.status ?? 0) < 400) {
    return unknown(`an error is still what ${met.title} is answered with, and nothing shows it`);
  }
  return pass('the original exception is not raised any more');
}

/**
 * A message may hold what a user sent, lines and all, so that its print can be misread: what the
 * debugger saw of the unpatched code at the trace's own line counts as much.
 */
export function isSame(raised: Raised, trace: Trace | null, originals: readonly Raised[]): boolean {
  if (trace === null) return false;
  const top = trace.lines.find((line) => line.inApp);
  if (raised.type === trace.type && raised.message === trace.message) return true;
  if (raised.file === top?.file && isAlike(raised, trace)) return true;
  return originals.some(
    (one) => one.file === top?.file && one.line === top.line && isAlike(one, raised),
  );
}

function isOriginal(raised: Raised, trace: Trace, originals: readonly Raised[]): boolean {
  const top = trace.lines.find((line) => line.inApp);
  const isThere = raised.file === top?.file && raised.line === top.line;
  return isThere || isSame(raised, trace, originals);
}

/** Ids, numbers and times in messages differ from run to run, and long ones are cut. */
function isAlike(a: { type: string; message: string }, b: typeof a): boolean {
  return a.type === b.type && normalisedMessage(a.message) === normalisedMessage(b.message);
}

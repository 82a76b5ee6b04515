/** Check 3: is the new answer one that this route would give, or does it only look calm? */

import { type Answer, fail, pass, unknown } from './answer.ts';
import { type Break, breaksOf } from './shape.ts';

/** A request with its answer and the calls made for it, as values that can be compared. */
export interface Sample {
  /** Path parameters, query, headers that carry meaning and body. */
  request: unknown;
  status: number;
  contentType: string;
  /** Parsed where it is JSON, else its text. */
  body: unknown;
  bodyBytes: number;
  calls: SampleCall[];
}

/** An outgoing call in the form that can be compared with siblings' calls. */
export interface SampleCall {
  formKey: string;
  effect: 'read' | 'write' | 'control' | 'unknown';
  title: string;
  /** Parameters of the question as texts. */
  parameters: string[];
  /** What came back, as a value: status and body, or rows. */
  answer: unknown;
}

/**
 * @param after what the patched code answered to the trigger, with its calls
 * @param trigger the recorded trigger: its request and the calls up to the failure
 * @param siblings successful exchanges of the same route
 */
export function judgeOutcome(after: Sample, trigger: Sample, siblings: readonly Sample[]): Answer {
  const { status } = after;
  if (status >= 500) return fail(`it now answers ${status}`);
  const fine = siblings.filter((sibling) => sibling.status < 400);
  if (status >= 400) return judgeRefusal(status, trigger, fine);
  if (fine.length === 0) {
    return unknown('no successful request of this route is recorded to compare with');
  }
  if (!fine.some((sibling) => sameClass(sibling.status, status))) {
    const usual = [...new Set(fine.map((sibling) => sibling.status))].join(', ');
    return fail(`it answers ${status} where successful requests answer ${usual}`);
  }
  return judgeContent(after, fine);
}

function judgeContent(after: Sample, fine: readonly Sample[]): Answer {
  if (after.bodyBytes === 0 && fine.every((sibling) => sibling.bodyBytes > 0)) {
    return fail('the answer is empty where successful requests have content');
  }
  if (fine.every((sibling) => mediaType(sibling) !== mediaType(after))) {
    return fail(`the answer is ${mediaType(after) || 'untyped'}, not ${mediaType(fine[0]!)}`);
  }
  const breaks = breaksOf(
    after.body,
    fine.map((sibling) => sibling.body),
  );
  // A null says "there is none" in every client; a field that is gone or of another type breaks.
  const hard = breaks.filter((found) => found.kind !== 'null' && found.kind !== 'range');
  const soft = breaks.filter((found) => found.kind === 'null');
  if (hard.length > 0) return fail(`unlike successful answers of this route, ${list(hard)}`);
  const compared = `${fine.length} successful answer${fine.length === 1 ? '' : 's'} of this route`;
  if (soft.length > 0) return pass(`like ${compared}, except that ${list(soft)}`);
  return pass(`status ${after.status} and the same shape as ${compared}`);
}

/** A refusal is right only where the input breaks what every successful sibling satisfies. */
function judgeRefusal(status: number, trigger: Sample, fine: readonly Sample[]): Answer {
  if (fine.length === 0) {
    return unknown(`it now refuses with ${status}; no successful request is there to compare with`);
  }
  const breaks = breaksOf(
    trigger.request,
    fine.map((sibling) => sibling.request),
  );
  if (breaks.length > 0) {
    return pass(`refused with ${status}, since ${list(breaks)} in this request only`);
  }
  const absent = trigger.calls.find((call) => isAbsence(call, trigger, fine));
  if (absent !== undefined && (status === 404 || status === 410 || status === 409)) {
    return pass(`refused with ${status}, since what the request names was not found`);
  }
  return fail(`it now refuses with ${status} although the request is as good as successful ones`);
}

/** The request named something, and the answer to that question was empty; siblings' never is. */
function isAbsence(call: SampleCall, trigger: Sample, fine: readonly Sample[]): boolean {
  const named = textsOf(trigger.request);
  if (!call.parameters.some((parameter) => named.has(parameter))) return false;
  const answers = fine.flatMap((sibling) =>
    sibling.calls.filter((other) => other.formKey === call.formKey).map((other) => other.answer),
  );
  return breaksOf(call.answer, answers).some((found) => found.kind === 'empty');
}

function textsOf(value: unknown): Set<string> {
  const texts = new Set<string>();
  const visit = (item: unknown): void => {
    if (typeof item === 'string' || typeof item === 'number') texts.add(String(item));
    else if (typeof item === 'object' && item !== null) Object.values(item).forEach(visit);
  };
  visit(value);
  return texts;
}

function sameClass(a: number, b: number): boolean {
  return a === b || (a < 300 && b < 300 && a !== 204 && b !== 204);
}

function mediaType(sample: Sample): string {
  return (sample.contentType.split(';')[0] ?? '').trim().toLowerCase();
}

function list(breaks: readonly Break[]): string {
  const shown = breaks.slice(0, 3).map((found) => found.says);
  if (breaks.length > 3) shown.push(`and ${breaks.length - 3} more`);
  return shown.join(', ');
}

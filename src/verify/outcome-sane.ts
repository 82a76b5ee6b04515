/** Check 3: is the new answer one that this route would give, or does it only look calm? */

import { type Answer, fail, pass, unknown } from './answer.ts';
import { type Break, breaksOf } from './shape.ts';
import type { Endings } from './transactions.ts';

/** A request with its answer and the calls made for it, as values that can be compared. */
export interface Sample {
  /** Path parameters, query, headers that carry meaning and body. */
  request: unknown;
  status: number;
  contentType: string;
  /** Where a redirect leads. */
  location?: string | null;
  /** Parsed where it is JSON, else its text. */
  body: unknown;
  bodyBytes: number;
  calls: SampleCall[];
  /** How its transactions ended. */
  endings?: Endings;
}

/** An outgoing call in the form that can be compared with siblings' calls. */
export interface SampleCall {
  formKey: string;
  effect: 'read' | 'write' | 'control' | 'unknown';
  title: string;
  /** Parameters of the question as texts. */
  parameters: string[];
  /** The same by name. */
  fields?: Record<string, string>;
  /** What came back, as a value: status and body, or rows. */
  answer: unknown;
}

export interface OutcomeOptions {
  /** What the patched code answered to the trigger, with its calls. */
  after: Sample;
  /** The recorded trigger: its request and the calls up to the failure. */
  trigger: Sample;
  /** Successful exchanges of the same route. */
  siblings: readonly Sample[];
  /** Whether the patch's own text brings in a zero. */
  bringsZero: boolean;
}

export function judgeOutcome(options: OutcomeOptions): Answer {
  const { after, trigger, siblings } = options;
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
  return judgeContent(options, fine);
}

function judgeContent(options: OutcomeOptions, fine: readonly Sample[]): Answer {
  const { after, bringsZero } = options;
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
  const range = breaks.filter((found) => found.kind === 'range');
  if (hard.length > 0) return fail(`unlike successful answers of this route, ${list(hard)}`);
  if (range.length > 0 && bringsZero) return unknown(`${list(range)}, by a zero of the patch`);
  const guessed = guessOf(options, fine, soft.length + range.length > 0);
  if (guessed !== null) return unknown(guessed);
  const compared = `${fine.length} successful answer${fine.length === 1 ? '' : 's'} of this route`;
  const unlike = [...soft, ...range];
  if (unlike.length > 0) return pass(`like ${compared}, except that ${list(unlike)}`);
  return pass(`status ${after.status} and the same shape as ${compared}`);
}

/**
 * Why nobody can tell what the right answer to such a request is: it is malformed, or it lacks or
 * names what is not there and the answer has a hole, and yet it is answered with success.
 */
function guessOf(
  { after, trigger }: OutcomeOptions,
  fine: readonly Sample[],
  hasHole: boolean,
): string | null {
  // It had been answered with success before the failure came: that is what is right.
  if (trigger.status > 0 && trigger.status < 400) return null;
  const requests = fine.map((sibling) => sibling.request);
  const breaks = breaksOf(trigger.request, requests);
  const malformed = breaks.filter(({ kind, says }) => {
    return kind === 'type' || (kind === 'form' && !says.endsWith('is not filled'));
  });
  const told = 'no recorded answer shows what is right then';
  if (malformed.length > 0) return `accepted although ${list(malformed)}; ${told}`;
  if (!hasHole) return null;
  if (breaks.length > 0) return `accepted although ${list(breaks)}; ${told}`;
  const absent = trigger.calls.some((call) => isAbsence(call, trigger, fine));
  if (absent) return `accepted although what the request names was not found; ${told}`;
  const unknown = unknownName(trigger, fine);
  if (unknown === null || tellsMore(after, trigger, fine)) return null;
  return `accepted although nothing shows that "${unknown}" is there; ${told}`;
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
  const reasons = breaks.filter(({ path }) => statusesFor(path).includes(status));
  if (reasons.length > 0) {
    return pass(`refused with ${status}, since ${list(reasons)} in this request only`);
  }
  const absent = trigger.calls.find((call) => isAbsence(call, trigger, fine));
  if (absent !== undefined && (status === 404 || status === 410 || status === 409)) {
    return pass(`refused with ${status}, since what the request names was not found`);
  }
  if (breaks.length > 0) {
    return unknown(`it now refuses with ${status}, which does not say that ${list(breaks)}`);
  }
  const unknownOne = unknownName(trigger, fine);
  if (unknownOne !== null && (status === 404 || status === 410)) {
    return unknown(
      `it now refuses with ${status}; nothing recorded shows whether "${unknownOne}" is there`,
    );
  }
  return fail(`it now refuses with ${status} although the request is as good as successful ones`);
}

/** Statuses (RFC 9110) that tell a caller what is wrong at this place of a request. */
function statusesFor(path: string): number[] {
  const [part, name] = path.split('.');
  if (part === 'path' || part === 'query') return [400, 404, 410, 422];
  if (part === 'header' && name === 'accept') return [400, 406];
  if (part === 'header' && name !== 'content-type') return [401, 403];
  return [400, 409, 413, 415, 422];
}

/**
 * What the request names in its path or query and no success named before, unless a call found
 * it: an app that keeps its things in memory asks nobody, so it may be there or not.
 */
function unknownName(trigger: Sample, fine: readonly Sample[]): string | null {
  for (const part of ['path', 'query'] as const) {
    for (const [name, value] of Object.entries(partOf(trigger, part))) {
      if (typeof value !== 'string') continue;
      if (fine.some((sibling) => partOf(sibling, part)[name] === value)) continue;
      const found = trigger.calls.some(
        (call) => asksFor(call, value) && !isAbsence(call, trigger, fine),
      );
      if (!found) return value.slice(0, 60);
    }
  }
  return null;
}

/** As a parameter, or as a part of a path: `/offers/4`. */
function asksFor({ parameters }: SampleCall, value: string): boolean {
  return parameters.some((text) => text === value || text.split(/[/?&=]/).includes(value));
}

function partOf({ request }: Sample, part: 'path' | 'query'): Record<string, unknown> {
  const value = (request as Record<string, unknown> | null)?.[part];
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Whether the answer holds what is neither an echo of the request nor a constant of the route. */
function tellsMore(after: Sample, trigger: Sample, fine: readonly Sample[]): boolean {
  const known = [textsOf(trigger.request), ...fine.map((sibling) => textsOf(sibling.body))];
  return [...textsOf(after.body)].some((text) => !known.some((texts) => texts.has(text)));
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

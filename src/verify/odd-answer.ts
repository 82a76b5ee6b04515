/** Check 3, beyond shapes: answers that have the right form and still say something else. */
import { type Answer, fail, unknown } from './answer.ts';
import type { Sample } from './outcome-sane.ts';
import { breaksOf } from './shape.ts';

/** What is wrong with an answer that is no refusal; null where nothing is. */
export function oddAnswer(options: {
  after: Sample;
  trigger: Sample;
  siblings: readonly Sample[];
}): Answer | null {
  const { after, trigger, siblings } = options;
  if (after.status >= 400) return null;
  const fine = siblings.filter(({ status }) => status < 400);
  return unlikeBefore(after, trigger) ?? leadsElsewhere(after, fine) ?? nonsenseIn(options);
}

/** Where production had answered with success before the failure came, that answer was right. */
function unlikeBefore(after: Sample, trigger: Sample): Answer | null {
  if (trigger.status <= 0 || trigger.status >= 400) return null;
  if (after.status !== trigger.status) {
    return fail(`it answers ${after.status}, and had answered ${trigger.status} before it failed`);
  }
  const [lost] = breaksOf(after.body, [trigger.body]).filter(({ kind }) => kind !== 'range');
  return lost === undefined ? null : fail(`unlike the answer before it failed, ${lost.says}`);
}

/** A redirect leads where successful requests are led, as far as those agree. */
function leadsElsewhere(after: Sample, fine: readonly Sample[]): Answer | null {
  if (after.status < 300) return null;
  const usual = fine.flatMap((sibling) => {
    const segments = segmentsOf(sibling);
    return segments === null ? [] : [segments];
  });
  const now = segmentsOf(after);
  if (usual.length === 0 || now === null) return null;
  const fits = usual.some((one) => one.length === now.length);
  const agreed = (usual[0] ?? []).map((word, at) => usual.every((one) => one[at] === word));
  const isThere = fits && now.every((word, at) => !agreed[at] || word === usual[0]![at]);
  if (isThere) return null;
  const says = `it leads to ${now.join('/')}, where successful requests lead elsewhere`;
  return usual.length > 1 ? fail(says) : unknown(says);
}

/** Segments of the path of a redirect, ids as `:`; null where there is none. */
function segmentsOf({ location }: Sample): string[] | null {
  if (location === undefined || location === null) return null;
  if (!URL.canParse(location, 'http://app')) return [location];
  const { pathname, host } = new URL(location, 'http://app');
  const words = pathname.split('/').slice(1);
  return [host === 'app' ? '' : host, ...words.map((word) => (/\d/.test(word) ? ':' : word))];
}

/** What languages print of values that are not there. */
const nonsense = /\b(?:undefined|NaN|Invalid Date)\b|\[object \w+\]/;

function nonsenseIn({ after, trigger, siblings }: Parameters<typeof oddAnswer>[0]): Answer | null {
  const [found] = textsOf(after.body).flatMap((text) => nonsense.exec(text)?.[0] ?? []);
  if (found === undefined) return null;
  const answers = trigger.calls.map((call) => call.answer);
  const others = siblings.flatMap((one) => [one.body, ...one.calls.map((call) => call.answer)]);
  const known = [trigger.request, ...answers, ...others].flatMap(textsOf);
  if (known.some((text) => text.includes(found))) return null;
  return unknown(`"${found}" is in the answer: the print of a value that is not there`);
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** What differs between answers beyond what differs by itself: ids, times, random values. */

/**
 * Differences of `now`, in words, from two answers of the same code. Where those two differ
 * themselves anything of their kind is taken; in longer texts all words that they share have to
 * be there, too.
 */
export function differences(first: unknown, second: unknown, now: unknown, path = ''): string[] {
  const all = [first, second, now];
  const shape = shapeOf(first);
  if ((shape === 'object' || shape === 'array') && all.every((one) => shapeOf(one) === shape)) {
    const [a, b, c] = all as Record<string, unknown>[];
    const names = new Set(all.flatMap((tree) => Object.keys(tree as object)));
    return [...names].flatMap((name) =>
      differences(
        ...([held(a!, name), held(b!, name), held(c!, name)] as const),
        path === '' ? name : `${path}.${name}`,
      ),
    );
  }
  if (isEqual(first, now) || isEqual(second, now)) return [];
  if (!isEqual(first, second) && isOfKind(now, first, second)) return [];
  return [`${path || 'the body'} is ${shortText(now)}, was ${shortText(first)}`];
}

/** Only what is a value's own: names are anybody's. */
function held(tree: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(tree, name) ? tree[name] : undefined;
}

function isEqual(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}

function isOfKind(now: unknown, first: unknown, second: unknown): boolean {
  if (typeof now !== 'string' || typeof first !== 'string' || typeof second !== 'string') {
    return [first, second].some((one) => shapeOf(one) === shapeOf(now));
  }
  if (now.trim() === '') return false;
  return first.length < textCharsMin || sharesWords(first, second, now);
}

/** Shorter ones are ids, times and the like, where nothing is certain of a part. */
const textCharsMin = 100;

function sharesWords(first: string, second: string, now: string): boolean {
  const [a, b, c] = [first, second, now].map(wordsOf) as [string[], string[], string[]];
  if (a.length !== b.length) return true;
  return c.length === a.length && a.every((word, at) => word !== b[at] || word === c[at]);
}

/** What has digits in it is as good as any other: clocks go on. */
function wordsOf(text: string): string[] {
  return text.split(/[^\w-]+/).map((word) => (/\d/.test(word) ? '#' : word));
}

function shapeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function shortText(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value).slice(0, 60);
}

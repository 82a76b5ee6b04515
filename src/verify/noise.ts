/** Which parts of an answer differ by themselves, and what differs beyond that. */

/** Paths at which two answers of the same code differ: ids, times, random values. */
export function noiseBetween(first: unknown, second: unknown): Set<string> {
  return new Set(leavesThatDiffer(first, second).map((leaf) => leaf.path));
}

/** Differences in words, outside of noise. */
export function differences(before: unknown, after: unknown, noise: ReadonlySet<string>): string[] {
  return leavesThatDiffer(before, after)
    .filter((leaf) => !noise.has(leaf.path))
    .map((leaf) => `${leaf.path || 'the body'} is ${leaf.after}, was ${leaf.before}`);
}

interface Leaf {
  path: string;
  before: string;
  after: string;
}

function leavesThatDiffer(before: unknown, after: unknown, path = ''): Leaf[] {
  if (isTree(before) && isTree(after) && Array.isArray(before) === Array.isArray(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) =>
      leavesThatDiffer(before[name], after[name], path === '' ? name : `${path}.${name}`),
    );
  }
  if (Object.is(before, after)) return [];
  return [{ path, before: shortText(before), after: shortText(after) }];
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function shortText(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value).slice(0, 60);
}

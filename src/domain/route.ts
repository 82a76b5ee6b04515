/** Routes without a router: which paths are one endpoint with different values in it. */

/** What was asked: a method and a request target (path, path with query, or absolute URL). */
export interface Asked {
  method: string;
  target: string;
}

/** Paths that traffic has shown to be one route, see `learnRoutes`. */
export interface LearnedRoutes {
  /** The route of a request: `GET /price/:id`. */
  routeOf(asked: Asked): string;
}

export interface LearnOptions {
  /** Values that look like codes (USD, c2, blue-7): so many different ones make a parameter. */
  codesMin: number;
  /** Values that are plain words, as fixed routes are, too: so many make a parameter. */
  wordsMin: number;
}

export const learnDefaults: LearnOptions = { codesMin: 2, wordsMin: 8 };

const parameter = ':id';

/**
 * The route of one request by the look of its path alone: `GET /orders/:id`. Numbers, UUIDs,
 * hashes, ULIDs, dates, e-mail addresses, upper-case codes (not as first segment) and
 * names with digits behind a plural (`/carts/c2`) are values; versions (`v2`) are not.
 */
export function routeTemplate(method: string, target: string): string {
  return textOf(method, segmentsOf(target));
}

/**
 * Routes learnt from requests: a segment is a parameter, too, where traffic shows many different
 * values at its place while everything else is equal. Deterministic in the set of requests.
 */
export function learnRoutes(
  seen: Iterable<Asked>,
  options: Partial<LearnOptions> = {},
): LearnedRoutes {
  const limits = { ...learnDefaults, ...options };
  const paths = new Map<string, Path>();
  for (const { method, target } of seen) {
    const path = { method, segments: segmentsOf(target).map(fixed) };
    paths.set(textOfPath(path), path);
  }
  for (let found = parameterIn(paths, limits); found !== null; ) {
    for (const path of found.members) paths.delete(textOfPath(path));
    paths.set(textOfPath(found.merged), found.merged);
    found = parameterIn(paths, limits);
  }
  return new Routes(paths);
}

interface Segment {
  text: string;
  /** What else may stand here: nothing, code-like values, anything. */
  accepts: 'itself' | 'codes' | 'any';
}

interface Path {
  method: string;
  segments: Segment[];
}

class Routes implements LearnedRoutes {
  readonly #known: ReadonlyMap<string, Path>;
  /** Those with parameters, the most specific first. */
  readonly #general: readonly Path[];

  constructor(known: ReadonlyMap<string, Path>) {
    this.#known = known;
    this.#general = [...known.values()]
      .filter((path) => learntIn(path) > 0)
      .sort((a, b) => learntIn(a) - learntIn(b) || (textOfPath(a) < textOfPath(b) ? -1 : 1));
  }

  routeOf({ method, target }: Asked): string {
    const segments = segmentsOf(target);
    const text = textOf(method, segments);
    if (this.#known.has(text)) return text;
    const general = this.#general.find((path) => path.method === method && fits(path, segments));
    return general === undefined ? text : textOfPath(general);
  }
}

function fixed(text: string): Segment {
  return { text, accepts: 'itself' };
}

function learntIn(path: Path): number {
  return path.segments.filter((segment) => segment.accepts !== 'itself').length;
}

function fits(path: Path, values: readonly string[]): boolean {
  if (path.segments.length !== values.length) return false;
  return path.segments.every(({ text, accepts }, i) => {
    const value = values[i]!;
    return text === value || accepts === 'any' || (accepts === 'codes' && isCode(value));
  });
}

interface Found {
  members: Path[];
  merged: Path;
}

function parameterIn(paths: ReadonlyMap<string, Path>, limits: LearnOptions): Found | null {
  const all = [...paths.values()];
  const longest = all.reduce((most, path) => Math.max(most, path.segments.length), 0);
  for (let index = 0; index < longest; index += 1) {
    for (const group of groupsAt(all, index).values()) {
      const found = mergedAt(group, index, limits);
      if (found !== null) return found;
    }
  }
  return null;
}

function mergedAt(group: Path[], index: number, limits: LearnOptions): Found | null {
  const textHere = (path: Path) => path.segments[index]!.text;
  const codes = group.filter((path) => textHere(path) === parameter || isCode(textHere(path)));
  // The first segment names an area of an API far more often than a value.
  const words = index === 0 ? 0 : group.length - codes.length;
  const accepts = words >= limits.wordsMin ? 'any' : 'codes';
  const members = accepts === 'any' ? group : codes;
  if (members.length < limits.codesMin) return null;
  const segments = members[0]!.segments.map((segment, i): Segment => {
    if (i === index) return { text: parameter, accepts };
    const any = members.some((path) => path.segments[i]!.accepts === 'any');
    return any ? { ...segment, accepts: 'any' } : segment;
  });
  return { members, merged: { method: members[0]!.method, segments } };
}

function groupsAt(paths: Path[], index: number): Map<string, Path[]> {
  const groups = new Map<string, Path[]>();
  for (const path of paths) {
    if (path.segments.length <= index) continue;
    const rest = path.segments.map((segment, i) => (i === index ? '' : segment.text));
    const key = textOf(path.method, rest);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [path]);
    else group.push(path);
  }
  return groups;
}

function textOfPath(path: Path): string {
  return textOf(
    path.method,
    path.segments.map((segment) => segment.text),
  );
}

function textOf(method: string, segments: readonly string[]): string {
  return `${method} /${segments.join('/')}`;
}

function segmentsOf(target: string): string[] {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  const segments = path.replace(/^\//, '').split('/');
  return segments.map((segment, i) => (isValue(segment, segments[i - 1]) ? parameter : segment));
}

const valueShapes: readonly RegExp[] = [
  /^[+-]?\d+(\.\d+)?$/,
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  /^(?=.*\d)[0-9a-f]{12,}$/i,
  /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i,
  /^\d{4}-\d{2}(-\d{2}([T ].*)?)?$/,
  /^[^@]+@[^@]+\.[^@]+$/,
  /^[A-Za-z]{1,10}[_-](?=.*\d)[0-9A-Za-z]{8,}$/,
  /^(?=.*\d)(?=.*[A-Za-z])[0-9A-Za-z_=-]{20,}$/,
];

function isValue(segment: string, before: string | undefined): boolean {
  const text = decoded(segment);
  if (valueShapes.some((shape) => shape.test(text))) return true;
  if (before === undefined || isVersion(text)) return false;
  if (/^[A-Z]{2,5}$/.test(text)) return true;
  return /[a-z]s$/i.test(before) && /\d/.test(text) && !/\.[a-z]+\d?$/i.test(text);
}

function isCode(segment: string): boolean {
  const text = decoded(segment);
  return !isVersion(text) && (/\d/.test(text) || /^[A-Z]{2,}$/.test(text));
}

function isVersion(text: string): boolean {
  return /^v\d+(\.\d+)*$/i.test(text);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

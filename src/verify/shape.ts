/** Shapes of JSON values: in what a value breaks with what all of its siblings have in common. */

/** A place in a value and what is wrong there, in words. */
export interface Break {
  /** `body.items[].price`; '' for the value itself. */
  path: string;
  kind: 'missing' | 'null' | 'type' | 'form' | 'empty' | 'range';
  says: string;
}

/**
 * What all `examples` satisfy and `value` does not. Where examples differ among themselves they
 * ask nothing. No examples: nothing is asked, so nothing breaks.
 */
export function breaksOf(value: unknown, examples: readonly unknown[], path = ''): Break[] {
  if (examples.length === 0) return [];
  const types = new Set(examples.map(typeOf));
  const [type] = types;
  if (types.size !== 1 || type === undefined) return [];
  const place = path === '' ? 'it' : path;
  if (value === undefined) {
    return type === 'undefined' ? [] : [{ path, kind: 'missing', says: `${place} is missing` }];
  }
  if (type === 'undefined' || type === 'null') return [];
  if (value === null) return [{ path, kind: 'null', says: `${place} is null` }];
  if (typeOf(value) !== type) {
    const says = `${place} is ${article(typeOf(value))}, not ${article(type)}`;
    return [{ path, kind: 'type', says }];
  }
  if (type === 'object') return objectBreaks(value as object, examples as object[], path);
  if (type === 'array') return arrayBreaks(value as unknown[], examples as unknown[][], path);
  if (type === 'string') return stringBreaks(value as string, examples as string[], path);
  if (type === 'number') return numberBreaks(value as number, examples as number[], path);
  return [];
}

function objectBreaks(value: object, examples: readonly object[], path: string): Break[] {
  const names = new Set(examples.flatMap((example) => Object.keys(example)));
  return [...names].flatMap((name) => {
    const held = examples.map((example) => (example as Record<string, unknown>)[name]);
    const inner = path === '' ? name : `${path}.${name}`;
    return breaksOf((value as Record<string, unknown>)[name], held, inner);
  });
}

function arrayBreaks(value: unknown[], examples: readonly unknown[][], path: string): Break[] {
  const items = examples.flat();
  if (value.length === 0) {
    const allFilled = examples.every((example) => example.length > 0);
    return allFilled ? [{ path, kind: 'empty', says: `${path || 'it'} is empty` }] : [];
  }
  const found = value.flatMap((item) => breaksOf(item, items, `${path}[]`));
  return found.filter((a, i) => found.findIndex((b) => b.says === a.says) === i);
}

const formCharsMax = 2048;

const forms: { name: string; test: RegExp }[] = [
  { name: 'a number', test: /^-?\d+(\.\d+)?$/ },
  { name: 'a UUID', test: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i },
  { name: 'a date', test: /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/ },
  { name: 'an e-mail address', test: /^[^\s@]+@[^\s@]+\.[^\s@]+$/ },
  { name: 'a URL', test: /^https?:\/\/\S+$/ },
  { name: 'a JSON text', test: /^\s*[[{][\s\S]*[\]}]\s*$/ },
  { name: 'filled', test: /\S/ },
];

function stringBreaks(value: string, examples: readonly string[], path: string): Break[] {
  const form = forms.find((one) => examples.every((example) => hasForm(example, one)));
  const fits = form === undefined || (hasForm(value, form) && isRealDate(form.name, value));
  return fits ? [] : [{ path, kind: 'form', says: `${path || 'it'} is not ${form.name}` }];
}

/** Long texts are looked at for being there and for JSON only: the rest is short by nature. */
function hasForm(text: string, { name, test }: (typeof forms)[number]): boolean {
  const isShort = text.length <= formCharsMax;
  return (isShort || name === 'filled' || name === 'a JSON text') && test.test(text);
}

/** A text like 2024-02-31 or 2024-13-01 has the form of a date and is none. */
function isRealDate(form: string, value: string): boolean {
  if (form !== 'a date') return true;
  const [year, month, day] = value.slice(0, 10).split('-').map(Number) as [number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function numberBreaks(value: number, examples: readonly number[], path: string): Break[] {
  const place = path || 'it';
  const says =
    examples.every((n) => Number.isInteger(n)) && !Number.isInteger(value)
      ? `${place} is not a whole number`
      : examples.every((n) => n > 0) && value <= 0
        ? `${place} is not positive`
        : null;
  return says === null ? [] : [{ path, kind: 'range', says }];
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

/** Values that only the real service knows, made up by the look of those that siblings saw. */

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const instant = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?$/;

/**
 * A value of the form that all examples have, as text: integers one above the largest, the
 * largest instant, a UUID that shows what it is; anything else is the word `assumed`.
 */
export function madeUpText(examples: readonly string[]): string {
  const all = (shape: RegExp) => examples.length > 0 && examples.every((text) => shape.test(text));
  if (all(/^-?\d{1,38}$/)) {
    let largest = BigInt(examples[0]!);
    for (const text of examples) if (BigInt(text) > largest) largest = BigInt(text);
    return String(largest + 1n);
  }
  if (all(/^[tf]$/)) return examples.at(-1)!;
  if (all(/^-?\d+\.\d+$/)) return examples.at(-1)!;
  if (all(instant)) return examples.toSorted().at(-1)!;
  if (all(uuid)) return '00000000-0000-4000-8000-000000a55e3d';
  return 'assumed';
}

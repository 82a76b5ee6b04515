// How every benchmark tells its result: a table for people, then one line of JSON for programs.

export interface Figure {
  value: number;
  unit: string;
  /** Against the baseline of the same run. */
  ratio: number;
  /** What the ratio is of, for people. */
  against?: string;
}

export type Figures = Record<string, Figure>;

/** Prints the table and, as the last line, `{"bench": ..., "figures": {name: {value, unit, ratio}}}`. */
export function printFigures(bench: string, figures: Figures): void {
  for (const line of figureLines(bench, figures)) console.log(line);
}

/** Throws when a figure is not a number: a benchmark that measured nothing must not look done. */
export function figureLines(bench: string, figures: Figures): string[] {
  const rows = Object.entries(figures).map(([name, { value, unit, ratio, against }]) => {
    if (!Number.isFinite(value) || !Number.isFinite(ratio))
      throw new Error(`${bench}: ${name} is not a number`);
    return [name, rounded(value).toString(), unit, `x${rounded(ratio)}`, against ?? ''];
  });
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(0, ...rows.map((row) => row[column]!.length)),
  );
  const table = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column] ?? 0),
    );
    return cells.join('  ').trimEnd();
  });
  const told = Object.entries(figures).map(([name, { value, unit, ratio }]) => {
    return [name, { value: rounded(value), unit, ratio: rounded(ratio) }];
  });
  return [...table, JSON.stringify({ bench, figures: Object.fromEntries(told) })];
}

/** The middle one, the upper of two. */
export function median(values: readonly number[]): number {
  const middle = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  if (middle === undefined) throw new Error('the median of nothing');
  return middle;
}

/** Four digits that count: more would claim a precision that no machine has. */
function rounded(value: number): number {
  if (Math.abs(value) >= 1000) return Math.round(value);
  return Number(value.toPrecision(4));
}

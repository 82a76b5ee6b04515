/** Exists so that nothing recorded can drive a terminal, and that all output looks alike. */
import { styleText } from 'node:util';

/** Columns that everything but logs and diffs keeps to. */
export const columnsMax = 100;

// ESC and CSI/OSC sequences as ECMA-48 writes them, then whatever controls are left. Bidirectional
// overrides and invisible joiners can make text look like other text.
const sequences = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const c1Sequences = /\u009b[0-?]*[ -/]*[@-~]/g;
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
const directions = /[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text that is safe to print; line feeds and tabs stay. */
export function clean(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(sequences, '')
    .replace(c1Sequences, '')
    .replace(controls, '')
    .replace(directions, '');
}

/** Safe text on one line. */
export function oneLine(text: string): string {
  return clean(text.replace(/[\r\n\t]+/g, ' ')).trim();
}

/** At most `columns` wide, with an ellipsis where something is missing. */
export function cut(text: string, columns: number): string {
  const letters = [...text];
  return letters.length <= columns ? text : `${letters.slice(0, columns - 1).join('')}…`;
}

export type Style = Parameters<typeof styleText>[0];

/** Safe text in lines of at most `columns`, broken between words where that is possible. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of oneLine(text).split(/ +/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (length(longer) <= columns) line = longer;
    else {
      if (line !== '') lines.push(line);
      line = word;
    }
    while (length(line) > columns) {
      lines.push([...line].slice(0, columns).join(''));
      line = [...line].slice(columns).join('');
    }
  }
  return line === '' && lines.length > 0 ? lines : [...lines, line];
}

/** `1 line`, `3 lines`. */
export function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** Colours only where somebody looks: a terminal, without NO_COLOR. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout, validateStream: true });
}

/** One value as JSON, with everything escaped that a terminal might obey. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Rows in columns that fit `columnsMax`: the widest columns are cut first. Cells are made safe
 * here; `styles` paints a column's cells by their text.
 */
export function table(
  heads: string[],
  rows: string[][],
  styles: Record<number, (text: string) => Style | null> = {},
): string {
  const cells = [heads, ...rows.map((row) => row.map(oneLine))];
  const widths = fitted(
    heads.map((_, at) => Math.max(...cells.map((row) => length(row[at] ?? '')))),
  );
  return cells
    .map((row, index) => {
      const line = row.map((cell, at) => {
        const shown = cut(cell, widths[at]!);
        const padded = shown + ' '.repeat(widths[at]! - length(shown));
        if (index === 0) return paint('bold', padded);
        const style = styles[at]?.(cell) ?? null;
        return style === null ? padded : paint(style, padded);
      });
      return line.join('  ').trimEnd();
    })
    .join('\n');
}

function fitted(widths: number[]): number[] {
  const result = [...widths];
  const total = () => result.reduce((sum, width) => sum + width + 2, -2);
  while (total() > columnsMax) {
    const widest = result.indexOf(Math.max(...result));
    result[widest] = result[widest]! - 1;
  }
  return result;
}

function length(text: string): number {
  return [...text].length;
}

/** `3 min ago`, from an instant in microseconds. */
export function ago(instant: number, nowMs = Date.now()): string {
  const seconds = Math.max(0, Math.round((nowMs - instant / 1000) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** `812 ms`, `4.3 s`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** `31 B`, `1.2 MiB`. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Indents safe text, each line cut to the width that is left. */
export function block(lines: string[], indent: string, linesMax: number): string[] {
  const shown = lines.slice(0, linesMax).map((line) => {
    const text = clean(line).replaceAll('\t', '  ').replaceAll('\n', ' ');
    return indent + cut(text, columnsMax - indent.length);
  });
  const rest = lines.length - linesMax;
  return rest > 0 ? [...shown, paint('dim', `${indent}… ${many(rest, 'more line')}`)] : shown;
}

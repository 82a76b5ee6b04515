/** Reads a model's search/replace edits, which are hostile text, and applies them to sources. */
import type { Edit } from '../domain/fix.ts';
import { type GuardrailRules, guardrails } from '../domain/guardrails.ts';
import { filesOf } from '../source/patch.ts';
import { isScript, parseSource } from '../source/syntax.ts';
import { type TextChange, unifiedDiff } from '../source/write.ts';

/** What a model said, taken apart. */
export interface Said {
  rootCause: string;
  explanation: string;
  edits: Edit[];
}

export type Applied =
  | { kind: 'applied'; diff: string; flags: string[] }
  /** The whole answer is refused, never a part of it. */
  | { kind: 'refused'; reason: string };

export interface EditLimits {
  answerCharsMax: number;
  editsMax: number;
}

export const editLimits: EditLimits = { answerCharsMax: 200_000, editsMax: 12 };

/** Takes an answer apart; one without whole edits is refused. */
export function readAnswer(
  text: string,
  limits: EditLimits = editLimits,
): { kind: 'said'; said: Said } | { kind: 'refused'; reason: string } {
  if (text.length > limits.answerCharsMax) {
    return { kind: 'refused', reason: `the answer has ${text.length} characters` };
  }
  const edits: Edit[] = [];
  let file: string | null = null;
  let part: 'outside' | 'search' | 'replace' = 'outside';
  let search: string[] = [];
  let replace: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (part === 'outside') {
      file = fileNamed(line) ?? file;
      if (!/^<{5,9} ?SEARCH\s*$/.test(line)) continue;
      if (file === null) return { kind: 'refused', reason: 'an edit names no file' };
      part = 'search';
      search = [];
      replace = [];
    } else if (part === 'search') {
      if (/^={5,9}\s*$/.test(line)) part = 'replace';
      else search.push(line);
    } else if (/^>{5,9} ?REPLACE\s*$/.test(line)) {
      edits.push({ file: file!, search: search.join('\n'), replace: replace.join('\n') });
      part = 'outside';
    } else replace.push(line);
  }
  if (part !== 'outside') return { kind: 'refused', reason: 'the last edit is cut off' };
  if (edits.length === 0) return { kind: 'refused', reason: 'the answer holds no edit' };
  if (edits.length > limits.editsMax) {
    return { kind: 'refused', reason: `the answer holds ${edits.length} edits` };
  }
  const said = { rootCause: field(text, 'CAUSE'), explanation: field(text, 'CHANGE'), edits };
  return { kind: 'said', said };
}

/** Applies all edits or none, within the guardrails. `read` gives a file's text, or null. */
export async function applyEdits(
  edits: readonly Edit[],
  options: { read: (path: string) => Promise<string | null>; rules: GuardrailRules },
): Promise<Applied> {
  const changes = new Map<string, TextChange>();
  for (const edit of edits) {
    const bad = pathProblem(edit.file);
    if (bad !== null) return { kind: 'refused', reason: bad };
    const known = changes.get(edit.file);
    const before = known === undefined ? await options.read(edit.file) : known.before;
    const text = known?.after ?? before;
    const result = replaceOnce(text, edit);
    if ('refusal' in result) return { kind: 'refused', reason: `${edit.file}: ${result.refusal}` };
    changes.set(edit.file, { path: edit.file, before, after: result.text });
  }
  for (const { path, after } of changes.values()) {
    const parsed = isScript(path) ? parseSource(path, after) : null;
    if (parsed?.kind === 'unreadable') {
      return { kind: 'refused', reason: `does not parse: ${parsed.reason}` };
    }
  }
  const diff = unifiedDiff([...changes.values()]);
  if (diff === '') return { kind: 'refused', reason: 'the edits change nothing' };
  const report = guardrails(filesOf(diff), options.rules);
  const first = report.refusals[0] ?? report.flags.find((flag) => !flag.endsWith('a new import'));
  if (first !== undefined) return { kind: 'refused', reason: first };
  return { kind: 'applied', diff, flags: report.flags };
}

type Replaced = { text: string } | { refusal: string };

/** The text with the edit made; the searched lines must be there exactly once. */
function replaceOnce(text: string | null, { search, replace }: Edit): Replaced {
  if (text === null) {
    if (search.trim() === '') return { text: `${replace}\n` };
    return { refusal: 'there is no such file' };
  }
  if (search.trim() === '') return { refusal: 'nothing is searched for in a file that exists' };
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = text.split(/\r?\n/);
  const wanted = trimBlank(search.split('\n'));
  for (const same of [exactly, withoutTrailing, withoutIndent]) {
    const places = placesOf(lines, wanted, same);
    if (places.length > 1) return { refusal: `the searched text is there ${places.length} times` };
    const [at] = places;
    if (at === undefined) continue;
    const put = reindented(trimBlank(replace.split('\n')), {
      from: wanted[0] ?? '',
      to: lines[at] ?? '',
    });
    const after = [...lines.slice(0, at), ...put, ...lines.slice(at + wanted.length)];
    return { text: after.join(newline) };
  }
  return { refusal: 'the searched text is not there' };
}

const exactly = (a: string, b: string) => a === b;
const withoutTrailing = (a: string, b: string) => a.trimEnd() === b.trimEnd();
const withoutIndent = (a: string, b: string) => a.trim() === b.trim();

function placesOf(
  lines: readonly string[],
  wanted: readonly string[],
  same: (a: string, b: string) => boolean,
): number[] {
  const places: number[] = [];
  for (let at = 0; at + wanted.length <= lines.length; at++) {
    if (wanted.every((line, index) => same(lines[at + index] ?? '', line))) places.push(at);
  }
  return places;
}

/** Blank lines around what a model writes mean nothing. */
function trimBlank(lines: string[]): string[] {
  const first = lines.findIndex((line) => line.trim() !== '');
  const last = lines.findLastIndex((line) => line.trim() !== '');
  return first < 0 ? [] : lines.slice(first, last + 1);
}

/** Moves lines from the indentation that was searched for to the one that was found. */
function reindented(lines: string[], { from, to }: { from: string; to: string }): string[] {
  const indentOf = (line: string) => /^\s*/.exec(line)?.[0] ?? '';
  const [given, real] = [indentOf(from), indentOf(to)];
  if (given === real) return lines;
  return lines.map((line) => {
    if (line.trim() === '') return '';
    return line.startsWith(given) ? real + line.slice(given.length) : line;
  });
}

/** `FILE: src/a.ts`, `### src/a.ts`, or a path alone on its line. */
function fileNamed(line: string): string | null {
  const text = line.trim().replace(/^[#*`\s]+|[*`\s]+$/g, '');
  const named = /^(?:FILE|Path)\s*:\s*`?([^\s`]+)`?$/i.exec(text);
  if (named !== null) return named[1] ?? null;
  return /^[\w@.][\w@./-]*\.\w{1,8}$/.test(text) ? text : null;
}

function pathProblem(path: string): string | null {
  const plain = /^[\w@.][\w@./ +()[\]-]*$/.test(path);
  const climbing = path.split('/').some((part) => part === '' || part === '.' || part === '..');
  return plain && !climbing ? null : 'an edit names a path outside the repository';
}

const sentencesMax = 600;

/** What follows `NAME:` up to the next blank line or block, on one line and cut. */
function field(text: string, name: string): string {
  const head = new RegExp(`^[*#\\s]*${name}[*]*:[*]*`, 'm').exec(text);
  if (head === null) return '';
  const rest = text.slice(head.index + head[0].length);
  const said = rest.split(/\n\s*\n|\n[*#\s]*[A-Z]{4,}[*]*:|\n(?:#|`{3})|<{5}/)[0] ?? '';
  return said.replace(/\s+/g, ' ').trim().slice(0, sentencesMax);
}

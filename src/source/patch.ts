/** Unified diffs taken apart into hunks and put together again. */
import { formatPatch, parsePatch, type StructuredPatch } from 'diff';

/** One hunk of one file, by its place in the diff. */
export interface Hunk {
  file: string;
  /** Lines with their leading ` `, `+` or `-`. */
  lines: string[];
  added: number;
  removed: number;
}

export interface PatchedFile {
  /** Path after the patch, without `a/` or `b/`. */
  path: string;
  /** Path before it, where it was renamed; null for a new file. */
  oldPath: string | null;
  deleted: boolean;
  hunks: Hunk[];
}

/** What a diff touches. Throws on text that is no unified diff. */
export function filesOf(diff: string): PatchedFile[] {
  return parse(diff).map((patch) => {
    const path = pathOf(patch.newFileName) ?? pathOf(patch.oldFileName) ?? '';
    const hunks = patch.hunks.map((hunk) => ({
      file: path,
      lines: hunk.lines,
      added: hunk.lines.filter((line) => line.startsWith('+')).length,
      removed: hunk.lines.filter((line) => line.startsWith('-')).length,
    }));
    return {
      path,
      oldPath: pathOf(patch.oldFileName),
      deleted: pathOf(patch.newFileName) === null,
      hunks,
    };
  });
}

/** Number of hunks over all files. */
export function hunkCount(diff: string): number {
  return filesOf(diff).reduce((sum, file) => sum + file.hunks.length, 0);
}

/**
 * The diff without one hunk (counted from 0 over all files), or '' when nothing is left. Lines
 * of later hunks are moved so that `git apply` finds them in the unpatched file.
 */
export function withoutHunk(diff: string, index: number): string {
  let counted = 0;
  const kept: StructuredPatch[] = [];
  for (const patch of parse(diff)) {
    let shift = 0;
    const hunks: StructuredPatch['hunks'] = [];
    for (const hunk of patch.hunks) {
      if (counted++ === index) {
        shift = hunk.newLines - hunk.oldLines;
        continue;
      }
      hunks.push({ ...hunk, newStart: hunk.newStart - shift });
    }
    if (hunks.length > 0) kept.push({ ...patch, hunks });
  }
  return kept.map(gitText).join('');
}

/**
 * The same diff with a hunk of its own for every run of changed lines, so that each can be taken
 * away by itself. Unchanged lines between two runs are shared out between them.
 */
export function splitHunks(diff: string): string {
  return parse(diff)
    .map((patch) => gitText({ ...patch, hunks: patch.hunks.flatMap(runsOf) }))
    .join('');
}

function runsOf(hunk: StructuredPatch['hunks'][number]): StructuredPatch['hunks'] {
  const { lines } = hunk;
  // "\\ No newline at end of file" belongs to the line before it.
  const changed = [...lines.keys()].filter((at) => !/^[ \\]/.test(lines[at]!));
  const starts = changed.filter((at, index) => index === 0 || gapBefore(lines, at) > 0);
  const cuts = starts.slice(1).map((at) => at - Math.floor(gapBefore(lines, at) / 2));
  const bounds = [0, ...cuts, lines.length];
  let { oldStart, newStart } = hunk;
  return bounds.slice(1).map((end, index) => {
    const part = lines.slice(bounds[index], end);
    const oldLines = part.filter((line) => /^[ -]/.test(line)).length;
    const newLines = part.filter((line) => /^[ +]/.test(line)).length;
    const made = { oldStart, oldLines, newStart, newLines, lines: part };
    oldStart += oldLines;
    newStart += newLines;
    return made;
  });
}

/** How many unchanged lines stand before a line. */
function gapBefore(lines: readonly string[], at: number): number {
  let gap = 0;
  while (lines[at - 1 - gap]?.startsWith(' ')) gap++;
  return gap;
}

/** Every removed and added line, without its sign. */
export function changedLines(diff: string): { removed: string[]; added: string[] } {
  const lines = filesOf(diff).flatMap((file) => file.hunks.flatMap((hunk) => hunk.lines));
  return {
    removed: lines.filter((line) => line.startsWith('-')).map((line) => line.slice(1)),
    added: lines.filter((line) => line.startsWith('+')).map((line) => line.slice(1)),
  };
}

function parse(diff: string): StructuredPatch[] {
  return parsePatch(diff).filter((patch) => patch.hunks.length > 0);
}

/** Header lines as git writes them, so that new and deleted files stay what they are. */
function gitText(patch: StructuredPatch): string {
  const text = formatPatch(patch);
  const start = text.indexOf('--- ');
  const oldPath = pathOf(patch.oldFileName);
  const newPath = pathOf(patch.newFileName);
  const header = [`diff --git a/${oldPath ?? newPath} b/${newPath ?? oldPath}`];
  if (oldPath === null) header.push('new file mode 100644');
  if (newPath === null) header.push('deleted file mode 100644');
  return `${header.join('\n')}\n${text.slice(start)}`;
}

function pathOf(name: string | undefined): string | null {
  if (name === undefined || name === '/dev/null') return null;
  return name.replace(/^[ab]\//, '');
}

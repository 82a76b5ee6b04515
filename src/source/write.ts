/** Unified diffs written from texts before and after, as `git apply` takes them. */
import { createTwoFilesPatch } from 'diff';

export interface TextChange {
  /** Path in the repository. */
  path: string;
  /** Null when the file is new. */
  before: string | null;
  after: string;
}

/** One diff over all changed files, in the order given; '' when nothing changed. */
export function unifiedDiff(changes: readonly TextChange[]): string {
  return changes.map(fileDiff).join('');
}

function fileDiff({ path, before, after }: TextChange): string {
  if (before === after) return '';
  const from = before === null ? '/dev/null' : `a/${path}`;
  const text = createTwoFilesPatch(from, `b/${path}`, before ?? '', after, undefined, undefined, {
    context: 3,
  });
  const mode = before === null ? 'new file mode 100644\n' : '';
  return `diff --git a/${path} b/${path}\n${mode}${text.slice(text.indexOf('--- '))}`;
}

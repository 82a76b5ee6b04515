/** What a patch really does to the files of a repository, against what its text shows. */
import { posix } from 'node:path';
import { isTestPath } from '../domain/guardrails.ts';
import type { TreeEntry } from '../git/repository.ts';
import type { PatchedFile } from '../source/patch.ts';
import { isScript, memberPath, parseSource, type SyntaxNode, walk } from '../source/syntax.ts';
import type { ChangedFile } from './hiding.ts';

/**
 * The first thing that a patch does and its text hunks do not show, in words; else null. What git
 * applies is more than hunks: binary patches, renames, modes and symbolic links.
 */
export function unshownChange(
  before: readonly TreeEntry[],
  after: readonly TreeEntry[],
  shown: readonly PatchedFile[],
): string | null {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const now = new Map(after.map((entry) => [entry.path, entry]));
  const known = new Set(shown.flatMap((file) => [file.path, file.oldPath ?? file.path]));
  for (const path of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(path), now.get(path)];
    if (was?.blob === is?.blob && was?.mode === is?.mode) continue;
    if (!known.has(path)) return `it changes ${path} without showing how`;
    if (is === undefined) continue;
    if (is.mode !== (was?.mode ?? '100644')) {
      return `it makes ${path} another kind of file (mode ${is.mode})`;
    }
  }
  return null;
}

/** The first test file that changed sources load and did not load before; else null. */
export function testLoaded(files: readonly ChangedFile[]): string | null {
  for (const { path, before, after } of files) {
    const known = new Set(loadedBy(path, before));
    const found = loadedBy(path, after).find((name) => !known.has(name) && isTestPath(name));
    if (found !== undefined) return found;
  }
  return null;
}

/** Files of the repository that a script loads by name, as paths. */
function loadedBy(path: string, text: string | null): string[] {
  if (text === null || !isScript(path)) return [];
  const parsed = parseSource(path, text);
  if (parsed.kind === 'unreadable') return [];
  const names: string[] = [];
  walk(parsed.program, (node) => {
    const source = sourceOf(node);
    if (source !== null && /^[./]/.test(source)) {
      names.push(posix.join(posix.dirname(path), source));
    }
  });
  return names;
}

/** What an import, a `require` or a new thread names; null where it is no plain text. */
function sourceOf(node: SyntaxNode): string | null {
  const calls = node.type === 'CallExpression' || node.type === 'NewExpression';
  const callee = calls ? (memberPath(node.callee as SyntaxNode) ?? '') : '';
  const loads = /(^|\.)(require|resolve|Worker|fork)$/.test(callee);
  const named = (loads ? (node.arguments as SyntaxNode[])[0] : node.source) as SyntaxNode | null;
  return typeof named?.value === 'string' ? named.value : null;
}

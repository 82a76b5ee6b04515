/** A bare git repository, through git itself: argv arrays, `--end-of-options`, no shell. */
import type { Readable } from 'node:stream';

export interface TreeEntry {
  path: string;
  mode: string;
  /** Equal for equal bytes. */
  blob: string;
  bytes: number;
}

export type ApplyResult =
  | { kind: 'committed'; commit: string }
  /** The patch does not apply; `reason` is git's own message. */
  | { kind: 'refused'; reason: string };

export interface Author {
  name: string;
  email: string;
}

/** Who commits what nobody typed. */
export const fixpointAuthor: Author = { name: 'Fixpoint', email: 'fixpoint@localhost' };

export interface Repository {
  readonly directory: string;
  /** The commit that a branch, tag or abbreviated id stands for; null when there is none. */
  resolve(reference: string): Promise<string | null>;
  tree(commit: string): Promise<TreeEntry[]>;
  /** A file's bytes at a commit; null when it is not there or not a file. */
  read(commit: string, path: string): Promise<Uint8Array | null>;
  /** A tar stream of the commit. */
  archive(commit: string): Readable;
  /** Unified diff from one commit to another. */
  diff(from: string, to: string): Promise<string>;
  /** A new commit on top of `base` with the diff applied; no branch moves. */
  commitPatch(options: {
    base: string;
    diff: string;
    message: string;
    author: Author;
  }): Promise<ApplyResult>;
  /** Creates or moves a branch; refuses when it is not where `expect` says (null: absent). */
  setBranch(branch: string, commit: string, expect?: string | null): Promise<boolean>;
  deleteBranch(branch: string): Promise<void>;
  branches(): Promise<{ name: string; commit: string }[]>;
  /** Merges `branch` into `base` with a merge commit; conflicts change nothing. */
  merge(options: {
    base: string;
    branch: string;
    message: string;
    author: Author;
  }): Promise<{ kind: 'merged'; commit: string } | { kind: 'conflict'; files: string[] }>;
  /** Author and subject of a commit. */
  describe(commit: string): Promise<{ author: Author; subject: string; at: number }>;
}

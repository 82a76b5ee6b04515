/** The seam to where change requests live: the built-in forge, GitHub, GitLab, Gitea. */
import type { ChangeRequest } from '../domain/fix.ts';

export interface Proposal {
  app: string;
  issueId: number;
  baseCommit: string;
  baseBranch: string;
  /** New branch that holds one commit with the patch. */
  branch: string;
  commit: string;
  title: string;
  body: string;
}

export type MergeResult =
  | { kind: 'merged'; commit: string }
  | { kind: 'conflict'; files: string[] }
  | { kind: 'not-open'; status: ChangeRequest['status'] };

export interface Forge {
  readonly name: string;
  /** Opens a change request for a branch that is already in the repository. */
  open(proposal: Proposal): Promise<{ url: string | null }>;
  /** Closes it without merging, with a comment. */
  close(change: ChangeRequest, comment: string): Promise<void>;
  /** Merges into the base branch; what is deployed afterwards is the pipeline's affair. */
  merge(change: ChangeRequest, author: { name: string; email: string }): Promise<MergeResult>;
}

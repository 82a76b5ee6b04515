/** The Repository seam on a bare repository on disk; nothing here ever makes a work tree. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import type { ApplyResult, Author, Repository, TreeEntry } from './repository.ts';
import { GitError, git, spawnGit } from './run.ts';

/** Makes an empty bare repository; its default branch is where `HEAD` points. */
export async function createRepository(
  directory: string,
  { defaultBranch = 'main' }: { defaultBranch?: string } = {},
): Promise<Repository> {
  await mkdir(directory, { recursive: true });
  const init = ['init', '--quiet', '--bare', '--template=', `--initial-branch=${defaultBranch}`];
  await git(init, { directory });
  await mkdir(join(directory, 'info'), { recursive: true });
  // What is built is what was pushed: attributes in the tree must not leave files out of archives.
  await writeFile(join(directory, 'info', 'attributes'), '* -export-ignore -export-subst\n');
  return repositoryAt(directory);
}

/** Throws when there is no repository. */
export async function openRepository(directory: string): Promise<Repository> {
  const head = await stat(join(directory, 'HEAD')).catch(() => null);
  if (!head) throw new Error(`no git repository at ${directory}`);
  return repositoryAt(directory);
}

function repositoryAt(directory: string): Repository {
  const run = async (argv: string[], options: Partial<Parameters<typeof git>[1]> = {}) =>
    await git(argv, { directory, ...options });
  const text = async (argv: string[], options = {}) =>
    (await run(argv, options)).stdout.toString('utf8').trimEnd();

  const repository: Repository = {
    directory,
    async resolve(reference) {
      const argv = ['rev-parse', '--verify', '--quiet', '--end-of-options'];
      const found = await run([...argv, `${reference}^{commit}`], { statuses: [0, 1, 128] });
      return found.status === 0 ? found.stdout.toString('utf8').trim() : null;
    },
    async tree(commit) {
      const argv = ['ls-tree', '-r', '-z', '--long', assertCommit(commit)];
      return treeEntriesOf((await run(argv)).stdout.toString('utf8'));
    },
    async read(commit, path) {
      const normal = posix.normalize(path).replace(/^\.?\//, '');
      if (normal === '' || normal.startsWith('..')) return null;
      const found = await text(['ls-tree', '-z', assertCommit(commit), '--', normal]);
      const match = /^(\d+) blob ([0-9a-f]+)\t/.exec(found);
      if (!match || !match[1]!.startsWith('100')) return null;
      return (await run(['cat-file', 'blob', match[2]!])).stdout;
    },
    archive: (commit) => archive(directory, assertCommit(commit)),
    async diff(from, to) {
      const flags = ['--no-color', '--no-ext-diff', '--no-textconv', '--no-renames', '--binary'];
      const argv = ['diff', ...flags, '--full-index', assertCommit(from), assertCommit(to), '--'];
      return (await run(argv)).stdout.toString('utf8');
    },
    commitPatch: (options) => commitPatch(directory, options),
    async setBranch(branch, commit, expect) {
      const expected = expect === null ? '0'.repeat(commit.length) : expect;
      const values = expected === undefined ? [commit] : [commit, expected];
      try {
        await run(['update-ref', '--end-of-options', `refs/heads/${branch}`, ...values]);
        return true;
      } catch (error) {
        if (error instanceof GitError && isElsewhere(error.stderr)) return false;
        throw error;
      }
    },
    async deleteBranch(branch) {
      await run(['update-ref', '-d', '--end-of-options', `refs/heads/${branch}`]);
    },
    async branches() {
      const format = '--format=%(refname:lstrip=2)%00%(objectname)';
      const lines = (await text(['for-each-ref', format, 'refs/heads/'])).split('\n');
      return lines.filter(Boolean).map((line) => {
        const [name, commit] = line.split('\0');
        return { name: name!, commit: commit! };
      });
    },
    merge: (options) => merge(repository, options),
    async describe(commit) {
      const format = '--format=%an%x00%ae%x00%s%x00%ct';
      const shown = await text(['show', '--no-patch', format, assertCommit(commit)]);
      const [name, email, subject, seconds] = shown.split('\0');
      const author = { name: name!, email: email! };
      return { author, subject: subject!, at: Number(seconds) * 1_000_000 };
    },
  };
  return repository;
}

/** The lines of `git ls-tree -r -z --long`, without submodules. */
export function treeEntriesOf(listing: string): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (const record of listing.split('\0')) {
    const match = /^(\d+) blob ([0-9a-f]+) +(\d+)\t(.*)$/s.exec(record);
    if (match === null) continue;
    const [, mode, blob, bytes, path] = match;
    entries.push({ mode: mode!, blob: blob!, bytes: Number(bytes), path: path! });
  }
  return entries;
}

function archive(directory: string, commit: string): Readable {
  const child = spawnGit(['archive', '--format=tar', commit], { directory });
  const out = new PassThrough();
  let stderr = '';
  child.stdin.end();
  child.stderr.setEncoding('utf8').on('data', (words: string) => {
    stderr += words;
  });
  child.stdout.pipe(out, { end: false });
  child.on('error', (error) => out.destroy(error));
  child.on('close', (status) => {
    if (status === 0) out.end();
    else out.destroy(new GitError(['archive'], status, stderr));
  });
  out.on('close', () => child.kill());
  return out;
}

async function commitPatch(
  directory: string,
  options: { base: string; diff: string; message: string; author: Author },
): Promise<ApplyResult> {
  const base = assertCommit(options.base);
  const index = join(tmpdir(), `fixpoint-index-${randomUUID()}`);
  const env = { GIT_INDEX_FILE: index };
  try {
    await git(['read-tree', base], { directory, env });
    const apply = ['apply', '--cached', '--whitespace=nowarn', '-'];
    await git(apply, { directory, env, input: options.diff });
    const tree = (await git(['write-tree'], { directory, env })).stdout.toString().trim();
    const before = await git(['rev-parse', `${base}^{tree}`], { directory });
    if (before.stdout.toString().trim() === tree) {
      return { kind: 'refused', reason: 'the patch changes nothing' };
    }
    const commit = await commitTree(directory, { ...options, tree, parents: [base] });
    return { kind: 'committed', commit };
  } catch (error) {
    const refused = error instanceof GitError && error.message.startsWith('git apply:');
    if (refused) return { kind: 'refused', reason: error.stderr.trim() };
    throw error;
  } finally {
    await rm(index, { force: true });
    await rm(`${index}.lock`, { force: true });
  }
}

async function commitTree(
  directory: string,
  options: { tree: string; parents: string[]; message: string; author: Author },
): Promise<string> {
  const { name, email } = options.author;
  const env = {
    GIT_AUTHOR_NAME: name || 'unknown',
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name || 'unknown',
    GIT_COMMITTER_EMAIL: email,
  };
  const parents = options.parents.flatMap((parent) => ['-p', parent]);
  const argv = ['commit-tree', ...parents, '-F', '-', options.tree];
  const made = await git(argv, { directory, env, input: options.message });
  return made.stdout.toString().trim();
}

const mergeTriesMax = 5;

async function merge(
  repository: Repository,
  options: { base: string; branch: string; message: string; author: Author },
): Promise<{ kind: 'merged'; commit: string } | { kind: 'conflict'; files: string[] }> {
  const { directory } = repository;
  for (let tries = 0; tries < mergeTriesMax; tries++) {
    const base = await mustResolve(repository, options.base);
    const branch = await mustResolve(repository, options.branch);
    const ancestry = ['merge-base', '--is-ancestor', branch, base];
    const merged = await git(ancestry, { directory, statuses: [0, 1] });
    if (merged.status === 0) return { kind: 'merged', commit: base };
    const flags = ['--write-tree', '-z', '--name-only', '--no-messages'];
    const result = await git(['merge-tree', ...flags, base, branch], {
      directory,
      statuses: [0, 1],
    });
    const [tree, ...files] = result.stdout.toString('utf8').split('\0').filter(Boolean);
    if (result.status === 1) return { kind: 'conflict', files };
    const parents = [base, branch];
    const commit = await commitTree(directory, { ...options, tree: tree!.trim(), parents });
    if (await repository.setBranch(options.base, commit, base)) return { kind: 'merged', commit };
  }
  throw new Error(`branch ${options.base} kept moving while ${options.branch} was merged into it`);
}

async function mustResolve(repository: Repository, branch: string): Promise<string> {
  const commit = await repository.resolve(`refs/heads/${branch}`);
  if (!commit) throw new Error(`no branch ${branch} in ${repository.directory}`);
  return commit;
}

function isElsewhere(stderr: string): boolean {
  return /but expected|reference already exists|unable to resolve reference/.test(stderr);
}

/** Full ids only, so that nothing a stranger wrote is ever taken for an option or a range. */
function assertCommit(commit: string): string {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) {
    throw new Error(`not a full commit id: ${JSON.stringify(commit)}`);
  }
  return commit;
}

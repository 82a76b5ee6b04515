/** Runs git itself: argument arrays, no shell, nothing of the host's configuration, no prompts. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

/** What git answered when it said no; `status` is its exit code. */
export class GitError extends Error {
  readonly status: number | null;
  readonly stderr: string;

  constructor(argv: readonly string[], status: number | null, stderr: string) {
    super(`git ${argv[0]}: ${stderr.trim() || `exit code ${status}`}`);
    this.name = 'GitError';
    this.status = status;
    this.stderr = stderr;
  }
}

export interface GitOptions {
  /** The bare repository, `--git-dir`. */
  directory: string;
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Exit codes that are answers, not errors; 0 alone by default. */
  statuses?: number[];
  outputBytesMax?: number;
}

export interface GitResult {
  status: number;
  stdout: Buffer;
  stderr: string;
}

const outputBytesMax = 256 << 20;
const stderrBytesMax = 1 << 20;

/** Settings that hold for every git started here, whoever calls it. */
const settings: Record<string, string> = {
  // The server may run as another user than the owner of the files.
  'safe.directory': '*',
  'core.hooksPath': '/dev/null',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'receive.autogc': 'false',
  'core.quotePath': 'false',
  'core.fsync': 'committed',
  'advice.detachedHead': 'false',
};

/** The whole environment of a git process, with `more` settings on top of ours. */
export function gitEnvironment(more: Record<string, string> = {}): Record<string, string> {
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
  };
  const all = Object.entries({ ...settings, ...more });
  env.GIT_CONFIG_COUNT = String(all.length);
  for (const [index, [key, value]] of all.entries()) {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return env;
}

/** Runs git to its end. Throws GitError for exit codes that are not among `statuses`. */
export function git(argv: readonly string[], options: GitOptions): Promise<GitResult> {
  const { input, statuses = [0] } = options;
  const child = spawnGit(argv, options);
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    let stderr = '';
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > (options.outputBytesMax ?? outputBytesMax)) child.kill('SIGKILL');
      else parts.push(part);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < stderrBytesMax) stderr += text;
    });
    child.on('error', (error) => {
      reject(new Error(`cannot run git: ${error.message}`, { cause: error }));
    });
    child.on('close', (status, signal) => {
      if (status !== null && statuses.includes(status)) {
        return resolve({ status, stdout: Buffer.concat(parts), stderr });
      }
      const words = signal ? `${stderr} killed by ${signal} after ${bytes} bytes` : stderr;
      reject(new GitError(argv, status, words));
    });
    // git may have ended without reading all of it; its exit code says so.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Starts git with its three streams. */
export function spawnGit(
  argv: readonly string[],
  { directory, env }: Pick<GitOptions, 'directory' | 'env'>,
): ChildProcessWithoutNullStreams {
  return spawn('git', [`--git-dir=${directory}`, ...argv], {
    env: { ...gitEnvironment(), ...env },
    // Not the server's folder: a file there must never be taken for an argument.
    cwd: '/',
  });
}

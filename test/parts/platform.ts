// The platform as a user runs it: `fixpoint up` as a process, its commands, and git.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './ports.ts';

const root = join(import.meta.dirname, '../..');
const program = join(root, 'bin/fixpoint');

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface PlatformOptions {
  /** Settings by their variable's name, `FIXPOINT_FIX_AUTOMATIC` say. */
  settings?: Record<string, string>;
  /** Show the server's log on this process's standard error; FIXPOINT_TEST_VERBOSE=1 does. */
  verbose?: boolean;
  /** Kept after `stop` when it is given. */
  dataDir?: string;
}

export class Platform {
  readonly dataDir: string;
  readonly apiPort: number;
  readonly routerPort: number;
  /** What the server and the commands run with. */
  readonly env: Record<string, string>;
  #server: ChildProcess | null = null;
  #log = '';
  #verbose: boolean;
  #keepData: boolean;
  readonly #folders: string[] = [];

  constructor(options: PlatformOptions & { apiPort: number; routerPort: number }) {
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'fixpoint-data-'));
    this.#keepData = options.dataDir !== undefined;
    this.apiPort = options.apiPort;
    this.routerPort = options.routerPort;
    this.#verbose = options.verbose ?? process.env.FIXPOINT_TEST_VERBOSE === '1';
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('FIXPOINT_'));
    this.env = {
      ...(Object.fromEntries(inherited) as Record<string, string>),
      FIXPOINT_DATA: this.dataDir,
      FIXPOINT_API_PORT: String(options.apiPort),
      FIXPOINT_ROUTER_PORT: String(options.routerPort),
      FIXPOINT_ROUTER_HOST: '127.0.0.1',
      FIXPOINT_URL: `http://127.0.0.1:${options.apiPort}`,
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      ...options.settings,
    };
  }

  /** Everything that the server printed. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  get running(): boolean {
    const { exitCode = 0, signalCode = null, killed } = this.#server ?? { killed: true };
    return exitCode === null && signalCode === null && !killed;
  }

  /** Starts `fixpoint up` and waits until it answers. */
  async up(timeoutMs = 120_000): Promise<void> {
    const server = spawn(program, ['up'], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#server = server;
    for (const stream of [server.stdout, server.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.#log = (this.#log + text.toString()).slice(-1_000_000);
        if (this.#verbose) process.stderr.write(text);
      });
    }
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (!this.running) throw new Error(`fixpoint up ended:\n${this.#log}`);
      const status = await this.cli('status').catch(() => null);
      if (status?.code === 0) return;
      if (Date.now() > deadline) throw new Error(`fixpoint up does not answer:\n${this.#log}`);
      await sleep(200);
    }
  }

  /** kill -9, as an accident would. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === null || !this.running) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await ended;
  }

  /** Ends the server and everything it runs, and removes its data. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server !== null && server.exitCode === null && server.signalCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await Promise.race([ended, sleep(60_000, undefined, { ref: false })]);
      server.kill('SIGKILL');
    }
    await this.cli('down').catch(() => null);
    const left = this.#keepData ? this.#folders : [...this.#folders, this.dataDir];
    for (const folder of left) rmSync(folder, { recursive: true, force: true });
  }

  /** One command of the CLI. */
  cli(...argv: string[]): Promise<Result> {
    return run(program, argv, { env: this.env });
  }

  /** A command with `--json`, parsed; throws with its words when it fails. */
  async json<T>(...argv: string[]): Promise<T> {
    const result = await this.cli(...argv, '--json');
    if (result.code !== 0) {
      throw new Error(`fixpoint ${argv.join(' ')}: ${result.stderr}${result.stdout}`);
    }
    return JSON.parse(result.stdout) as T;
  }

  get token(): string {
    return readFileSync(join(this.dataDir, 'token'), 'utf8').trim();
  }

  remote(app: string): string {
    return `http://fixpoint:${this.token}@127.0.0.1:${this.apiPort}/git/${app}.git`;
  }

  /** `git push` of HEAD to a branch of the app's repository. */
  push(folder: string, app: string, branch = 'main'): Promise<Result> {
    return this.git(folder, 'push', this.remote(app), `HEAD:refs/heads/${branch}`);
  }

  git(folder: string, ...argv: string[]): Promise<Result> {
    const author = ['-c', 'user.name=A Developer', '-c', 'user.email=dev@example.com'];
    return run('git', ['-C', folder, ...author, ...argv], { env: this.env });
  }

  /** A copy of a folder as a fresh git repository with one commit. */
  async repository(source: string): Promise<string> {
    const folder = this.#folder();
    const skip = /\/(node_modules|dist)(\/|$)/;
    cpSync(source, folder, {
      recursive: true,
      filter: (path) => !skip.test(path.slice(source.length)),
    });
    return this.#committed(folder);
  }

  /** A fresh git repository with these files and one commit. */
  async repositoryOf(files: Record<string, string>): Promise<string> {
    const folder = this.#folder();
    write(folder, files);
    return this.#committed(folder);
  }

  /** Writes files into a repository and commits them. */
  async commit(folder: string, files: Record<string, string>): Promise<void> {
    write(folder, files);
    await this.#committed(folder);
  }

  async #committed(folder: string): Promise<string> {
    for (const argv of [
      ['init', '-q', '-b', 'main'],
      ['add', '-A'],
      ['commit', '-qm', 'A change'],
    ]) {
      const result = await this.git(folder, ...argv);
      if (result.code !== 0) throw new Error(result.stderr);
    }
    return folder;
  }

  /** Removed by `stop`. */
  #folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'fixpoint-app-'));
    this.#folders.push(folder);
    return folder;
  }

  /** What the API answers to a GET, without the time that a process of the CLI takes. */
  async get<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.apiPort}/api/v1${path}`, {
      headers: { authorization: `Bearer ${this.token}` },
    });
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}`);
    return (await response.json()) as T;
  }

  /** A request to an app, through the router. */
  ask(app: string, method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = {
        host: `${app}.localhost`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        'content-length': Buffer.byteLength(text),
      };
      const options = { host: '127.0.0.1', port: this.routerPort, method, path, headers };
      const sent = request(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const { statusCode, headers: answered } = response;
          const bodyText = Buffer.concat(parts).toString();
          resolve({ status: statusCode ?? 0, headers: answered, body: bodyText });
        });
        response.on('error', reject);
      });
      sent.setTimeout(30_000, () => sent.destroy(new Error('no answer in 30 s')));
      sent.on('error', reject);
      sent.end(text);
    });
  }
}

/** A platform of its own: data directory, ports, containers. Call `stop` in any case. */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const ports = { apiPort: await freePort(), routerPort: await freePort() };
  const platform = new Platform({ ...options, ...ports });
  try {
    await platform.up();
    return platform;
  } catch (cause) {
    await platform.stop();
    throw cause;
  }
}

/** Asks until `check` gives something, or throws with what `describe` says then. */
export async function until<T>(
  check: () => Promise<T | null | undefined | false>,
  options: { timeoutMs: number; says: string; detail?: () => string | Promise<string> },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) {
      const detail = options.detail === undefined ? '' : `\n${await options.detail()}`;
      throw new Error(`${options.says}, not within ${options.timeoutMs} ms${detail}`);
    }
    await sleep(250);
  }
}

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function run(
  file: string,
  argv: string[],
  options: { env: Record<string, string> },
): Promise<Result> {
  return new Promise((resolve) => {
    const limits = { maxBuffer: 64 << 20, timeout: 600_000 };
    execFile(file, argv, { ...options, ...limits }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr: error !== null && stderr === '' ? error.message : stderr });
    });
  });
}

/** Starts, adopts, reloads and ends one nginx, which outlives us: users are served without us. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NginxPaths } from './config.ts';

const nginxTimeoutMs = 60_000;
const logBytesMax = 20 << 20;

/** One master process with its folder. Calls must not overlap. */
export class NginxMaster {
  readonly folder: string;
  readonly paths: NginxPaths;
  readonly #program: string;
  readonly #configFile: string;

  constructor(folder: string, program: string) {
    this.folder = folder;
    this.#program = program;
    this.#configFile = join(folder, 'nginx.conf');
    this.paths = {
      pidFile: join(folder, 'nginx.pid'),
      errorLog: join(folder, 'error.log'),
      tempFolder: join(folder, 'temp'),
    };
  }

  /** Process id of the running master, also of one that an earlier server left behind. */
  async pid(): Promise<number | null> {
    const pid = Number.parseInt(await textOf(this.paths.pidFile), 10);
    if (!(pid > 1)) return null;
    // Process ids are used again: it is ours only when it says so.
    const title = await textOf(`/proc/${pid}/cmdline`);
    return title.includes('nginx') && title.includes(this.folder) ? pid : null;
  }

  /** The configuration it was last given; '' when there is none. */
  config(): Promise<string> {
    return textOf(this.#configFile);
  }

  /** Throws nginx's own words when it refuses the configuration, which is then not used. */
  async write(config: string): Promise<void> {
    await mkdir(this.paths.tempFolder, { recursive: true });
    const next = `${this.#configFile}.next`;
    await writeFile(next, config);
    const { status, stderr } = await this.#nginx(next, ['-t', '-q']);
    if (status !== 0) {
      await rm(next, { force: true });
      throw new Error(`nginx refuses its configuration: ${stderr.trim()}`);
    }
    await rename(next, this.#configFile);
    // The next reload opens a new one.
    const log = await stat(this.paths.errorLog).catch(() => null);
    if (log && log.size > logBytesMax)
      await rename(this.paths.errorLog, `${this.paths.errorLog}.1`);
  }

  /** Starts it with the configuration that was written; throws nginx's own words. */
  async start(): Promise<void> {
    await this.#endOrphans();
    const { status, stderr } = await this.#nginx(this.#configFile, []);
    if (status !== 0) throw new Error(stderr.trim() || `nginx ended with exit code ${status}`);
    // It returns a moment before its pid file is there.
    for (let tries = 0; tries < 200 && (await this.pid()) === null; tries++) await sleep(20);
  }

  reload(pid: number): void {
    process.kill(pid, 'SIGHUP');
  }

  /** Workers that take new connections: the others have begun to shut down. */
  async takingWorkers(pid: number): Promise<number[]> {
    const children = (await textOf(`/proc/${pid}/task/${pid}/children`)).split(' ').filter(Boolean);
    const taking: number[] = [];
    for (const child of children.map(Number)) {
      const title = await textOf(`/proc/${child}/cmdline`);
      if (title !== '' && !title.includes('shutting down')) taking.push(child);
    }
    return taking;
  }

  /** Lets requests finish for `graceMs`, then ends it by force. */
  async stop(graceMs: number): Promise<void> {
    for (const [signal, waitMs] of [
      ['SIGQUIT', graceMs],
      ['SIGTERM', 5_000],
      ['SIGKILL', 5_000],
    ] as const) {
      const pid = await this.pid();
      if (pid === null) return;
      const family = [pid, ...(await childrenOf(pid))];
      for (const one of signal === 'SIGKILL' ? family : [pid]) kill(one, signal);
      const until = Date.now() + waitMs;
      while (Date.now() < until && (await this.pid()) !== null) await sleep(20);
    }
  }

  /** Workers whose master was killed go on listening; they are known by our log, held open. */
  async #endOrphans(): Promise<void> {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (!(await textOf(`/proc/${pid}/cmdline`)).startsWith('nginx: worker')) continue;
      const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
      const targets = files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => ''));
      if ((await Promise.all(targets)).includes(this.paths.errorLog)) kill(Number(pid), 'SIGKILL');
    }
  }

  #nginx(config: string, argv: string[]): Promise<{ status: number; stderr: string }> {
    const all = ['-p', this.folder, '-e', this.paths.errorLog, '-c', config, ...argv];
    return new Promise((resolve, reject) => {
      const options = { timeout: nginxTimeoutMs, cwd: '/' };
      execFile(this.#program, all, options, (error, _stdout, stderr) => {
        if (!error) return resolve({ status: 0, stderr });
        if (typeof error.code === 'number') return resolve({ status: error.code, stderr });
        const words = `cannot run ${this.#program}, which routes requests: ${error.message}`;
        reject(new Error(words, { cause: error }));
      });
    });
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await textOf(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** Removes sockets that an nginx which was killed left behind, or it could not listen again. */
export async function removeStaleSockets(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.endsWith('.sock')) await rm(join(folder, name), { force: true });
  }
}

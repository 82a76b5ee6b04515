// A process of a benchmark that is asked by lines of JSON on its standard input, so that what it costs
// can be told apart from what its neighbours cost.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export type Answers = Record<string, (options: never) => unknown>;

/** In the process: answers one question after the other until standard input ends. */
export async function answer(answers: Answers): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const { question, options } = JSON.parse(line);
    const told = (await answers[question]!(options as never)) ?? null;
    process.stdout.write(`${JSON.stringify(told)}\n`);
  }
  process.exit(0);
}

/** Beside the process: asks it. */
export class Helper {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #ended: Promise<void>;

  constructor([program, argv]: [string, string[]]) {
    this.#child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Throws when the process ended instead of answering. */
  async ask<T>(question: string, options: object = {}): Promise<T> {
    this.#child.stdin!.write(`${JSON.stringify({ question, options })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`a process of the benchmark ended at "${question}"`);
    return JSON.parse(value) as T;
  }

  async end(): Promise<void> {
    this.#child.stdin!.on('error', () => {}).end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** Processor time of a process so far, of all its threads. */
export function cpuMsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const ns = threads.map((tid) => {
    return Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]);
  });
  return ns.reduce((sum, each) => sum + each, 0) / 1e6;
}

/** Resident memory of a process: now, or the most it ever had. */
export function residentMibOf(pid: number, field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
}

/** Memory that the kernel holds for the BPF maps and programs of a process, its ring included. */
export function kernelMibOf(pid: number): number {
  const folder = `/proc/${pid}/fdinfo`;
  const bytes = readdirSync(folder).map((fd) => {
    const found = /^memlock:\s+(\d+)/m.exec(readFileSync(`${folder}/${fd}`, 'utf8'));
    return Number(found?.[1] ?? 0);
  });
  return bytes.reduce((sum, each) => sum + each, 0) / 2 ** 20;
}

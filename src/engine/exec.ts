/** Runs a command in a container, with a limit on its time and on what it may print. */
import { readFile, readlink } from 'node:fs/promises';
import type { EngineClient } from './client.ts';
import type { ExecResult } from './engine.ts';
import { FrameReader, type StreamName } from './frames.ts';

export const execTimeoutMs = 60_000;
export const execOutputBytesMax = 4 << 20;

export interface ExecOptions {
  user?: string;
  workdir?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
  outputBytesMax?: number;
}

/**
 * See Engine.exec. When time runs out the command and its descendants are killed where the engine
 * runs on this machine (the engine itself cannot), `timedOut` is set and the exit code is 137.
 */
export async function exec(
  client: EngineClient,
  id: string,
  argv: string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const about = `container ${id}`;
  const { Id: execId } = await client.json<{ Id: string }>({
    method: 'POST',
    path: `/containers/${encodeURIComponent(id)}/exec`,
    json: {
      AttachStdout: true,
      AttachStderr: true,
      Cmd: argv,
      User: options.user,
      WorkingDir: options.workdir,
      Env: options.env && Object.entries(options.env).map(([name, value]) => `${name}=${value}`),
    },
    about,
  });
  const path = `/exec/${execId}/start`;
  const start = { Detach: false, Tty: false };
  const { socket, head } = await client.upgrade({ method: 'POST', path, json: start, about });
  const output = new LimitedOutput(options.outputBytesMax ?? execOutputBytesMax);
  const reader = new FrameReader((stream, payload) => output.add(stream, payload));
  if (head.length > 0) reader.feed(head);
  let timedOut = false;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      timedOut = true;
      killExec(client, execId).finally(() => socket.destroy());
    }, options.timeoutMs ?? execTimeoutMs);
    socket.on('data', (bytes: Buffer) => reader.feed(bytes));
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.on('end', () => socket.end());
    socket.on('close', () => clearTimeout(timer));
    socket.resume();
  });
  const exitCode = timedOut ? 137 : await exitCodeOf(client, execId);
  return { exitCode, ...output.texts(), timedOut };
}

/** Keeps the first bytes of each stream and says what was left out. */
class LimitedOutput {
  readonly #bytesMax: number;
  readonly #parts: Record<StreamName, Buffer[]> = { stdout: [], stderr: [] };
  readonly #bytes: Record<StreamName, number> = { stdout: 0, stderr: 0 };

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(stream: StreamName, payload: Buffer): void {
    const room = this.#bytesMax - this.#bytes[stream];
    this.#bytes[stream] += payload.length;
    if (room > 0) this.#parts[stream].push(Buffer.from(payload.subarray(0, room)));
  }

  texts(): { stdout: string; stderr: string } {
    return { stdout: this.#text('stdout'), stderr: this.#text('stderr') };
  }

  #text(stream: StreamName): string {
    const text = Buffer.concat(this.#parts[stream]).toString('utf8');
    const left = this.#bytes[stream] - this.#bytesMax;
    return left > 0 ? `${text}\n[${left} more bytes were not kept]\n` : text;
  }
}

interface ExecJson {
  ExitCode: number | null;
  Running: boolean;
  Pid: number;
}

async function exitCodeOf(client: EngineClient, execId: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    const state = await inspectExec(client, execId);
    // The output can end a moment before the engine has noted the end of the process.
    if (!state.Running && state.ExitCode !== null) return state.ExitCode;
    if (tries === 100) throw new Error(`exec ${execId}: its output ended but it goes on running`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(20 * (tries + 1), 200)));
  }
}

function inspectExec(client: EngineClient, execId: string): Promise<ExecJson> {
  return client.json<ExecJson>({ method: 'GET', path: `/exec/${execId}/json`, about: 'exec' });
}

async function killExec(client: EngineClient, execId: string): Promise<void> {
  const { Pid: pid, Running } = await inspectExec(client, execId);
  if (!Running || pid <= 1) return;
  const ours = await readlink('/proc/self/ns/pid').catch(() => '');
  const theirs = await readlink(`/proc/${pid}/ns/pid`).catch(() => '');
  // With an engine elsewhere the number is a stranger's here: only a container's process is meant.
  if (theirs === '' || theirs === ours) return;
  for (const victim of await familyOf(pid)) {
    try {
      process.kill(victim, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}

async function familyOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const children = text.split(' ').filter(Boolean).map(Number);
  return [pid, ...(await Promise.all(children.map(familyOf))).flat()];
}

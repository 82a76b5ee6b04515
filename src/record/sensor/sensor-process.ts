/** Exists to own one run of the sensor's process: from its start to the reason why it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Batch, Decoder, SensorFormatError } from './events.ts';
import { CONTROL, CONTROL_BYTES, CONTROL_KIND } from './layout.ts';

const READ_BYTES = 1 << 20;
const STDERR_BYTES_MAX = 8192;

export interface ProcessOptions {
  readonly executable: string;
  readonly ringMib: number;
  readonly drainMs: number;
  readonly statsMs: number;
  readonly connectionsMax: number;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

export interface Control {
  readonly kind: keyof typeof CONTROL_KIND;
  readonly sequence: number;
  readonly netns: number;
  readonly watch: number;
}

export interface SensorProcess {
  readonly pid: number;
  send(control: Control): void;
  /** Resolves with the reason; never rejects. */
  readonly gone: Promise<string>;
  /** Stops reading, for as long as the server cannot keep up. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** Rejects, with what the sensor itself said, if it does not come up. */
export async function startProcess(
  options: ProcessOptions,
  listener: (batch: Batch) => void,
): Promise<SensorProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'fixpoint-sensor-'));
  const path = join(folder, 'events.sock');
  const child = spawn(options.executable, argumentsOf(options, path), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // Ctrl-C is for the server, which then stops the sensor in order
  });
  const ended = endOf(child);
  try {
    await listening(child, ended, options.startTimeoutMs);
    return run(child, ended, path, options, listener);
  } catch (cause) {
    child.kill('SIGKILL');
    throw cause;
  } finally {
    child.stdout?.destroy();
    void ended.then(() => rmSync(folder, { recursive: true, force: true }));
  }
}

function argumentsOf(options: ProcessOptions, path: string): string[] {
  return [
    ...['--listen', path],
    ...['--ring-mib', String(options.ringMib)],
    ...['--drain-ms', String(options.drainMs)],
    ...['--stats-ms', String(options.statsMs)],
    ...['--connections-max', String(options.connectionsMax)],
    ...['--accept-ms', String(options.startTimeoutMs)],
  ];
}

/** How the process ended, with its last words. */
function endOf(child: ChildProcess): Promise<string> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-STDERR_BYTES_MAX);
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`cannot start the sensor: ${error.message}`));
    child.once('close', (code, signal) => {
      const words = said.trim();
      resolve(`sensor ended with ${signal ?? `exit code ${code}`}${words && `: ${words}`}`);
    });
  });
}

async function listening(child: ChildProcess, ended: Promise<string>, timeoutMs: number) {
  const said = child.stdout ? once(child.stdout, 'data') : Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, `sensor did not start within ${timeoutMs} ms`);
  });
  const problem = await Promise.race([said.then(() => ''), ended, late]);
  clearTimeout(timer);
  if (problem) throw new Error(problem);
}

function run(
  child: ChildProcess,
  ended: Promise<string>,
  path: string,
  options: ProcessOptions,
  listener: (batch: Batch) => void,
): SensorProcess {
  let broken = '';
  const memory = Buffer.allocUnsafe(READ_BYTES);
  const decoder = new Decoder(listener);
  const socket: Socket = connect({
    path,
    onread: {
      buffer: memory, // one for ever: no garbage however much comes
      callback: (bytes) => {
        if (broken) return false;
        try {
          decoder.push(memory.subarray(0, bytes));
        } catch (error) {
          if (!(error instanceof SensorFormatError)) throw error;
          broken = `sensor sent nonsense: ${error.message}`;
          child.kill('SIGKILL');
        }
        return true;
      },
    },
  });
  socket.on('error', () => child.kill('SIGKILL'));
  // What the socket still holds is delivered before the end is told.
  const drained = once(socket, 'close').catch(() => undefined);
  const gone = ended.then(async (reason) => {
    await drained;
    return broken || reason;
  });
  return {
    pid: child.pid ?? 0,
    gone,
    send: (control) => void socket.write(encodeControl(control)),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), options.stopTimeoutMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

function encodeControl(control: Control): Buffer {
  const bytes = Buffer.alloc(CONTROL_BYTES);
  bytes.writeUInt32LE(CONTROL_KIND[control.kind], CONTROL.kind);
  bytes.writeUInt32LE(control.sequence, CONTROL.sequence);
  bytes.writeUInt32LE(control.netns, CONTROL.netns);
  bytes.writeUInt32LE(control.watch, CONTROL.watch);
  return bytes;
}

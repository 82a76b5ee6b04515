/** Asks a new instance for its health until it has it, dies, or runs out of time. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Instance, ProcessExit, ReleaseConfig } from '../domain/app.ts';

export type GateResult =
  | { kind: 'healthy'; status: number; tookMs: number }
  | { kind: 'exited'; exit: ProcessExit }
  /** `last` is what the last try came to, in words. */
  | { kind: 'timeout'; last: string }
  | { kind: 'aborted' };

export interface GateOptions {
  instance: Pick<Instance, 'address' | 'port'>;
  config: Pick<ReleaseConfig, 'healthPath' | 'healthTimeoutMs'>;
  /** Sent as Host, as users will. */
  host: string;
  /** Resolves when the instance's process ends. */
  exited: Promise<ProcessExit>;
  signal: AbortSignal;
}

/** Quick at first, as most apps start within a second; then every second. */
const firstDelaysMs = [50, 100, 100, 150, 200, 250, 250, 500];
const delayMs = 1_000;
const tryTimeoutMs = 5_000;

/** Passes on the first answer whose status is below 500. */
export async function healthGate(options: GateOptions): Promise<GateResult> {
  const { config, signal } = options;
  const startedAt = performance.now();
  let exit: ProcessExit | null = null;
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  options.exited.then(
    (how) => {
      exit = how;
      ending.abort();
    },
    () => undefined,
  );
  let last = 'nothing was asked';
  for (let tries = 0; performance.now() - startedAt < config.healthTimeoutMs; tries++) {
    const answer = await ask(options, either);
    if (exit) return { kind: 'exited', exit };
    if (signal.aborted) return { kind: 'aborted' };
    const tookMs = performance.now() - startedAt;
    if (typeof answer === 'number' && answer < 500) {
      return { kind: 'healthy', status: answer, tookMs };
    }
    last = typeof answer === 'number' ? `it answered ${answer}` : answer;
    await sleep(firstDelaysMs[tries] ?? delayMs, undefined, { signal: either }).catch(() => null);
  }
  if (exit) return { kind: 'exited', exit };
  return { kind: 'timeout', last };
}

function ask(options: GateOptions, signal: AbortSignal): Promise<number | string> {
  const { instance, config, host } = options;
  return new Promise((resolve) => {
    const asking = request({
      host: instance.address,
      port: instance.port,
      path: config.healthPath,
      headers: { host, 'user-agent': 'fixpoint-health', connection: 'close' },
      agent: false,
      signal,
      timeout: tryTimeoutMs,
    });
    asking.on('response', (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    asking.on('timeout', () => {
      resolve(`no answer within ${tryTimeoutMs} ms`);
      asking.destroy();
    });
    asking.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asking.end();
  });
}

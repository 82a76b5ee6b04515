/** Waits until the app accepts, and answers its health request as it did in production. */
import net from 'node:net';
import type { Endpoint } from '../domain/wire.ts';
import { appAddress, worldAddress } from './cable.ts';
import type { Liveness, ReadyResult } from './messages.ts';
import { sendRequest } from './sender.ts';

export interface ReadinessOptions {
  appPort: number;
  /** Null when the recording of the start holds none: accepting is enough then. */
  health: { client: Endpoint; request: Uint8Array } | null;
  timeoutMs: number;
  bodyBytesMax: number;
  signal: AbortSignal;
}

const retryMs = 10;
const healthTimeoutMs = 5000;

/** Resolves with `ready`, or with what was missing when the time was up. */
export async function untilReady(options: ReadinessOptions): Promise<ReadyResult> {
  const startedMs = performance.now();
  const tookMs = () => performance.now() - startedMs;
  let reason = `nothing listens on port ${options.appPort}`;
  while (tookMs() < options.timeoutMs && !options.signal.aborted) {
    if (options.health === null) {
      if (await accepts(options.appPort)) return { kind: 'ready', tookMs: tookMs(), health: null };
    } else {
      const result = await sendRequest({
        ...{ appPort: options.appPort, bodyBytesMax: options.bodyBytesMax, ...options.health },
        signal: options.signal,
        timeoutMs: Math.min(healthTimeoutMs, Math.max(100, options.timeoutMs - tookMs())),
      });
      const status = result.answer?.status ?? null;
      if (status !== null && status < 500) {
        return { kind: 'ready', tookMs: tookMs(), health: `answered ${status}` };
      }
      if (result.noAnswer !== 'connection refused') {
        reason = `the health request got ${status ?? `no answer (${result.noAnswer})`}`;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  return { kind: 'timeout', reason };
}

/**
 * Connects and hangs up at once, as load balancers do, and waits until the app hangs up as well.
 * It does so in its turn: what it had begun before, its own death included, has happened by then.
 */
export function probe(port: number, timeoutMs: number): Promise<Liveness> {
  return new Promise((resolve) => {
    const host = appAddress.v4;
    const socket = net.connect({ host, port, localAddress: worldAddress.v4, allowHalfOpen: true });
    const end = (liveness: Liveness) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(liveness);
    };
    const timer = setTimeout(() => end('busy'), timeoutMs);
    socket.on('connect', () => socket.end());
    socket.on('end', () => end('alive'));
    socket.on('error', () => end('dead'));
    socket.resume();
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: appAddress.v4, port, localAddress: worldAddress.v4 });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

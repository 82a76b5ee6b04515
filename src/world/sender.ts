/** Sends a recorded request to the app, from the client that sent it, and reads the answer. */
import net from 'node:net';
import type { Exchange } from '../domain/exchange.ts';
import { now } from '../domain/time.ts';
import type { Endpoint } from '../domain/wire.ts';
import { http1 } from '../protocols/http1/http1.ts';
import { bodyBytes, responseOf } from '../protocols/http1/message.ts';
import { appAddress, worldAddress } from './cable.ts';
import { isLoopback } from './directory.ts';
import type { SendResult } from './messages.ts';

export interface SendOptions {
  appPort: number;
  /** The recorded client. */
  client: Endpoint;
  request: Uint8Array;
  timeoutMs: number;
  bodyBytesMax: number;
  signal: AbortSignal;
}

type Answer = NonNullable<SendResult['answer']>;

/** Resolves with the whole answer, or with why there is none. Never rejects. */
export function sendRequest(options: SendOptions): Promise<SendResult> {
  const from = sourceFor(options.client);
  return new Promise((resolve) => {
    let sentAt = now();
    const reader = http1.reader(headOf(options), { bodyBytesMax: options.bodyBytesMax });
    const socket = net.connect({
      host: from.app,
      port: options.appPort,
      localAddress: from.address,
      noDelay: true,
    });
    let received = 0;
    const end = (answer: Answer | null, noAnswer: string | null) => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve({ sentAt, endedAt: now(), answer, noAnswer, caveat: from.caveat });
    };
    const look = () => {
      const answer = answerOf(reader.take(), sentAt);
      if (answer !== null) end(answer, null);
    };
    const abort = () => end(null, 'aborted');
    options.signal.addEventListener('abort', abort);
    const timer = setTimeout(() => end(null, 'timeout'), options.timeoutMs);
    socket.on('connect', () => {
      sentAt = now();
      reader.feed({ from: 'client', pos: 0, at: sentAt, bytes: options.request });
      socket.write(options.request);
    });
    socket.on('data', (bytes) => {
      reader.feed({ from: 'server', pos: received, at: now(), bytes });
      received += bytes.length;
      look();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') end(null, 'connection refused');
    });
    socket.on('close', () => {
      reader.close(now());
      look();
      end(null, 'connection closed');
    });
  });
}

function answerOf(exchanges: Exchange[], sentAt: number): Answer | null {
  for (const exchange of exchanges) {
    const response = responseOf(exchange);
    if (response === null || exchange.end === 'unanswered') continue;
    return {
      status: response.status,
      headers: response.headers,
      body: bodyBytes(response.body),
      tookMs: (now() - sentAt) / 1000,
    };
  }
  return null;
}

/** The address to send from: the recorded client's, unless nobody outside can have it. */
function sourceFor(client: Endpoint): { address: string; app: string; caveat: string | null } {
  const own: readonly string[] = [...Object.values(appAddress), '0.0.0.0', '::'];
  const usable = net.isIP(client.address) !== 0 && !isLoopback(client.address);
  if (usable && !own.includes(client.address)) {
    const app = net.isIPv6(client.address) ? appAddress.v6 : appAddress.v4;
    return { address: client.address, app, caveat: null };
  }
  return {
    address: worldAddress.v4,
    app: appAddress.v4,
    caveat: `the request came from ${client.address || 'an unknown address'}, not from outside`,
  };
}

function headOf(options: SendOptions): Parameters<typeof http1.reader>[0] {
  return {
    id: 'trigger',
    direction: 'inbound',
    transport: 'tcp',
    client: options.client,
    server: { address: appAddress.v4, port: options.appPort },
    serverName: null,
  };
}

/** Hand-made recordings for tests: connections from lists of what each side sent, and when. */
import type { Release } from '../domain/app.ts';
import type { Recording } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';
import type { Connection, Endpoint, Side } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';

/** When the tests' recordings were made. */
export const recordedAt: Instant = Date.UTC(2024, 1, 29, 12, 0, 0) * 1000;

/** `>` is what the client sent, `<` what the server did; each is one chunk, 1 ms apart. */
export type Talk = readonly (readonly ['>' | '<', string | Uint8Array])[];

export function connection(options: {
  id: string;
  direction?: Connection['direction'];
  transport?: Connection['transport'];
  client?: Endpoint;
  server: Endpoint;
  at?: Instant;
  protocol?: string | null;
  closed?: boolean;
  talk: Talk;
}): Connection {
  const openedAt = options.at ?? recordedAt;
  const positions: Record<Side, number> = { client: 0, server: 0 };
  let at = openedAt;
  const chunks = options.talk.map(([mark, said]) => {
    const from: Side = mark === '>' ? 'client' : 'server';
    const bytes = typeof said === 'string' ? new TextEncoder().encode(said) : said;
    const pos = positions[from];
    positions[from] += bytes.length;
    at += 1000;
    return { from, pos, at, bytes };
  });
  return {
    id: options.id,
    direction: options.direction ?? 'outbound',
    transport: options.transport ?? 'tcp',
    client: options.client ?? { address: '172.30.0.5', port: 40000 },
    server: options.server,
    openedAt,
    closedAt: options.closed ? at : null,
    protocol: options.protocol ?? null,
    chunks,
    gaps: [],
    carried: [],
  };
}

/** A recording whose trigger is the only exchange of the connection `trigger`. */
export function recording(
  connections: Connection[],
  options: Partial<Recording> & { trigger?: string } = {},
): Recording {
  const { trigger, ...rest } = options;
  const exchanges = exchangesOf(connections);
  const calls = exchanges.filter((exchange) => exchange.direction === 'outbound');
  return {
    id: `recording-${trigger ?? 'boot'}`,
    kind: trigger === undefined ? 'boot' : 'failure',
    app: 'shop',
    releaseNumber: 1,
    instanceId: 'instance',
    from: recordedAt,
    to: recordedAt + 60_000_000,
    connections,
    triggerExchangeId:
      trigger === undefined
        ? null
        : (exchanges.find((exchange) => exchange.connectionId === trigger)?.id ?? null),
    callExchangeIds: trigger === undefined ? [] : calls.map((exchange) => exchange.id),
    causality: 'exact',
    prefixExchangeIds: [],
    log: [],
    exit: null,
    route: null,
    completeness: { seenBytes: 0, totalBytes: 0, reasons: [] },
    ...rest,
  };
}

/** An HTTP answer with a JSON body, as a server would send it. */
export function httpAnswer(body: unknown, status = '200 OK'): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return (
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n` +
    `Date: Thu, 29 Feb 2024 12:00:00 GMT\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
  );
}

export function httpRequest(line: string, host = 'shop.example', body = ''): string {
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${line} HTTP/1.1\r\nHost: ${host}\r\n${length}\r\n${body}`;
}

export function release(options: { imageId: string; port?: number }): Release {
  return {
    app: 'shop',
    number: 1,
    commit: '0'.repeat(40),
    imageId: options.imageId,
    config: {
      port: options.port ?? 3000,
      healthPath: '/',
      healthTimeoutMs: 10_000,
      drainMs: 1000,
      memoryBytesMax: 512 << 20,
      processesMax: 200,
      workdir: '/app',
    },
    envVersion: 1,
    createdAt: recordedAt,
  };
}

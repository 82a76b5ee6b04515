/** Records for tests by standing between the two ends of a connection: what passes is what was. */
import net from 'node:net';
import type { Recording } from '../domain/recording.ts';
import { now } from '../domain/time.ts';
import type { Connection, Endpoint, Side } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';

export interface Tee {
  port: number;
  close(): Promise<void>;
}

/** Every connection that goes through one of its tees, until they are taken out. */
export class FakeRecorder {
  #connections: Connection[] = [];
  #count = 0;
  readonly #positions = new Map<Connection, Record<Side, number>>();

  /** Listens on a free port of all addresses and passes everything on to `to`. */
  async tee(options: {
    to: net.NetConnectOpts;
    direction: Connection['direction'];
    /** The server as the app sees it; the port is the tee's when it is 0. */
    server: Endpoint;
  }): Promise<Tee> {
    const server = net.createServer((client) => {
      const far = net.connect(options.to);
      const { port } = server.address() as net.AddressInfo;
      const connection: Connection = {
        id: `${options.direction}-${++this.#count}`,
        direction: options.direction,
        transport: 'tcp',
        client: { address: '203.0.113.7', port: client.remotePort ?? 0 },
        server: { ...options.server, port: options.server.port || port },
        openedAt: now(),
        closedAt: null,
        protocol: null,
        ...{ chunks: [], gaps: [], carried: [] },
      };
      this.#connections.push(connection);
      this.#positions.set(connection, { client: 0, server: 0 });
      client.on('data', (bytes) => this.#passed(connection, 'client', bytes));
      far.on('data', (bytes) => this.#passed(connection, 'server', bytes));
      client.pipe(far).pipe(client);
      for (const socket of [client, far]) {
        socket.on('error', () => {
          client.destroy();
          far.destroy();
        });
      }
      client.on('close', () => {
        connection.closedAt = now();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
    return { port: (server.address() as net.AddressInfo).port, close };
  }

  /** What passed so far. Connections that are open go on from there in the next recording. */
  take(options: Partial<Recording> & { from: number }): Recording {
    const connections = this.#connections.map((connection) => structuredClone(connection));
    const exchanges = exchangesOf(connections);
    const trigger = exchanges.findLast((exchange) => exchange.direction === 'inbound');
    const isBoot = options.kind === 'boot';
    const since = trigger?.request?.startedAt ?? 0;
    const calls = exchanges.filter(
      ({ direction, request }) => direction === 'outbound' && (request?.startedAt ?? 0) >= since,
    );
    return {
      id: `recording-${options.from}`,
      kind: 'failure',
      app: 'shop',
      releaseNumber: 1,
      instanceId: 'instance',
      to: now(),
      connections,
      triggerExchangeId: isBoot ? null : (trigger?.id ?? null),
      callExchangeIds: isBoot ? [] : calls.map((exchange) => exchange.id),
      causality: 'exact',
      prefixExchangeIds: [],
      log: [],
      exit: null,
      route: null,
      completeness: { seenBytes: 0, totalBytes: 0, reasons: [] },
      ...options,
    };
  }

  #passed(connection: Connection, from: Side, bytes: Uint8Array): void {
    const positions = this.#positions.get(connection)!;
    connection.chunks.push({ from, pos: positions[from], at: now(), bytes: bytes.slice() });
    positions[from] += bytes.length;
  }
}

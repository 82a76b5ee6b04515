/** Answers the app's datagrams from the very address that was asked. */
import dgram from 'node:dgram';
import net from 'node:net';
import type { Endpoint } from '../domain/wire.ts';
import { Live, type LiveContext } from './live.ts';
import { plainAddress } from './tcp.ts';

const flowsMax = 1000;

export class UdpServers {
  readonly #context: LiveContext;
  readonly #sockets = new Map<string, dgram.Socket>();
  #flows = new Map<string, Live>();

  constructor(context: LiveContext) {
    this.#context = context;
  }

  /**
   * One socket per server address: a socket for all addresses would answer from the wrong one,
   * and resolvers drop that. Resolves once all are bound.
   */
  async listen(servers: Iterable<Endpoint>): Promise<void> {
    await Promise.all([...servers].map((server) => this.#bind(server)));
  }

  listensTo(server: Endpoint): boolean {
    return this.#sockets.has(keyOf(server));
  }

  /** Resolves once nothing is listened to. */
  async close(): Promise<void> {
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    await Promise.all(sockets.map((s) => new Promise<void>((done) => s.close(() => done()))));
  }

  async #bind(server: Endpoint): Promise<void> {
    if (this.listensTo(server)) return;
    const socket = dgram.createSocket(net.isIPv6(server.address) ? 'udp6' : 'udp4');
    this.#sockets.set(keyOf(server), socket);
    socket.on('message', (bytes, from) => {
      const client = { address: plainAddress(from.address), port: from.port };
      for (const answer of this.#answer(bytes, client, server)) {
        socket.send(answer, from.port, from.address, () => {});
      }
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ port: server.port, address: server.address, exclusive: true }, resolve);
    });
    socket.on('error', () => {});
  }

  #answer(bytes: Uint8Array, client: Endpoint, server: Endpoint): Uint8Array[] {
    const key = `${keyOf(client)} ${keyOf(server)}`;
    if (this.#flows.size >= flowsMax) this.#flows.clear();
    let live = this.#flows.get(key);
    if (live === undefined) {
      live = new Live(this.#context, { id: key, transport: 'udp', client, server });
      this.#flows.set(key, live);
    }
    try {
      return live.receive(bytes).send;
    } catch (error) {
      const title = `the world could not answer: ${error instanceof Error ? error.message : error}`;
      this.#context.notebook.stray({ ...live.where, title });
      return [];
    }
  }
}

function keyOf(endpoint: Endpoint): string {
  return `${endpoint.address} ${endpoint.port}`;
}

/** Accepts the app's TCP connections to any address, on every port that a recording knows. */
import net from 'node:net';
import { Live, type LiveContext, type Step } from './live.ts';
import type { Notebook } from './notebook.ts';

export class TcpServers {
  readonly #context: LiveContext;
  readonly #servers = new Map<number, net.Server>();
  readonly #sockets = new Set<net.Socket>();
  #accepted = 0;

  /** `::` takes both families; without IPv6 in the kernel it is `0.0.0.0`. */
  readonly #host: string;

  constructor(context: LiveContext, options: { ipv6: boolean }) {
    this.#context = context;
    this.#host = options.ipv6 ? '::' : '0.0.0.0';
  }

  /** Resolves once every port is listened to; ports that are already stay as they are. */
  async listen(ports: Iterable<number>): Promise<void> {
    const fresh = [...new Set(ports)].filter((port) => port > 0 && !this.#servers.has(port));
    await Promise.all(fresh.map((port) => this.#listen(port)));
  }

  listensTo(port: number): boolean {
    return this.#servers.has(port);
  }

  /** Resolves once nothing is listened to and every connection is gone. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    const servers = [...this.#servers.values()];
    this.#servers.clear();
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  }

  async #listen(port: number): Promise<void> {
    const server = net.createServer({ allowHalfOpen: false, noDelay: true }, (socket) =>
      this.#serve(socket),
    );
    this.#servers.set(port, server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: this.#host }, resolve);
    });
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    const live = new Live(this.#context, {
      id: `replay-${++this.#accepted}`,
      transport: 'tcp',
      client: { address: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 },
      server: { address: plainAddress(socket.localAddress), port: socket.localPort ?? 0 },
    });
    act(socket, live.open());
    socket.on('data', (bytes) => act(socket, guarded(live, bytes, this.#context.notebook)));
  }
}

/** A bug of ours must show as a broken connection that is told, not as a dead world. */
function guarded(live: Live, bytes: Uint8Array, notebook: Notebook): Step {
  try {
    return live.receive(bytes);
  } catch (error) {
    const title = `the world could not answer: ${error instanceof Error ? error.message : error}`;
    notebook.stray({ ...live.where, title });
    return { send: [], next: 'reset' };
  }
}

function act(socket: net.Socket, step: Step): void {
  if (socket.destroyed) return;
  if (step.next === 'reset') {
    socket.resetAndDestroy();
    return;
  }
  socket.cork();
  for (const bytes of step.send) socket.write(bytes);
  socket.uncork();
  if (step.next === 'end') socket.end();
}

/** `::ffff:1.2.3.4` is an IPv4 address seen through an IPv6 socket. */
export function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}

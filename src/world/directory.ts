/** Who is who outside: the servers that the recordings know, their names and their protocols. */
import type { Recording } from '../domain/recording.ts';
import type { Connection, Endpoint, Transport } from '../domain/wire.ts';
import type { Recorded } from './entry.ts';

/** A server of the recordings. */
interface Known {
  protocols: Set<string>;
  /** Whether a connection to it was ever made; else every attempt failed. */
  reached: boolean;
  /** Error number of a failed attempt. */
  errno: number | null;
}

export class Directory {
  readonly #known = new Map<string, Known>();
  readonly #names = new Map<string, string>();

  /** Adds what a recording knows. */
  add(recorded: Recorded): void {
    for (const connection of outboundOf(recorded.recording)) {
      const known = this.#knownOf(connection.transport, connection.server);
      if (connection.connectErrno === undefined) known.reached = true;
      else known.errno = connection.connectErrno;
      if (connection.protocol !== null) known.protocols.add(connection.protocol);
    }
    const transports = new Map(recorded.recording.connections.map((c) => [c.id, c.transport]));
    for (const exchange of recorded.exchanges) {
      if (exchange.direction !== 'outbound') continue;
      const transport = transports.get(exchange.connectionId) ?? 'tcp';
      this.#knownOf(transport, exchange.server).protocols.add(exchange.protocol);
      if (exchange.serverName !== null && exchange.protocol !== 'dns') {
        this.#names.set(exchange.server.address, exchange.serverName);
      }
    }
  }

  /** A server of the sandbox itself: its resolver. */
  addServer(transport: Transport, server: Endpoint, protocol: string): void {
    const known = this.#knownOf(transport, server);
    known.reached = true;
    known.protocols.add(protocol);
  }

  /** The name by which the app knows an address, as far as the recordings tell. */
  nameOf(address: string): string | null {
    return this.#names.get(address) ?? null;
  }

  /** Protocols recorded with a server; null when no recording knows the server. */
  protocolsAt(transport: Transport, server: Endpoint): ReadonlySet<string> | null {
    const known = this.#known.get(keyOf(transport, server));
    return known?.reached ? known.protocols : null;
  }

  /** Error number with which connecting to a server always failed; null when it did not. */
  refusalOf(transport: Transport, server: Endpoint): number | null {
    const known = this.#known.get(keyOf(transport, server));
    return known === undefined || known.reached ? null : known.errno;
  }

  /** Every server that was reached. */
  servers(transport: Transport): Endpoint[] {
    return [...this.#known]
      .filter(([key, known]) => known.reached && key.startsWith(`${transport} `))
      .map(([key]) => {
        const [, address, port] = key.split(' ');
        return { address: address!, port: Number(port) };
      });
  }

  #knownOf(transport: Transport, server: Endpoint): Known {
    const key = keyOf(transport, server);
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { protocols: new Set(), reached: false, errno: null };
      this.#known.set(key, known);
    }
    return known;
  }
}

/** Connections that the app opened to somewhere outside of itself. */
export function outboundOf(recording: Recording): Connection[] {
  return recording.connections.filter((connection) => connection.direction === 'outbound');
}

/** Whether an address is the app's own loopback: nobody outside ever answers there. */
export function isLoopback(address: string): boolean {
  return /^127\./.test(address) || address === '::1' || /^::ffff:127\./.test(address);
}

function keyOf(transport: Transport, server: Endpoint): string {
  return `${transport} ${server.address} ${server.port}`;
}

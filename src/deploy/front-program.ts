/**
 * Runs in an app's front, a container that bears the app's name: hands each connection to the
 * instance that is healthy at that moment. Open connections stay where they are, so a switch
 * fails no call from one app to another, and no call reaches an instance that is still starting.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';

/** The content of the file that we write into the container. */
export interface FrontTarget {
  address: string;
  port: number;
}

/** So that `http://APP` works as well as `http://APP:PORT`. */
const usualPort = 80;
const portEveryMs = 250;

/** Forwards until `close`. The file is read for each connection, and for its port at times. */
export function front(file: string, everyMs = portEveryMs): { close(): void } {
  const servers = new Map<number, Server>();
  let last: FrontTarget | null = null;

  const target = (): FrontTarget | null => {
    try {
      last = JSON.parse(readFileSync(file, 'utf8')) as FrontTarget;
    } catch {
      // It is being written at this moment: what it said before still holds.
    }
    return last;
  };

  const listen = () => {
    const { port } = target() ?? { port: usualPort };
    for (const wanted of new Set([port, usualPort])) {
      if (servers.has(wanted)) continue;
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (incoming) => {
        const to = target();
        if (!to) return incoming.destroy();
        const outgoing = connect({ host: to.address, port: to.port, allowHalfOpen: true });
        outgoing.setNoDelay(true);
        const end = () => {
          incoming.destroy();
          outgoing.destroy();
        };
        incoming.on('error', end);
        outgoing.on('error', end);
        incoming.pipe(outgoing).pipe(incoming);
      });
      // The port may be taken by the previous one until it is closed: the next round tries again.
      server.on('error', () => servers.delete(wanted));
      server.listen(wanted);
      servers.set(wanted, server);
    }
    for (const [open, server] of servers) {
      if (open === port || open === usualPort) continue;
      servers.delete(open);
      server.close();
    }
  };
  listen();
  const timer = setInterval(listen, everyMs);
  return {
    close() {
      clearInterval(timer);
      for (const server of servers.values()) server.close();
    },
  };
}

if (import.meta.main) front(process.argv[2]!);

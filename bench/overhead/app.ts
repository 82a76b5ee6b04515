// The app of bench/record-overhead: answers at once, after a millisecond of work, after one SELECT, or
// with a large body. It counts the bytes of all its sockets, which the recording must account for.
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import pg from 'pg';
import { answer } from './helper.ts';

const [host, port, databaseUrl] = process.argv.slice(2) as [string, string, string];
const large = Buffer.alloc(200_000, 'x');
const open = new Set<Socket>();
const gone = { receivedBytes: 0, sentBytes: 0 };
let pool = newPool();

const server = createServer((request, response) => {
  switch (request.url) {
    case '/work':
      for (const until = performance.now() + 1; performance.now() < until; );
      return response.end('Hello, world!\n');
    case '/select':
      return void pool
        .query('SELECT id, name, price FROM thing WHERE id = $1', [
          (1000 + Math.random() * 999) | 0,
        ])
        .then(({ rows }) => response.end(JSON.stringify(rows[0]).padEnd(100)))
        .catch((error) => response.writeHead(500).end(String(error)));
    case '/large':
      return response.end(large);
    default:
      return response.end('Hello, world!\n');
  }
});
server.keepAliveTimeout = 0;
server.on('connection', counted);
server.listen(Number(port), host, () => {
  void answer({
    ready: () => null,
    /** Closes what is open to the database, so that the next connections are seen from their start. */
    reset: async () => {
      await pool.end();
      pool = newPool();
    },
    usage: () => {
      const { user, system } = process.cpuUsage();
      const bytes = { ...gone };
      for (const socket of open) add(bytes, socket);
      return { cpuUs: user + system, ...bytes };
    },
  });
});

function newPool(): pg.Pool {
  const made = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  made.on('connect', (client) => {
    counted((client as unknown as { connection: { stream: Socket } }).connection.stream);
  });
  return made;
}

function counted(socket: Socket): void {
  open.add(socket);
  socket.once('close', () => {
    open.delete(socket);
    add(gone, socket);
  });
}

function add(bytes: typeof gone, socket: Socket): void {
  bytes.receivedBytes += socket.bytesRead;
  bytes.sentBytes += socket.bytesWritten;
}

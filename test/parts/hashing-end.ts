// Either end of many HTTP exchanges, which hashes every byte that its sockets sent and received.
// `server HOST PORT`, or `client HOST PORT CONNECTIONS EXCHANGES BODY_BYTES_MAX FOLDER`.
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

type Side = 'client' | 'server';

const [role, host, port, ...more] = process.argv.slice(2) as [string, string, string, ...string[]];
if (role === 'server') serve();
else await ask();

/** Answers with as many bytes as it is asked for; ends with its standard input. */
function serve(): void {
  const noise = randomBytes(2 << 20);
  const server = createServer((incoming, response) => {
    const length = Number(incoming.headers['x-answer-bytes']);
    const isChunked = incoming.headers['x-chunked'] === 'yes';
    incoming.resume().on('end', () => {
      if (!isChunked) response.setHeader('content-length', length);
      const bytes = noise.subarray(length % 1000, (length % 1000) + length);
      const middle = Math.floor(length / 3);
      if (isChunked && middle > 0) response.write(bytes.subarray(0, middle));
      response.end(isChunked ? bytes.subarray(middle) : bytes);
    });
  });
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => hashing(socket, 'server', socket.remotePort!));
  server.listen(Number(port), host, () => console.log('listening'));
  process.stdin.resume().on('end', () => server.close());
}

async function ask(): Promise<void> {
  const [connections, exchanges, bodyBytesMax] = more.slice(0, 3).map(Number) as [
    number,
    number,
    number,
  ];
  const noise = randomBytes(2 * bodyBytesMax);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  // Handed out once connected: what is hashed begins with the first byte.
  agent.createConnection = (_, connected) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    socket
      .once('error', (error) => connected!(error, socket))
      .once('connect', () => {
        hashing(socket, 'client', socket.localPort!, more[3]);
        connected!(null, socket);
      });
    return null;
  };
  let begun = 0;
  const lane = async () => {
    for (let n = begun++; n < exchanges; n = begun++) {
      const length = sizeOf(n, bodyBytesMax);
      const offset = Math.floor(Math.random() * bodyBytesMax);
      const answerBytes = sizeOf(n + 1, bodyBytesMax);
      await once(agent, noise.subarray(offset, offset + length), answerBytes);
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  agent.destroy();
}

function once(agent: Agent, body: Buffer, answerBytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const chunked = Math.random() < 0.5 ? 'yes' : 'no';
    const headers = {
      ...{ 'x-answer-bytes': answerBytes, 'x-chunked': chunked },
      ...(chunked === 'yes' && body.length > 0 ? {} : { 'content-length': body.length }),
    };
    const options = { agent, host, port, method: 'POST', path: '/echo', headers };
    const sent = request(options, (answer) => void read(answer).then(check, reject));
    const check = (bytes: number) => {
      if (bytes === answerBytes) resolve();
      else reject(new Error(`${bytes} bytes came instead of ${answerBytes}`));
    };
    sent.on('error', reject).end(body);
  });
}

async function read(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const part of answer) bytes += (part as Buffer).length;
  return bytes;
}

/** Mostly small, some large, 10 KB on average; the first few are the extremes. */
function sizeOf(n: number, bytesMax: number): number {
  const extremes = [0, bytesMax, 1, bytesMax - 1];
  if (n < extremes.length) return extremes[n]!;
  const share = Math.random();
  const limits = [
    [0.1, 0],
    [0.75, 2000],
    [0.97, 20_000],
    [0.995, 200_000],
  ] as const;
  const limit = limits.find(([until]) => share < until)?.[1] ?? bytesMax;
  return Math.floor(Math.random() * (limit + 1));
}

/** Prints the connection's hashes when it ends; with a folder, its bytes are kept there too. */
function hashing(socket: Socket, own: Side, clientPort: number, folder?: string): void {
  const peer: Side = own === 'client' ? 'server' : 'client';
  const streams = { client: stream(), server: stream() };
  const take = (side: Side, bytes: Uint8Array) => {
    streams[side].hash.update(bytes);
    streams[side].bytes += bytes.length;
    if (folder !== undefined) appendFileSync(join(folder, `${clientPort}.${side}`), bytes);
  };
  socket.on('data', (bytes) => take(peer, bytes as Buffer));
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.write = ((data: string | Uint8Array, ...rest: unknown[]) => {
    const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : 'utf8';
    take(own, typeof data === 'string' ? Buffer.from(data, encoding) : data);
    return write(data, ...rest);
  }) as Socket['write'];
  socket.once('close', () => {
    const told = ({ hash, bytes }: ReturnType<typeof stream>) => {
      return { sha256: hash.digest('hex'), bytes };
    };
    const { client, server } = streams;
    console.log(JSON.stringify({ port: clientPort, client: told(client), server: told(server) }));
  });
}

function stream() {
  return { hash: createHash('sha256'), bytes: 0 };
}

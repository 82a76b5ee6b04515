// The clients of bench/record-overhead: keep-alive connections that each send one request after the
// other, at once or at the beat of a clock, and time every answer.
import { connect, type Socket } from 'node:net';
import { answer } from './helper.ts';

export interface Load {
  path: string;
  connections: number;
  seconds: number;
  /** All connections send once in so many milliseconds; 0: as soon as they were answered. */
  everyMs: number;
}

export interface LoadResult {
  exchanges: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  cpuUs: number;
  sentBytes: number;
  receivedBytes: number;
}

const [host, port] = process.argv.slice(2) as [string, string];
const latencyUsMax = 2_000_000;
/** How often each latency was seen, by microsecond. */
const seen = new Uint32Array(latencyUsMax + 1);

void answer({
  run: async ({ path, connections, seconds, everyMs }: Load): Promise<LoadResult> => {
    seen.fill(0);
    const before = process.cpuUsage();
    const lanes = await Promise.all(Array.from({ length: connections }, () => opened(path)));
    const startedMs = performance.now();
    const untilMs = startedMs + seconds * 1000;
    const send = () => {
      for (const lane of lanes) lane.send();
    };
    const timer = everyMs > 0 ? setInterval(send, everyMs) : null;
    await Promise.all(lanes.map((lane) => lane.run(untilMs, everyMs === 0)));
    if (timer !== null) clearInterval(timer);
    const tookMs = performance.now() - startedMs;
    await Promise.all(lanes.map((lane) => lane.close()));
    const { user, system } = process.cpuUsage(before);
    const sum = (of: (lane: Lane) => number) => lanes.reduce((total, lane) => total + of(lane), 0);
    const exchanges = sum((lane) => lane.exchanges);
    return {
      exchanges,
      seconds: tookMs / 1000,
      p50Ms: percentile(exchanges, 0.5),
      p99Ms: percentile(exchanges, 0.99),
      cpuUs: user + system,
      sentBytes: sum((lane) => lane.socket.bytesWritten),
      receivedBytes: sum((lane) => lane.socket.bytesRead),
    };
  },
});

function percentile(count: number, share: number): number {
  let left = count * share;
  for (let us = 0; us <= latencyUsMax; us++) {
    left -= seen[us]!;
    if (left <= 0) return us / 1000;
  }
  return Number.NaN;
}

function opened(path: string): Promise<Lane> {
  return new Promise((resolve, reject) => {
    const lane = new Lane(path, (socket) => socket.once('connect', () => resolve(lane)));
    lane.socket.once('error', reject);
  });
}

/** One connection. Answers of one path are equally long, so only the first one's head is read. */
class Lane {
  readonly socket: Socket;
  exchanges = 0;
  readonly #request: Buffer;
  #answerBytes = 0;
  #gotBytes = 0;
  #sentMs = 0;
  #isBusy = false;
  #isEager = false;
  #untilMs = 0;
  #done: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(path: string, made: (socket: Socket) => void) {
    this.#request = Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`,
    );
    const callback = (bytes: number, buffer: Uint8Array) => this.#take(bytes, buffer);
    const onread = { buffer: Buffer.allocUnsafe(65_536), callback };
    this.socket = connect({ host, port: Number(port), noDelay: true, onread });
    this.socket.on('error', (error) => this.#failed(error));
    this.socket.on('close', () => this.#failed(new Error('the app closed a connection')));
    made(this.socket);
  }

  /** Resolves once its last answer came. */
  run(untilMs: number, isEager: boolean): Promise<void> {
    this.#untilMs = untilMs;
    this.#isEager = isEager;
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      if (isEager) this.send();
    });
  }

  send(): void {
    if (this.#isBusy) return;
    const nowMs = performance.now();
    if (nowMs >= this.#untilMs) {
      this.#done();
      return;
    }
    this.#isBusy = true;
    this.#sentMs = nowMs;
    this.socket.write(this.#request);
  }

  close(): Promise<void> {
    this.#failed = () => {};
    return new Promise((resolve) => {
      this.socket.once('close', () => resolve());
      this.socket.end();
    });
  }

  #take(bytes: number, buffer: Uint8Array): boolean {
    if (this.#gotBytes === 0) this.#begin(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
    this.#gotBytes += bytes;
    if (this.#gotBytes < this.#answerBytes) return true;
    if (this.#gotBytes > this.#answerBytes) this.#failed(new Error('an answer is too long'));
    this.#gotBytes = 0;
    this.#isBusy = false;
    this.exchanges++;
    const us = Math.round((performance.now() - this.#sentMs) * 1000);
    seen[Math.min(us, latencyUsMax)]!++;
    if (this.#isEager) this.send();
    return true;
  }

  #begin(bytes: Buffer): void {
    // `HTTP/1.1 2`
    if (bytes[9] !== 0x32) this.#failed(new Error(`not 2xx: ${bytes.toString('latin1', 0, 400)}`));
    if (this.#answerBytes > 0) return;
    const headBytes = bytes.indexOf('\r\n\r\n') + 4;
    const length = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, headBytes))?.[1];
    if (length === undefined) this.#failed(new Error('an answer without its length'));
    this.#answerBytes = headBytes + Number(length);
  }
}

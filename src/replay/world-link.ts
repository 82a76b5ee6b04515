/** The replayer's end of the line to a world: a Unix socket in a folder that the world mounts. */
import net from 'node:net';
import type { Divergence, Served } from '../domain/outcome.ts';
import { encodeFrame, FrameReader } from '../world/frames.ts';
import type { CallName, Calls, FromWorld } from '../world/messages.ts';

/** The world ended or never came: says nothing about the app. */
export class WorldLostError extends Error {
  override name = 'WorldLostError';
}

interface Pending {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

export class WorldLink {
  onServed: (served: Served) => void = () => {};
  onDiverged: (divergence: Divergence) => void = () => {};
  readonly #server: net.Server;
  readonly #pending = new Map<number, Pending>();
  #socket: net.Socket | null = null;
  #calls = 0;
  #lost: Error | null = null;
  #up!: Pending;
  readonly #isUp: Promise<unknown>;

  private constructor(server: net.Server) {
    this.#server = server;
    this.#isUp = new Promise((resolve, reject) => {
      this.#up = { resolve, reject };
    });
    this.#isUp.catch(() => {});
    server.on('connection', (socket) => this.#connected(socket));
  }

  /** Listens at `path`; the world connects to it when it starts. */
  static async listen(path: string): Promise<WorldLink> {
    const server = net.createServer();
    const link = new WorldLink(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return link;
  }

  /** Whether the world is gone. */
  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** Resolves once the cable is laid and the world can be called. */
  async up(timeoutMs: number): Promise<void> {
    const timer = setTimeout(
      () => this.lose(`the world did not come up within ${timeoutMs} ms`),
      timeoutMs,
    );
    try {
      await this.#isUp;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Rejects with WorldLostError when the world is gone, and with its own error when it throws. */
  call<N extends CallName>(name: N, params: Calls[N][0]): Promise<Calls[N][1]> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject });
      this.#socket!.write(encodeFrame({ id, call: name, params }));
    });
  }

  /** Everything that waits for the world is told that it is gone. */
  lose(reason: string): void {
    this.#lost ??= new WorldLostError(reason);
    this.#up.reject(this.#lost);
    for (const { reject } of this.#pending.values()) reject(this.#lost);
    this.#pending.clear();
  }

  close(): void {
    this.lose('the sandbox was closed');
    this.#socket?.destroy();
    this.#server.close();
  }

  #connected(socket: net.Socket): void {
    if (this.#socket !== null) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    const reader = new FrameReader((message) => this.#heard(message as FromWorld));
    socket.on('data', (bytes) => reader.push(bytes));
    socket.on('error', () => {});
    socket.on('close', () => this.lose('the world ended'));
  }

  #heard(message: FromWorld): void {
    if (message.kind === 'up') this.#up.resolve(null);
    else if (message.kind === 'served') this.onServed(message.served);
    else if (message.kind === 'diverged') this.onDiverged(message.divergence);
    else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.kind === 'result') pending?.resolve(message.result);
      else pending?.reject(new Error(`in the world: ${message.message}`));
    }
  }
}

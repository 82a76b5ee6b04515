/** The world of one replay: it answers the app from the recordings, and sends it the requests. */
import type { Exchange } from '../domain/exchange.ts';
import type { AnswerSource, Divergence, Served } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Connection, Endpoint } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { responseOf } from '../protocols/http1/message.ts';
import type { Protocol } from '../protocols/protocol.ts';
import { Book } from './book.ts';
import { worldAddress } from './cable.ts';
import { Directory, isLoopback } from './directory.ts';
import { as, type Recorded, recordedOf } from './entry.ts';
import type {
  BeginParams,
  Liveness,
  ReadyParams,
  ReadyResult,
  Replayable,
  ScopeParams,
  SendParams,
  SendResult,
} from './messages.ts';
import { Notebook } from './notebook.ts';
import type { Attempt } from './packets.ts';
import { probe, untilReady } from './readiness.ts';
import { requestBytesOf, whyNotReplayable } from './replayable.ts';
import { sendRequest } from './sender.ts';
import { TcpServers } from './tcp.ts';
import { UdpServers } from './udp.ts';

export interface WorldOptions {
  protocols: readonly Protocol[];
  ipv6: boolean;
  onServed: (served: Served) => void;
  onDiverged: (divergence: Divergence) => void;
}

/** Where the sandbox's resolv.conf sends the app's questions for names. */
export const resolver: Endpoint = { address: worldAddress.v4, port: 53 };

export class World {
  readonly #protocols: readonly Protocol[];
  readonly #book = new Book();
  readonly #directory = new Directory();
  readonly #notebook: Notebook;
  readonly #tcp: TcpServers;
  readonly #udp: UdpServers;
  readonly #over = new AbortController();
  readonly #held = new Map<number, Recorded>();
  #begun: BeginParams | null = null;
  #boot: Recorded | null = null;
  #trigger: Recorded | null = null;

  constructor(options: WorldOptions) {
    this.#protocols = options.protocols;
    this.#notebook = new Notebook(options);
    const context = {
      book: this.#book,
      directory: this.#directory,
      notebook: this.#notebook,
      protocols: options.protocols,
    };
    this.#directory.addServer('udp', resolver, 'dns');
    this.#tcp = new TcpServers(context, options);
    this.#udp = new UdpServers(context);
  }

  /** Reads the recording of the start and listens wherever the app went in it. */
  async begin(params: BeginParams): Promise<Replayable> {
    this.#begun = params;
    this.#boot = this.#read(params.boot, 'boot');
    this.#directory.add(this.#boot);
    this.#book.openBoot(this.#boot);
    await this.#udp.listen([resolver]);
    await this.#listen();
    return { notReplayable: null, triggerAt: null };
  }

  /** Reads the recordings that the next requests are answered from. */
  async scope(params: ScopeParams): Promise<Replayable> {
    const { trigger, siblings, fresh } = params;
    for (const { number, recording } of fresh) {
      const recorded = this.#read(recording, number === trigger ? 'trigger' : 'sibling');
      this.#held.set(number, recorded);
      this.#directory.add(recorded);
    }
    const wanted = new Set([...siblings, trigger]);
    for (const number of this.#held.keys()) if (!wanted.has(number)) this.#held.delete(number);
    this.#trigger = trigger === null ? null : as(this.#heldAt(trigger), 'trigger');
    const others = siblings.map((sibling) => as(this.#heldAt(sibling), 'sibling'));
    this.#book.openScope({ trigger: this.#trigger, siblings: others });
    await this.#listen();
    const recorded = this.#trigger;
    if (recorded === null) return { notReplayable: null, triggerAt: null };
    const id = recorded.recording.triggerExchangeId;
    const exchange = recorded.exchanges.find((one) => one.id === id);
    return {
      notReplayable: whyNotReplayable(recorded),
      triggerAt: exchange?.request?.startedAt ?? null,
    };
  }

  async clock({ offsetMs }: { offsetMs: number }): Promise<null> {
    this.#book.setClock(offsetMs * 1000);
    return null;
  }

  /**
   * Waits until the app is up. Some accept before all that they do at their start is done: then
   * until they have asked all that they asked in production, or have fallen silent.
   */
  async ready(params: ReadyParams): Promise<ReadyResult> {
    const { appPort, bodyBytesMax } = this.#need();
    const ready = await untilReady({
      ...{ appPort, bodyBytesMax, timeoutMs: params.timeoutMs, signal: this.#over.signal },
      health: this.#health(),
    });
    this.#notebook.active(); // silence counts from here on
    const deadlineMs = performance.now() + startQuietTimeoutMs;
    while (
      ready.kind === 'ready' &&
      !(this.#book.isAsked && this.#notebook.quietMs() > 1) &&
      this.#notebook.quietMs() < startQuietMs &&
      performance.now() < deadlineMs &&
      !this.#over.signal.aborted
    ) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return ready;
  }

  /** Sends a recorded request and reads the answer. */
  async send(params: SendParams): Promise<SendResult> {
    const { appPort, bodyBytesMax } = this.#need();
    const { exchangeId, role } = params;
    const exchange = this.#trigger?.exchanges.find((one) => one.id === exchangeId);
    const request =
      params.override ?? (this.#trigger && requestBytesOf(this.#trigger, exchangeId)) ?? null;
    if (exchange === undefined || request === null) {
      throw new Error(`the recording does not hold the request ${exchangeId}`);
    }
    this.#notebook.duringBoot = false;
    this.#notebook.active();
    this.#book.begin(role === 'prefix' ? { kind: 'prefix', exchangeId } : { kind: 'trigger' });
    const client = this.#clientOf(exchange);
    const { timeoutMs, quietMs, quietTimeoutMs } = params;
    const { signal } = this.#over;
    const options = { appPort, client, request, timeoutMs, bodyBytesMax, signal };
    const result = await sendRequest(options);
    if (result.answer !== null) await this.settle({ quietMs, timeoutMs: quietTimeoutMs });
    return result;
  }

  /** Resolves once the app has not asked anything for `quietMs`, or when the time is up. */
  async settle(params: { quietMs: number; timeoutMs: number }): Promise<null> {
    const deadlineMs = performance.now() + params.timeoutMs;
    this.#notebook.active();
    for (;;) {
      const waitMs = Math.min(
        params.quietMs - this.#notebook.quietMs(),
        deadlineMs - performance.now(),
      );
      if (waitMs <= 0 || this.#over.signal.aborted) return null;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  async probe({ timeoutMs }: { timeoutMs: number }): Promise<Liveness> {
    return probe(this.#need().appPort, timeoutMs);
  }

  /** Something was seen on the cable: tells of it when nobody here listens for it. */
  attempt(attempt: Attempt): void {
    const { transport, to } = attempt;
    if (transport === 'tcp' && this.#tcp.listensTo(to.port)) return;
    if (transport === 'udp' && this.#udp.listensTo(to)) return;
    const serverName = this.#directory.nameOf(to.address);
    if (transport === 'tcp' && this.#directory.refusalOf('tcp', to) === connectionRefused) {
      const where = { protocol: 'tcp', transport, server: to, serverName };
      this.#notebook.synthesised(where, 'connection refused, as recorded');
      return;
    }
    const title =
      transport === 'tcp'
        ? 'connection to a server that is not recorded'
        : transport === 'udp'
          ? `datagram of ${attempt.payloadBytes} bytes to a server that is not recorded`
          : `packet of IP protocol ${attempt.ipProtocol}`;
    const kind = transport === 'other' ? 'udp' : transport;
    const protocol = transport === 'other' ? `ip-${attempt.ipProtocol}` : transport;
    this.#notebook.stray({ transport: kind, server: to, serverName, protocol, title });
  }

  /** What is under way ends soon, with whatever result. */
  abort(): void {
    this.#over.abort();
  }

  /** Hangs up on everybody and listens to nothing any more. */
  async close(): Promise<void> {
    this.abort();
    await Promise.all([this.#tcp.close(), this.#udp.close()]);
  }

  #read(recording: Recording, source: AnswerSource): Recorded {
    const exchanges = exchangesOf(recording, {
      bodyBytesMax: this.#need().bodyBytesMax,
      namesFrom: this.#boot?.recording.connections ?? [],
    });
    return recordedOf({ recording, exchanges, protocols: this.#protocols, source });
  }

  #heldAt(number: number): Recorded {
    const recorded = this.#held.get(number);
    if (recorded === undefined) throw new Error(`recording ${number} is not held`);
    return recorded;
  }

  async #listen(): Promise<void> {
    const outside = (server: Endpoint) => server.port > 0 && !isLoopback(server.address);
    const tcp = this.#directory.servers('tcp').filter(outside);
    const udp = this.#directory.servers('udp').filter(outside);
    await Promise.all([this.#tcp.listen(tcp.map((server) => server.port)), this.#udp.listen(udp)]);
  }

  /** The last request of the start that was answered well: the health gate's. */
  #health(): { client: Endpoint; request: Uint8Array } | null {
    const boot = this.#boot!;
    const healthy = boot.exchanges.findLast(
      (exchange) => exchange.direction === 'inbound' && (responseOf(exchange)?.status ?? 500) < 500,
    );
    const request = healthy === undefined ? null : requestBytesOf(boot, healthy.id);
    if (healthy === undefined || request === null) return null;
    return { client: this.#clientOf(healthy), request };
  }

  #clientOf(exchange: Exchange): Endpoint {
    const all: Connection[] = [this.#trigger, this.#boot].flatMap(
      (recorded) => recorded?.recording.connections ?? [],
    );
    const connection = all.find((one) => one.id === exchange.connectionId);
    return connection?.client ?? { address: '', port: 0 };
  }

  #need(): BeginParams {
    if (this.#begun === null) throw new Error('the world was not begun');
    return this.#begun;
  }
}

const connectionRefused = 111;
/** How long an app that is up must be silent to count as started, and how long that may take. */
const startQuietMs = 250;
const startQuietTimeoutMs = 5000;

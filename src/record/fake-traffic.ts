/** Events of a sensor for tests, made of the bytes that both sides of a connection send. */
import { Buffer } from 'node:buffer';
import type { FakeSensor } from './sensor/fake-sensor.ts';
import type { CloseEvent, DataEvent, OpenEvent, Role } from './sensor/types.ts';

export const watch = 1;
const app = { host: '10.1.0.2', port: 3000 };

/** Time as the events tell it; moves on with every event unless set. */
export class FakeClock {
  ns = 1_000_000_000;
  readonly sensor: FakeSensor;

  constructor(sensor: FakeSensor) {
    this.sensor = sensor;
    sensor.wallOffsetMs = Math.round(performance.timeOrigin + performance.now()) - 1000;
  }

  /** Sets the events' time to the present. */
  sync(): void {
    const wallMs = performance.timeOrigin + performance.now();
    this.ns = Math.max(this.ns + 1000, Math.round((wallMs - this.sensor.wallOffsetMs) * 1e6));
  }

  /** Wall clock of the last event, as an Instant. */
  get at(): number {
    return Math.round(this.ns / 1000 + this.sensor.wallOffsetMs * 1000);
  }

  next(): { watch: number; timeNs: number; tgid: number; tid: number } {
    this.ns += 1000;
    return { watch, timeNs: this.ns, tgid: 7, tid: 7 };
  }
}

let connections = 0;

/** One TCP connection; `client` and `server` are what each side sends, wherever the app is. */
export class FakeConnection {
  readonly number = ++connections;
  readonly #clock: FakeClock;
  readonly #inbound: boolean;
  readonly #watch: number;
  readonly #next = { sent: 0, received: 0 };

  constructor(
    clock: FakeClock,
    options: {
      role: Role;
      port?: number;
      host?: string;
      openedBeforeAttach?: boolean;
      watch?: number;
    },
  ) {
    this.#clock = clock;
    this.#inbound = options.role === 'inbound';
    this.#watch = options.watch ?? watch;
    const peer = { host: options.host ?? '10.1.0.9', port: options.port ?? 5432 };
    const open: OpenEvent = {
      kind: 'open',
      ...clock.next(),
      watch: this.#watch,
      connection: this.number,
      transport: 'tcp',
      role: options.role,
      local: this.#inbound ? app : { host: app.host, port: 40_000 + (this.number % 20_000) },
      peer: this.#inbound ? { host: '10.1.0.1', port: 50_000 + (this.number % 10_000) } : peer,
      openedBeforeAttach: options.openedBeforeAttach ?? false,
      errno: 0,
    };
    clock.sensor.push(open);
  }

  client(bytes: string | Uint8Array, more: Partial<DataEvent> = {}): this {
    return this.#say(this.#inbound ? 'received' : 'sent', bytes, more);
  }

  server(bytes: string | Uint8Array, more: Partial<DataEvent> = {}): this {
    return this.#say(this.#inbound ? 'sent' : 'received', bytes, more);
  }

  /** Bytes that pass and are dropped: positions go on. */
  lose(side: 'client' | 'server', length: number): this {
    this.#next[(side === 'client') === this.#inbound ? 'received' : 'sent'] += length;
    return this;
  }

  close(more: Partial<CloseEvent> = {}): this {
    this.#clock.sensor.push({
      kind: 'close',
      ...this.#clock.next(),
      watch: this.#watch,
      connection: this.number,
      sentBytes: this.#next.sent,
      receivedBytes: this.#next.received,
      sentUnseenBytes: 0,
      receivedUnseenBytes: 0,
      errno: 0,
      ...more,
    });
    return this;
  }

  #say(direction: 'sent' | 'received', bytes: string | Uint8Array, more: Partial<DataEvent>): this {
    const payload = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const event: DataEvent = {
      kind: 'data',
      ...this.#clock.next(),
      watch: this.#watch,
      connection: this.number,
      direction,
      position: this.#next[direction],
      lengthBytes: payload.length,
      payload,
      missing: 'none',
      first: true,
      last: true,
      peer: undefined,
      ...more,
    };
    this.#next[direction] += event.lengthBytes;
    this.#clock.sensor.push(event);
    return this;
  }
}

/** A UDP socket of the app, connected to its resolver. */
export class FakeDatagrams {
  readonly #number = ++connections;
  readonly #clock: FakeClock;
  readonly #next = { sent: 0, received: 0 };

  constructor(clock: FakeClock) {
    this.#clock = clock;
    clock.sensor.push({
      ...{ kind: 'open', ...clock.next(), connection: this.#number, transport: 'udp' },
      ...{ role: 'unknown', local: { host: app.host, port: 41_000 } },
      ...{ peer: { host: '127.0.0.11', port: 53 }, openedBeforeAttach: false, errno: 0 },
    });
  }

  client(payload: Uint8Array): this {
    return this.#say('sent', payload);
  }

  server(payload: Uint8Array): this {
    return this.#say('received', payload);
  }

  close(): this {
    this.#clock.sensor.push({
      ...{ kind: 'close', ...this.#clock.next(), connection: this.#number, errno: 0 },
      ...{ sentBytes: this.#next.sent, receivedBytes: this.#next.received },
      ...{ sentUnseenBytes: 0, receivedUnseenBytes: 0 },
    });
    return this;
  }

  #say(direction: 'sent' | 'received', payload: Uint8Array): this {
    this.#clock.sensor.push({
      ...{ kind: 'data', ...this.#clock.next(), connection: this.#number, direction },
      ...{ position: this.#next[direction], lengthBytes: payload.length, payload },
      ...{ missing: 'none', first: true, last: true, peer: { host: '127.0.0.11', port: 53 } },
    });
    this.#next[direction] += payload.length;
    return this;
  }
}

export function get(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: app.example\r\n\r\n`;
}

export function answer(status: number, body: string): string {
  const head = `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

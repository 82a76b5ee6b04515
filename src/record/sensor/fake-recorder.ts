/** Exists to stand in for the recorder in tests: what was seen of each connection, and its gaps. */
import { createHash } from 'node:crypto';
import type {
  CloseEvent,
  DataEvent,
  Direction,
  EventBatch,
  OpenEvent,
  SensorEvent,
} from './types.ts';

/** One direction of one connection, as far as it was seen. */
export class SeenStream {
  position = 0;
  lostBytes = 0;
  missingBytes = 0;
  readonly missing = new Set<string>();
  readonly datagrams: { peerPort: number; lengthBytes: number; payload: Uint8Array }[] = [];
  readonly #chunks: Uint8Array[] = [];

  add(event: DataEvent): void {
    if (event.position < this.position) throw new Error(`position goes back: ${event.position}`);
    this.lostBytes += event.position - this.position;
    this.position = event.position + event.lengthBytes;
    this.missingBytes += event.lengthBytes - event.payload.length;
    if (event.missing !== 'none') this.missing.add(event.missing);
    this.#chunks.push(event.payload);
    if (event.peer) this.#addDatagram(event, event.peer.port);
  }

  #addDatagram(event: DataEvent, peerPort: number): void {
    const last = this.datagrams.at(-1);
    if (event.first || !last) {
      this.datagrams.push({ peerPort, lengthBytes: event.lengthBytes, payload: event.payload });
    } else {
      last.lengthBytes += event.lengthBytes;
      last.payload = Buffer.concat([last.payload, event.payload]);
    }
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  sha256(): string {
    return createHash('sha256').update(this.bytes()).digest('hex');
  }
}

export class SeenConnection {
  readonly open: OpenEvent;
  close: CloseEvent | undefined;
  readonly streams: Record<Direction, SeenStream> = {
    sent: new SeenStream(),
    received: new SeenStream(),
  };

  constructor(open: OpenEvent) {
    this.open = open;
  }
}

export class Seen {
  readonly connections = new Map<number, SeenConnection>();
  readonly events: Exclude<SensorEvent, DataEvent>[] = [];
  /** Events of a connection that was never opened, or was closed already. */
  readonly strays: SensorEvent[] = [];

  readonly add = (batch: EventBatch): void => {
    while (batch.next()) this.#addOne(batch.event());
  };

  #addOne(event: SensorEvent): void {
    if (event.kind !== 'data') this.events.push(event);
    if (event.kind === 'open') this.connections.set(event.connection, new SeenConnection(event));
    if (event.kind !== 'data' && event.kind !== 'close') return;
    const connection = this.connections.get(event.connection);
    if (!connection || connection.close) {
      this.strays.push(event);
      return;
    }
    if (event.kind === 'close') connection.close = event;
    else connection.streams[event.direction].add(event);
  }

  byPorts(local: number, peer: number): SeenConnection[] {
    return [...this.connections.values()].filter(
      ({ open }) => open.local.port === local && (peer === 0 || open.peer.port === peer),
    );
  }
}

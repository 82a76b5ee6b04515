// What the recorder costs per exchange on its hot path, in nanoseconds: real frames of the sensor's
// format are decoded and recorded, against only iterating over the same events.

import { silent } from '../src/domain/logger.ts';
import * as pg from '../src/protocols/postgres/fake-messages.ts';
import { record } from '../src/record/record.ts';
import { type Batch, Decoder } from '../src/record/sensor/events.ts';
import { encodeEvent } from '../src/record/sensor/fake-sensor.ts';
import type { EventBatch, Loss, Sensor, SensorEvent } from '../src/record/sensor/types.ts';
import { recordLimits } from '../src/record/types.ts';
import { type Figures, printFigures } from './figures.ts';

interface Load {
  name: string;
  requestBytes: number;
  answerBytes: number;
  /** Outgoing calls of each request: HTTP, or a SELECT of a prepared statement. */
  calls: number;
  callsTo?: 'http' | 'postgres';
}

/** Sum of what was iterated over, so that nothing is optimised away. */
let seen = 0;

const loads: Load[] = [
  { name: 'hello-world', requestBytes: 110, answerBytes: 160, calls: 0 },
  { name: 'one-call', requestBytes: 110, answerBytes: 160, calls: 1 },
  { name: 'one-select', requestBytes: 110, answerBytes: 160, calls: 1, callsTo: 'postgres' },
  { name: 'answers-of-64-KiB', requestBytes: 110, answerBytes: 65_536, calls: 0 },
];
const bytesPerRound = 32 << 20;
const exchangesMax = 20_000;
const rounds = 15;

class Replayed implements Sensor {
  wallOffsetMs = Date.now();
  listener: (batch: EventBatch) => void = () => {};
  async watch(): Promise<void> {}
  async unwatch(): Promise<void> {}
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
  onEvents(listener: (batch: EventBatch) => void): void {
    this.listener = listener;
  }
  onLoss(_: (loss: Loss) => void): void {}
}

/** So many that a round fills a window once. */
function exchangesOf(load: Load): number {
  const bytes = load.requestBytes + load.answerBytes + 320 * load.calls;
  return Math.min(exchangesMax, Math.ceil(bytesPerRound / bytes));
}

const figures: Figures = {};
for (const load of loads) {
  const batches = batchesOf(load);
  const bare: number[] = [];
  const recorded: number[] = [];
  const sensor = new Replayed();
  const recorder = record({
    sensor,
    logger: silent,
    store: {
      recordings: {
        keep: async (recording) => ({ ...recording, storedBytes: 0 }),
        load: async () => null,
        summary: async () => null,
        list: async () => [],
        remove: async () => {},
      },
      interruptions: { add: async () => {}, list: async () => [] },
    },
    // What is kept is measured elsewhere (bench/record-overhead): here it would blur the figure.
    limits: { sampleCutsPerSecond: 0 },
  });
  await recorder.watch({ id: 'i', app: 'a', releaseNumber: 1, netns: 1, port: 3000 });
  await recorder.healthy('i');
  for (let round = 0; round < rounds; round++) {
    bare.push(timed(batches, iterate));
    recorded.push(timed(batches, sensor.listener));
  }
  const heldBytes = recorder.status().heldBytes;
  await recorder.close();
  const bareNs = least(bare) / exchangesOf(load);
  const recordedNs = least(recorded) / exchangesOf(load);
  figures[load.name] = {
    value: recordedNs,
    unit: 'ns/exchange',
    ratio: recordedNs / bareNs,
    against: `of only iterating over its ${eventsPerExchange(load)} events`,
  };
  const ofLimit = { ratio: heldBytes / recordLimits.windowBytesMax, against: 'of its bound' };
  figures[`${load.name}-held`] = { value: heldBytes / 2 ** 20, unit: 'MiB', ...ofLimit };
}
if (seen === 0) throw new Error('nothing was iterated over');
printFigures('record-hot-path', figures);

/** The least that any listener does: walk over the events and look at where they belong. */
function iterate(batch: EventBatch): void {
  while (batch.next()) seen += batch.connection + batch.position + batch.copiedBytes;
}

/** Processor time in nanoseconds: other processes on the machine do not count. */
function timed(batches: Batch[], listener: (batch: EventBatch) => void): number {
  const before = process.cpuUsage();
  for (const batch of batches) listener(batch.again());
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

/** Batches as the decoder makes them of a stream that comes in pieces of 64 KiB. */
function batchesOf(load: Load): Batch[] {
  const batches: Batch[] = [];
  const decoder = new Decoder((batch) => {
    // The decoder may use its memory again: every batch gets its own.
    batches.push(batch);
  });
  let pieces: Buffer[] = [];
  let bytes = 0;
  const push = (event: SensorEvent) => {
    const frame = encodeEvent(event);
    pieces.push(frame);
    bytes += frame.length;
    if (bytes < 65_536) return;
    decoder.push(Buffer.concat(pieces));
    pieces = [];
    bytes = 0;
  };
  for (const event of eventsOf(load)) push(event);
  decoder.push(Buffer.concat(pieces));
  return batches;
}

function eventsPerExchange(load: Load): number {
  return 1 + Math.ceil(load.answerBytes / 16_384) + 2 * load.calls;
}

function* eventsOf(load: Load): Generator<SensorEvent> {
  const head = { watch: 1, tgid: 7, tid: 7 };
  const isPg = load.callsTo === 'postgres';
  let timeNs = 1e9;
  const sides = new Map<number, { sent: number; received: number }>();
  const data = (connection: number, direction: 'sent' | 'received', payload: Buffer) => {
    const side = sides.get(connection)!;
    const position = side[direction];
    side[direction] += payload.length;
    timeNs += 8000;
    const rest = { missing: 'none' as const, first: true, last: true, peer: undefined };
    const lengthBytes = payload.length;
    const of = { kind: 'data' as const, ...head, timeNs, connection, direction, position };
    return { ...of, connection: numberOf(connection), lengthBytes, payload, ...rest };
  };
  for (let connection = 1; connection <= 64; connection++) {
    sides.set(connection, { sent: 0, received: 0 });
    const inbound = connection <= 32;
    yield {
      ...{ kind: 'open', ...head, timeNs, connection: numberOf(connection), transport: 'tcp' },
      role: inbound ? 'inbound' : 'outbound',
      local: { host: '10.0.0.2', port: inbound ? 3000 : 40_000 + connection },
      peer: { host: '10.0.0.1', port: inbound ? 50_000 + connection : isPg ? 5432 : 80 },
      ...{ openedBeforeAttach: false, errno: 0 },
    };
  }
  if (isPg) {
    for (let connection = 33; connection <= 64; connection++) {
      yield data(connection, 'sent', pg.client.start('app'));
      yield data(connection, 'received', pg.join(pg.server.ok, pg.server.ready()));
      const parse = pg.client.parse('s1', 'SELECT email FROM customers WHERE id = $1');
      yield data(connection, 'sent', pg.join(parse, pg.client.describe('S', 's1'), pg.client.sync));
      const columns = pg.server.columns([['email', 25]]);
      const described = pg.join(pg.server.parsed, pg.server.parameters([23]), columns);
      yield data(connection, 'received', pg.join(described, pg.server.ready()));
    }
  }
  const request = message('GET /orders/17 HTTP/1.1\r\nHost: shop\r\n', load.requestBytes);
  const response = message('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n', load.answerBytes);
  const bind = pg.join(pg.client.bind('s1', ['17']), pg.client.execute(), pg.client.sync);
  const row = pg.join(pg.server.bound, pg.server.row('ada@example.com'));
  const rows = pg.join(row, pg.server.complete('SELECT 1'), pg.server.ready());
  const question = isPg ? bind : message('GET /rates/EUR HTTP/1.1\r\nHost: rates\r\n', 120);
  const reply = isPg ? rows : message('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n', 200);
  for (let n = 0; n < exchangesOf(load); n++) {
    const inbound = 1 + (n % 32);
    yield data(inbound, 'received', request);
    for (let call = 0; call < load.calls; call++) {
      yield data(inbound + 32, 'sent', question);
      yield data(inbound + 32, 'received', reply);
    }
    for (let at = 0; at < response.length; at += 16_384) {
      yield data(inbound, 'sent', response.subarray(at, at + 16_384));
    }
  }
}

/** As large as the sensor's, which are made of the wall clock. */
function numberOf(connection: number): number {
  return 7_200_000_000_000_000 + connection;
}

function message(start: string, bytes: number): Buffer {
  return Buffer.from(`${start}\r\n`.padEnd(bytes, 'x'));
}

/** The least of all rounds: what disturbs only ever adds. */
function least(values: number[]): number {
  return Math.min(...values);
}

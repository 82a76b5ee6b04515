/** What a reader has to know of a connection that it joins: kept and understood as raw messages. */
import { Buffer } from 'node:buffer';
import type { Chunk } from '../../domain/wire.ts';
import { backendMessage, backendTypes } from './backend.ts';
import { type Frame, Framer } from './frames.ts';
import { frontendMessage, frontendTypes } from './frontend.ts';
import type { Portal, Prepared, Session } from './session.ts';
import { sqlOf } from './sql.ts';

/** Above it the oldest statements are not carried on: their executions end as gaps later. */
const carriedBytesMax = 8 << 20;

/** The messages that made the statements and settings still in use, in order. */
export function carriedOf(session: Session): Chunk[] {
  const groups = [...session.statements.values()].map((prepared) => merged(prepared.carried));
  const { start, settings } = session.carried();
  groups.push(merged(settings));
  const kept: Chunk[][] = [];
  let bytes = 0;
  for (const group of groups.toReversed()) {
    bytes += group.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    if (bytes > carriedBytesMax) break;
    kept.push(group);
  }
  return [...start, ...kept.toReversed().flat()];
}

/** Takes in what `carriedOf` gave, as if every message of it had succeeded. */
export class Carrier {
  readonly #session: Session;
  #parsed: Prepared | null = null;
  #portal: Portal | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  take(chunk: Chunk): void {
    // The first message of a connection has no type; its length begins with a zero.
    let untyped = chunk.from === 'client' && chunk.bytes[0] === 0;
    const framer = new Framer({
      types: chunk.from === 'client' ? frontendTypes : backendTypes,
      payloadBytesMax: Number.MAX_SAFE_INTEGER,
      expect: () => (untyped ? 'untyped' : 'typed'),
      frame: (frame) => {
        untyped = false;
        const raw = rawOf(chunk.from, frame, chunk.at);
        if (chunk.from === 'client') this.#client(frame, raw);
        else this.#server(frame, raw);
      },
    });
    framer.feed(chunk.bytes, chunk.pos);
  }

  #client(frame: Frame, raw: Chunk): void {
    const message = frontendMessage(frame);
    if (message?.name === 'start') this.#session.start(message.parameters, () => raw);
    else if (message?.name === 'parse') {
      this.#parsed = this.#session.parse(message);
      this.#parsed.carried.push(raw);
    } else if (message?.name === 'bind') this.#portal = this.#session.bind(message);
    else if (message?.name === 'execute') {
      const sql = this.#portal?.prepared.sql ?? null;
      if (sql !== null) this.#session.sent(sql, this.#portal!.params, [() => raw]);
    } else if (message?.name === 'query') {
      this.#session.sent(sqlOf(message.sql), [], [() => raw]);
    }
  }

  #server(frame: Frame, raw: Chunk): void {
    const message = backendMessage(frame);
    if (this.#parsed === null || message === null) return;
    if (message.name === 'parameters') this.#parsed.parameterTypes = message.types;
    else if (message.name === 'columns') this.#parsed.columns = message.columns;
    else if (message.name === 'noData') this.#parsed.columns = 'none';
    else return;
    this.#parsed.carried.push(raw);
  }
}

/** A message as it was sent, with its length and (but for the first) its type. */
export function rawOf(from: Chunk['from'], frame: Frame, at: number): Chunk {
  const payload = frame.payload ?? Buffer.alloc(0);
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + payload.length);
  const bytes = Buffer.concat([Buffer.from(frame.type, 'latin1'), length, payload]);
  return { from, pos: frame.start, at, bytes };
}

/** Messages of one side that follow each other become one chunk. */
function merged(chunks: readonly Chunk[]): Chunk[] {
  const whole: Chunk[] = [];
  for (const chunk of chunks) {
    const last = whole.at(-1);
    if (last?.from === chunk.from && last.pos + last.bytes.length === chunk.pos) {
      last.bytes = Buffer.concat([last.bytes, chunk.bytes]);
    } else whole.push({ ...chunk });
  }
  return whole;
}

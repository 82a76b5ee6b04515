/** Which turns of a connection change nothing of its session: told from types and lengths alone. */
import { Buffer } from 'node:buffer';
import type { TurnFilter } from '../protocol.ts';

const type = (letter: string) => letter.charCodeAt(0);

/** Bind, Describe, Execute, Flush: they use what is there. */
const uses = new Set([...'BDEH'].map(type));
/** Messages of the server that tell a result and nothing of the session. */
const tells = new Set([...'12DTtnINAC'].map(type));
/** Statements whose completion leaves the session's settings as they are. */
const plainTag = /^(?:SELECT|INSERT|UPDATE|DELETE|MERGE)\b/;

/**
 * A turn is inert when the session was at rest before and after (every Sync and Query was answered
 * by ReadyForQuery) and all it did was execute statements that are there, or a simple query that
 * completed as plain SQL. One that makes the unnamed statement is `latest`. Whatever else was
 * said is `needed`, and so is everything once the count is lost.
 */
export class PostgresTurns implements TurnFilter {
  /** Answers to come; the start-up is one. */
  #waiting = 1;
  #started = false;
  #lost = false;

  turn(asked: Uint8Array, answered: Uint8Array): 'needed' | 'latest' | 'inert' {
    if (this.#lost) return 'needed';
    if (!this.#started) {
      this.#started = endsReady(answered);
      if (this.#started) this.#waiting = 0;
      return 'needed';
    }
    const question = askedIn(asked);
    const answer = answeredIn(answered);
    if (question === null || answer === null) {
      this.#lost = true;
      return 'needed';
    }
    const rested = this.#waiting === 0;
    this.#waiting += question.asks - answer.readies;
    if (this.#waiting < 0) this.#lost = true;
    const rests = this.#waiting === 0;
    if (!rested || !rests || question.changes || answer.changes) return 'needed';
    return question.unnamed ? 'latest' : 'inert';
  }
}

interface Question {
  asks: number;
  unnamed: boolean;
  changes: boolean;
}

/** Null when the bytes are not whole messages. */
function askedIn(bytes: Uint8Array): Question | null {
  const found = { asks: 0, unnamed: false, changes: false };
  let simple = false;
  for (let at = 0; at < bytes.length; ) {
    const next = nextAt(bytes, at);
    if (next === 0) return null;
    const kind = bytes[at]!;
    if (kind === type('S')) found.asks++;
    else if (kind === type('Q')) {
      found.asks++;
      simple = true;
    } else if (kind === type('F')) {
      found.asks++;
      found.changes = true;
    } else if (kind === type('P') && bytes[at + 5] === 0) found.unnamed = true;
    else if (!uses.has(kind)) found.changes = true;
    // A portal with a name outlives its cycle.
    else if (kind === type('B') && bytes[at + 5] !== 0) found.changes = true;
    at = next;
  }
  if ((found.unnamed || simple) && !found.changes) found.changes = setsConfig(bytes);
  else if (found.changes && setsConfig(bytes)) return null;
  return found;
}

interface Answer {
  readies: number;
  changes: boolean;
}

function answeredIn(bytes: Uint8Array): Answer | null {
  const found = { readies: 0, changes: false };
  for (let at = 0; at < bytes.length; ) {
    const next = nextAt(bytes, at);
    if (next === 0) return null;
    const kind = bytes[at]!;
    if (kind === type('Z')) {
      found.readies++;
      if (bytes[at + 5] === type('E')) found.changes = true;
    } else if (!tells.has(kind)) found.changes = true;
    else if (kind === type('C') && !isPlain(bytes, at + 5)) found.changes = true;
    at = next;
  }
  return found;
}

/** Where the next message begins; 0 when this one is not whole. */
function nextAt(bytes: Uint8Array, at: number): number {
  if (at + 5 > bytes.length) return 0;
  const length =
    (bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!;
  const next = at + 1 + length;
  return length < 4 || next > bytes.length ? 0 : next;
}

function isPlain(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at];
  // The five letters decide before a string is made.
  if (first !== 0x53 && first !== 0x49 && first !== 0x55 && first !== 0x44 && first !== 0x4d) {
    return false;
  }
  return plainTag.test(Buffer.from(bytes.buffer, bytes.byteOffset + at, 7).toString('latin1'));
}

/** A SELECT may change settings: a statement that can is never left out. */
function setsConfig(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  return /set_config/i.test(text);
}

function endsReady(answered: Uint8Array): boolean {
  const at = answered.length - 6;
  return at >= 0 && answered[at] === type('Z') && answered[at + 4] === 5;
}

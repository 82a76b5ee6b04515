/**
 * Values that a program makes anew each time it runs, the present time and random UUIDs: two
 * questions that differ in nothing else are equal after this declared normalisation.
 */
import type { Exchange } from '../domain/exchange.ts';
import type { Instant } from '../domain/time.ts';
import type { Question } from '../protocols/protocol.ts';
import { changes, type Entry, type Recorded } from './entry.ts';

/** Protocols whose `fields` hold all that makes a question: only those can be compared by them. */
const wholeFields: readonly string[] = ['http1', 'postgres'];

/** Versions 1 to 8 of RFC 9562. */
const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
const zone = '(?:Z|[+-]\\d{2}(?::?\\d{2})?)';
const instant = `\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?${zone}?`;
const [milliseconds, seconds] = ['\\b1\\d{12}\\b', '\\b1\\d{9}\\b'];
const tokens = new RegExp(`(${uuid})|(${instant})|(${milliseconds})|(${seconds})`, 'gi');
const uuids = new RegExp(uuid, 'gi');
const zoneAtEnd = new RegExp(`${zone}$`, 'i');

/** How far a time may be from the present to be it, or from a whole minute's distance to it. */
const toleranceUs = 5_000_000;
const minuteUs = 60_000_000;

/** A UUID that was made anew, with the recorded one that it stands for. */
type Pair = [asked: string, recorded: string];

export class FreshValues {
  /** The app's clock, less ours. */
  clockOffsetUs = 0;
  readonly #recordedOf = new Map<string, string>();
  readonly #askedOf = new Map<string, string>();
  readonly #ofStart = new Set<string>();
  #all: readonly Recorded[] = [];
  #origins: Origins | null = null;

  /** The recordings that tell which UUIDs came from outside of the app. */
  learn(all: readonly Recorded[]): void {
    this.#all = all;
    this.#origins = null;
  }

  /** Whether the question is the entry's but for fresh values; `at` is when it is asked. */
  isEqual(question: Question, entry: Entry, at: Instant): boolean {
    return this.#pairs(question, entry, at) !== null;
  }

  /** From here on the question's fresh UUIDs stand for the entry's, until the scope ends. */
  adopt(question: Question, entry: Entry, at: Instant): void {
    for (const [asked, recorded] of this.#pairs(question, entry, at) ?? []) {
      this.#recordedOf.set(asked, recorded);
      this.#askedOf.set(recorded, asked);
      if (entry.source === 'boot') this.#ofStart.add(asked);
    }
  }

  /** Another scope is answered from: what was made anew at the start is all that lasts. */
  endScope(): void {
    for (const [asked, recorded] of this.#recordedOf) {
      if (this.#ofStart.has(asked)) continue;
      this.#recordedOf.delete(asked);
      this.#askedOf.delete(recorded);
    }
  }

  /** The recorded answer with the UUIDs of this run in place of those of the recorded one. */
  translated(exchange: Exchange): Exchange {
    if (this.#askedOf.size === 0 || exchange.response === null) return exchange;
    const before = JSON.stringify(exchange.response.meaning);
    const after = before.replace(uuids, (uuid) => this.#askedOf.get(uuid.toLowerCase()) ?? uuid);
    if (after === before) return exchange;
    const response = { ...exchange.response, meaning: JSON.parse(after) as unknown };
    return { ...exchange, response };
  }

  /** The UUIDs that differ, when nothing differs but fresh values; else null. */
  #pairs(question: Question, entry: Entry, at: Instant): Pair[] | null {
    const recorded = entry.question;
    if (!wholeFields.includes(question.protocol) || 'copy' in question.fields) return null;
    if (question.formKey !== recorded.formKey || question.effect !== recorded.effect) return null;
    const names = Object.keys(question.fields);
    if (names.length !== Object.keys(recorded.fields).length) return null;
    const pairs: Pair[] = [];
    for (const name of names) {
      const differing = differencesOf(question.fields[name]!, recorded.fields[name] ?? null);
      if (differing === null) return null;
      for (const { kind, asked, before } of differing) {
        if (kind === 'uuid') pairs.push([asked.toLowerCase(), before.toLowerCase()]);
        else if (!this.#isSameMoment([asked, before], { kind, entry, at })) return null;
      }
    }
    const areFresh = pairs.every((pair) => this.#isSameName(pair, entry));
    return areFresh && isOneToOne(pairs) ? pairs : null;
  }

  /** Both are as far from the present of their run, and that is none or whole minutes. */
  #isSameMoment(
    [asked, before]: [string, string],
    place: { kind: Kind; entry: Entry; at: Instant },
  ): boolean {
    const { kind, entry, at } = place;
    const [is, was] = [instantOf(kind, asked), instantOf(kind, before)];
    if (is === null || was === null) return false;
    const [ahead, wasAhead] = [is - (at + this.clockOffsetUs), was - entry.startedAt];
    const fromMinute = Math.abs(wasAhead - Math.round(wasAhead / minuteUs) * minuteUs);
    if (fromMinute > toleranceUs || Math.abs(ahead - wasAhead) > toleranceUs) return false;
    // What is read at another time may well be something else.
    return changes(entry.question.effect) || Math.abs(is - was) <= toleranceUs;
  }

  /** It stands for that one already, or both were made by the app just now, in order to write. */
  #isSameName([asked, before]: Pair, entry: Entry): boolean {
    const [known, standsFor] = [this.#recordedOf.get(asked), this.#askedOf.get(before)];
    if (known !== undefined || standsFor !== undefined) return known === before;
    if (!changes(entry.question.effect)) return false;
    this.#origins ??= originsOf(this.#all); // most replays never need it
    const told = this.#origins.toldAt.get(before);
    return (told === undefined || told > entry.startedAt) && !this.#origins.recorded.has(asked);
  }
}

interface Origins {
  /** Every UUID of the recordings. */
  recorded: Set<string>;
  /** When each was first told to the app; those that never were are its own. */
  toldAt: Map<string, Instant>;
}

function originsOf(all: readonly Recorded[]): Origins {
  const origins: Origins = { recorded: new Set(), toldAt: new Map() };
  for (const exchange of all.flatMap((one) => one.exchanges)) {
    const { request, response } = exchange;
    const [told, said] =
      exchange.direction === 'inbound' ? [request, response] : [response, request];
    for (const uuid of uuidsIn(said?.meaning)) origins.recorded.add(uuid);
    for (const uuid of uuidsIn(told?.meaning)) {
      origins.recorded.add(uuid);
      const at = told!.startedAt;
      origins.toldAt.set(uuid, Math.min(at, origins.toldAt.get(uuid) ?? at));
    }
  }
  return origins;
}

type Kind = 'uuid' | 'text' | 'milliseconds' | 'seconds';

/** Where two values differ in tokens of one kind only; null when they differ in anything else. */
function differencesOf(
  is: string,
  was: string | null,
): { kind: Kind; asked: string; before: string }[] | null {
  if (is === was) return [];
  if (was === null || is.replace(tokens, '') !== was.replace(tokens, '')) return null;
  const [asked, before] = [tokensOf(is), tokensOf(was)];
  if (asked.length !== before.length) return null;
  const differences: { kind: Kind; asked: string; before: string }[] = [];
  let shift = 0;
  for (const [i, token] of asked.entries()) {
    const other = before[i]!;
    if (token.kind !== other.kind || token.at - other.at !== shift) return null;
    shift += token.text.length - other.text.length;
    if (token.text !== other.text) {
      differences.push({ kind: token.kind, asked: token.text, before: other.text });
    }
  }
  return differences;
}

function tokensOf(text: string): { kind: Kind; text: string; at: number }[] {
  const kinds: Kind[] = ['uuid', 'text', 'milliseconds', 'seconds'];
  return [...text.matchAll(tokens)].map((found) => ({
    kind: kinds[found.slice(1, 5).findIndex((group) => group !== undefined)]!,
    text: found[0],
    at: found.index,
  }));
}

function instantOf(kind: Kind, text: string): Instant | null {
  if (kind === 'milliseconds') return Number(text) * 1000;
  if (kind === 'seconds') return Number(text) * 1_000_000;
  const [found = ''] = zoneAtEnd.exec(text.slice(10)) ?? [];
  const full = found === '' ? 'Z' : /^[+-]\d{2}$/.test(found) ? `${found}:00` : found;
  const base = text.slice(0, text.length - found.length);
  const ms = Date.parse(`${base.replace(' ', 'T')}${full}`);
  return Number.isNaN(ms) ? null : ms * 1000;
}

function isOneToOne(pairs: readonly Pair[]): boolean {
  const there = new Map(pairs);
  const back = new Map(pairs.map(([asked, before]) => [before, asked]));
  return pairs.every(
    ([asked, before]) => there.get(asked) === before && back.get(before) === asked,
  );
}

function uuidsIn(meaning: unknown): string[] {
  const text = meaning === undefined ? '' : JSON.stringify(meaning);
  return (text.match(uuids) ?? []).map((uuid) => uuid.toLowerCase());
}

// Values made anew in each run: which differences are none, and above all which are.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Exchange } from '../domain/exchange.ts';
import type { Entry } from './entry.ts';
import { question, recorded } from './fake-recorded.ts';
import { FreshValues } from './fresh.ts';

const second = 1_000_000;
const recordedAt = Date.UTC(2024, 1, 29, 12, 0, 0) * 1000;
const askedAt = recordedAt + 7200 * second;
const iso = (at: number) => new Date(at / 1000).toISOString();
const [ours, theirs] = [
  '7b1f9c1e-9d2b-4c57-8f0a-0123456789ab',
  'c0ffee00-1111-4222-8333-444455556666',
];

let fresh: FreshValues;

beforeEach(() => {
  fresh = new FreshValues();
});

function ask(value: string, effect: Exchange['effect'] = 'write') {
  const fields = { sql: 'INSERT INTO t VALUES ($1)', $1: value };
  return {
    ...question({ verb: 'insert', table: 't', value, effect }),
    protocol: 'postgres',
    fields,
  };
}

function entry(value: string, effect: Exchange['effect'] = 'write', answer = 'ok'): Entry {
  const call = { ask: { verb: 'insert', table: 't', value, effect }, answer, at: recordedAt };
  const [made] = recorded('trigger', [call]).entries;
  return { ...made!, question: ask(value, effect), startedAt: recordedAt };
}

const isEqual = (asked: string, was: string, effect: Exchange['effect'] = 'write', at = askedAt) =>
  fresh.isEqual(ask(asked, effect), entry(was, effect), at);

describe('the present time', () => {
  it('is the same in a later run, in every usual notation', () => {
    const notations: ((at: number) => string)[] = [
      iso,
      (at) => iso(at).replace('T', ' ').replace('Z', '+00'),
      (at) => iso(at + 7200 * second).replace('Z', '+02:00'),
      (at) => String(Math.floor(at / 1000)),
      (at) => String(Math.floor(at / second)),
      (at) => JSON.stringify({ name: 'ann', at: iso(at) }),
    ];
    for (const text of notations) {
      expect([text(0), isEqual(text(askedAt + 3000), text(recordedAt + 1000))]).toEqual([
        text(0),
        true,
      ]);
    }
  });

  it('counts by the clock of the app', () => {
    fresh.clockOffsetUs = -3600 * second;
    expect(isEqual(iso(askedAt - 3600 * second), iso(recordedAt))).toBe(true);
    expect(isEqual(iso(askedAt), iso(recordedAt))).toBe(false);
  });

  it('may be whole minutes away from it, not anything else', () => {
    const ahead = 14 * 86_400 * second;
    expect(isEqual(iso(askedAt + ahead), iso(recordedAt + ahead))).toBe(true);
    expect(isEqual(iso(askedAt + 30 * second), iso(recordedAt + 30 * second))).toBe(false);
    expect(isEqual(iso(askedAt + 60 * second), iso(recordedAt + 120 * second))).toBe(false);
  });

  it('is another question to what reads, but at the recorded time', () => {
    expect(isEqual(iso(askedAt), iso(recordedAt), 'read')).toBe(false);
    const at = recordedAt + second;
    expect(isEqual(iso(at), iso(recordedAt), 'read', at)).toBe(true);
  });
});

describe('a random UUID', () => {
  it('stands for the recorded one from then on, also in answers', () => {
    expect(isEqual(ours, theirs)).toBe(true);
    expect(isEqual(ours, theirs, 'read')).toBe(false);
    fresh.adopt(ask(ours), entry(theirs), askedAt);
    expect(isEqual(ours, theirs, 'read')).toBe(true);
    const other = theirs.replace('c0ffee', 'decade');
    expect(isEqual(other, theirs)).toBe(false);
    expect(isEqual(ours, other)).toBe(false);
    const answered = entry('x', 'read', `id ${theirs.toUpperCase()}`).exchange;
    expect(fresh.translated(answered).response?.meaning).toBe(`id ${ours}`);
    expect(answered.response?.meaning).toContain(theirs.toUpperCase());
    fresh.endScope();
    expect(isEqual(other, theirs)).toBe(true);
  });

  it('is not fresh when the app was told it before, or the recordings know it', () => {
    const calls = [
      { ask: { verb: 'select', table: 't', value: '' }, answer: theirs, at: recordedAt - 1 },
      { ask: { verb: 'insert', table: 't', value: ours }, answer: 'ok', at: recordedAt + 1 },
    ];
    fresh.learn([recorded('trigger', calls.slice(0, 1))]);
    expect(isEqual(ours, theirs)).toBe(false);
    fresh.learn([recorded('trigger', calls.slice(1))]);
    expect(isEqual(ours, theirs)).toBe(false);
    fresh.learn([]);
    expect(isEqual(ours, theirs)).toBe(true);
  });
});

describe('anything else', () => {
  it('makes another question', () => {
    const at = [iso(askedAt), iso(recordedAt)] as const;
    for (const [asked, was] of [
      ['1', '2'],
      [`1 ${at[0]}`, `2 ${at[1]}`],
      [`${at[0]} x`, `x ${at[1]}`],
      [`${at[0]}${ours}`, `${theirs}${at[1]}`],
      [at[0], String(recordedAt / 1000)],
      [at[0], 'NULL'],
      ['1700000000', '17000000000000'],
    ] as const) {
      expect([asked, was, isEqual(asked, was)]).toEqual([asked, was, false]);
    }
    const other = { ...ask(at[0]), fields: { sql: 'INSERT INTO u VALUES ($1)', $1: at[0] } };
    expect(fresh.isEqual(other, entry(at[1]), askedAt)).toBe(false);
    const unknown = { ...ask(at[0]), protocol: 'other' };
    expect(fresh.isEqual(unknown, entry(at[1]), askedAt)).toBe(false);
  });
});

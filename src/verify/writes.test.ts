// Writes that look like those of successful requests and do less than they should.
import { describe, expect, it } from 'vitest';
import type { Served } from '../domain/outcome.ts';
import type { Sample } from './outcome-sane.ts';
import { hollowWrite, seldomWrite } from './writes.ts';

const form = 'insert line';
const write = (fields: Record<string, string> = {}): Served =>
  ({ formKey: form, effect: 'write', title: 'INSERT INTO line', fields }) as never;
const sibling = (count: number, fields: Record<string, string> = { $1: '7' }): Sample => ({
  ...{ status: 201, contentType: '', body: {}, bodyBytes: 1 },
  request: { body: { items: Array.from({ length: count }, () => 1), tags: ['a'] } },
  calls: Array.from({ length: count }, () => ({
    ...{ formKey: form, effect: 'write' as const, title: 'INSERT INTO line' },
    ...{ parameters: [], answer: null, fields },
  })),
});

describe('hollow writes', () => {
  it.each(['NULL', 'null', 'undefined', 'NaN', '', '"undefined"'])('hold %s', (value) => {
    const said = hollowWrite([write({ sql: 'INSERT', $1: value })], [sibling(1)]);
    expect(said).toBe('nothing is written as $1 of INSERT INTO line');
  });
  it('lack a member that every body has', () => {
    expect(hollowWrite([write({})], [sibling(1, { 'body.to': '"ada"' })])).toMatch('body.to');
  });
  it('are not NULLs that the column takes by the definition of its table', () => {
    const sql = 'INSERT INTO line (id, note) VALUES ($1, $2)';
    const siblings = [sibling(1, { $2: 'x' })];
    const judge = (definition: string, value = 'NULL') =>
      hollowWrite([write({ sql, $2: value })], siblings, [`CREATE TABLE line (${definition})`]);
    expect(judge('id int, note text')).toBeNull();
    expect(judge('id int, note text', 'undefined')).not.toBeNull();
    expect(judge('id int, note text NOT NULL')).not.toBeNull();
  });
  it('are not those that successful requests make as well', () => {
    expect(hollowWrite([write({ $1: '3' })], [sibling(1)])).toBeNull();
    const nulls = [sibling(1), sibling(1, { $1: 'NULL' })];
    expect(hollowWrite([write({ $1: 'NULL' })], nulls)).toBeNull();
    expect(hollowWrite([write({ $1: 'NULL' })], [])).toBeNull();
  });
});

describe('seldom writes', () => {
  const judge = (made: number, items: unknown, counts = [2, 3]) =>
    seldomWrite({
      after: Array.from({ length: made }, () => write()),
      request: { body: { items, tags: ['a'] } },
      siblings: counts.map((count) => sibling(count)),
    });
  const some = (length: number) => Array.from({ length }, () => 1);
  it('are fewer than the items, where each of those has one', () => {
    expect(judge(3, some(4))).toBe('INSERT INTO line is made 3 times for 4 items of body.items');
    expect(judge(1, some(2), [2])).toMatch('made once for 2 items');
    expect(judge(4, some(4))).toBeNull();
    expect(judge(1, some(1))).toBeNull();
  });
  it('are fewer than in any of several successful requests', () => {
    const siblings = [2, 3, 2].map((count) => ({ ...sibling(count), request: {} }));
    const told = seldomWrite({ after: [write()], request: {}, siblings });
    expect(told).toBe('INSERT INTO line is made once, at least 2 times by others');
    expect(seldomWrite({ after: [write()], request: {}, siblings: siblings.slice(1) })).toBeNull();
  });
  it('ask nothing where nothing is known', () => {
    expect(judge(2, some(4), [2, 2])).toBeNull();
    expect(judge(0, some(4), [])).toBeNull();
  });
});

// NULL is taken where the app's own definition of a table was seen and allows it, only there.
import { describe, expect, it } from 'vitest';
import { columnOf, takesNull } from './nullable.ts';

const insert = 'INSERT INTO bills (id, bill_to, "Due") VALUES ($1, $2, now()) RETURNING id';
const create = (more: string) =>
  `CREATE TABLE IF NOT EXISTS bills ( id serial PRIMARY KEY , bill_to ${more} , x numeric(1, 2) )`;
const billTo = { table: 'bills', column: 'bill_to' };

describe('columnOf', () => {
  it('finds the column of a parameter', () => {
    expect(columnOf(insert, '$2')).toEqual(billTo);
    expect(columnOf(insert, '$3')).toBeNull();
    expect(columnOf('UPDATE bills SET a = $1', '$1')).toBeNull();
  });
});

describe('takesNull', () => {
  it('passes a column that may be NULL', () => {
    expect(takesNull([create('text')], billTo)).toBe(true);
    expect(takesNull([`SELECT 1; ${create('text REFERENCES people (id)')}`], billTo)).toBe(true);
  });
  it.each([
    ['NOT NULL', [create('text NOT NULL')]],
    ['a key', [create('text PRIMARY KEY')]],
    ['a later change', [create('text'), 'ALTER TABLE bills ALTER COLUMN bill_to SET NOT NULL']],
    ['a check', [create('text, CHECK (bill_to IS NOT NULL)')]],
    ['a common key', [create('text, CONSTRAINT k PRIMARY KEY (id, bill_to)')]],
    ['another table', [create('text').replace('bills', 'notes')]],
    ['nothing seen', []],
  ])('does not with %s', (_, statements) => {
    expect(takesNull(statements, billTo)).toBe(false);
  });
});

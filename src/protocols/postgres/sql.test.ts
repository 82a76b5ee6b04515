// What SQL does and when it is the same decides what may be answered: so both have many examples.
import { describe, expect, it } from 'vitest';
import { sqlOf } from './sql.ts';
import { tokensOf } from './tokens.ts';

describe('effect of SQL', () => {
  it.each([
    ['SELECT 1', 'read'],
    ['  /* hi */ select * from t for update', 'read'],
    ['(SELECT 1) UNION (SELECT 2)', 'read'],
    ['VALUES (1)', 'read'],
    ['SHOW server_version', 'read'],
    ['EXPLAIN ANALYZE SELECT 1', 'read'],
    ['EXPLAIN (ANALYZE) DELETE FROM t', 'write'],
    ['EXPLAIN DELETE FROM t', 'read'],
    ['SELECT \'insert into t\', "delete" FROM t -- update', 'read'],
    ['SELECT $$; delete from t$$', 'read'],
    ['SELECT $a$; drop table t; $$ $a$', 'read'],
    ["SELECT E'\\'; delete from t; --'", 'read'],
    ['WITH a AS (SELECT 1) SELECT * FROM a', 'read'],
    ['WITH a AS (SELECT 1) SELECT * FROM a FOR NO KEY UPDATE', 'read'],
    ['WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a', 'write'],
    ['WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a', 'write'],
    ['SELECT * INTO n FROM t', 'write'],
    ["SELECT nextval('s')", 'unknown'],
    ["SELECT set_config('a.b', '1', true)", 'unknown'],
    ['SELECT my_nextval FROM t', 'read'],
    ['INSERT INTO t VALUES (1)', 'write'],
    ['update t set a = 1', 'write'],
    ['TRUNCATE t', 'write'],
    ['CREATE TABLE t ()', 'write'],
    ['CALL p()', 'write'],
    ['DO $$ begin end $$', 'write'],
    ['COPY t FROM STDIN', 'write'],
    ['COPY (SELECT 1) TO STDOUT', 'read'],
    ['BEGIN', 'control'],
    ['BEGIN; SET LOCAL a.b = 1', 'control'],
    ['BEGIN; DELETE FROM t; COMMIT', 'write'],
    ['SELECT 1; COMMIT', 'read'],
    ['set time zone utc', 'control'],
    ['LISTEN a', 'control'],
    ['', 'control'],
    ['-- nothing', 'control'],
    ['EXECUTE x', 'unknown'],
    ['frobnicate', 'unknown'],
  ])('%s: %s', (sql, effect) => {
    expect(sqlOf(sql).effect).toBe(effect);
  });
});

describe('normal form of SQL', () => {
  it('drops inert comments and white space, keeps literals', () => {
    const base = sqlOf("SELECT a,  b\n FROM t WHERE c = 'x  --y' /*trace=1*/ ; ").normal;
    expect(base).toBe("SELECT a, b FROM t WHERE c = 'x  --y'");
    expect(sqlOf("SELECT a, b FROM t -- id 7\nWHERE c = 'x  --y'").normal).toBe(base);
    expect(sqlOf('SELECT /* a /* nested */ b */ 1').normal).toBe('SELECT 1');
    expect(sqlOf('SELECT 1--').normal).toBe('SELECT 1');
  });

  it('keeps what differs apart', () => {
    const normals = [
      "select 'a'",
      "select 'A'",
      'select "a"',
      'select $1',
      'select $2',
      'select a1',
    ];
    expect(new Set(normals.map((sql) => sqlOf(sql).normal)).size).toBe(normals.length);
    expect(sqlOf('select a - -b').normal).not.toBe(sqlOf('select a --b').normal);
  });

  it('shows the form without values', () => {
    const sql = sqlOf("SELECT * FROM t WHERE a = 'it''s' AND b = 4.2e1 AND c = $1 AND d2 = 3");
    expect(sql.form).toBe('SELECT * FROM t WHERE a = ? AND b = ? AND c = $1 AND d2 = ?');
    expect(sql.literals).toEqual(["it's", '4.2e1', '3']);
  });

  it('never loses a byte that is not blank, nor hangs, whatever the text', () => {
    const odd = ['$', '$$', '$a', "'", '"', '/*', '--', "e'\\", 'U&"', '\u0000', '🙂', ';;', '(('];
    for (const a of odd) {
      for (const b of odd) {
        expect(() => sqlOf(`${a} ${b}${a}`)).not.toThrow();
        const plain = `${a}${b}`;
        if (/[/-]/.test(plain)) continue;
        expect(
          tokensOf(plain)
            .map((token) => token.text)
            .join(''),
        ).toBe(plain);
      }
    }
  });
});

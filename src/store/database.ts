/** Exists so that connections, transactions and the migrations are handled in one place. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { now } from '../domain/time.ts';
import type { Statement } from './sql.ts';

/** The schema that holds our tables; the jobs have their own beside it. */
export const schema = 'fixpoint';

/** Where a PostgreSQL is reached: an URL, or the parts of a local one. */
export type Place =
  | { url: string }
  | { host: string; port: number; user: string; password: string; database: string };

export interface Queryable {
  rows<T>(statement: Statement | string, values?: unknown[]): Promise<T[]>;
  /** The first row, or null. */
  row<T>(statement: Statement | string, values?: unknown[]): Promise<T | null>;
}

export interface Database extends Queryable {
  /** Rolls back when `work` throws. */
  transaction<T>(work: (inside: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The options of a `pg` client or pool for a place. */
export function connectionOf(place: Place): pg.ClientConfig {
  return 'url' in place ? { connectionString: place.url } : { ...place };
}

/**
 * Opens a pool; no statement is sent yet. `onError` hears of idle connections that broke, which
 * are replaced by themselves.
 */
export function openDatabase(
  place: Place,
  options: { connectionsMax: number; onError: (error: Error) => void },
): Database {
  const pool = new pg.Pool({
    ...connectionOf(place),
    max: options.connectionsMax,
    options: `-c search_path=${schema}`,
    application_name: 'fixpoint',
    types: { getTypeParser },
  });
  pool.on('error', options.onError);
  return {
    ...queryable(pool),
    async transaction(work) {
      const client = await pool.connect();
      let broken = false;
      try {
        await client.query('BEGIN');
        const result = await work(queryable(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {
          broken = true;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}

/**
 * Brings the schema up to date: applies the files `NNN_name.sql` that are not applied yet, each in
 * a transaction with its entry, one server at a time. Throws when an applied file was changed
 * afterwards, or when the database was made by a newer version.
 */
export async function migrate(place: Place, folder: string): Promise<string[]> {
  const client = new pg.Client({ ...connectionOf(place), types: { getTypeParser } });
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [`${schema} migrations`]);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await client.query(`SET search_path = ${schema}`);
    await client.query(`CREATE TABLE IF NOT EXISTS migration (
      name text PRIMARY KEY, sha256 text NOT NULL, applied_at bigint NOT NULL)`);
    return await applyMissing(client, folder);
  } finally {
    await client.end();
  }
}

async function applyMissing(client: pg.Client, folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{3}_\w+\.sql$/.test(name)).sort();
  const { rows } = await client.query('SELECT name, sha256 FROM migration');
  const applied = new Map<string, string>(rows.map((row) => [row.name, row.sha256]));
  const unknown = [...applied.keys()].filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const list = unknown.join(', ');
    throw new Error(`The database was made by a newer version of Fixpoint: it has ${list}.`);
  }
  const fresh: string[] = [];
  for (const name of names) {
    const text = await readFile(join(folder, name), 'utf8');
    const sha256 = createHash('sha256').update(text).digest('hex');
    const before = applied.get(name);
    if (before === sha256) continue;
    if (before !== undefined) {
      throw new Error(`The migration ${name} was changed after it had been applied.`);
    }
    await applyOne(client, { name, text, sha256 });
    fresh.push(name);
  }
  return fresh;
}

async function applyOne(
  client: pg.Client,
  file: { name: string; text: string; sha256: string },
): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(file.text);
    await client.query('INSERT INTO migration VALUES ($1, $2, $3)', [
      file.name,
      file.sha256,
      now(),
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`The migration ${file.name} failed.`, { cause: error });
  }
}

function queryable(client: pg.Pool | pg.PoolClient): Queryable {
  const rows = async (statement: Statement | string, values: unknown[] = []) =>
    (typeof statement === 'string'
      ? await client.query(statement, values)
      : await client.query(statement.text, statement.values)
    ).rows;
  return { rows, row: async (statement, values) => (await rows(statement, values))[0] ?? null };
}

/** Instants and counts are integers below 2^53: int8 (type 20) comes as a number. */
function getTypeParser(type: number, format?: unknown): (text: string) => unknown {
  if (type === 20 && format !== 'binary') return Number;
  return pg.types.getTypeParser(type, format as 'text');
}

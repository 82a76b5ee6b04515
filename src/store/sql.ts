/** Exists so that every table is written down once as data, and its statements follow from it. */

/** A statement with its values, as `pg` takes it. */
export interface Statement {
  text: string;
  values: unknown[];
}

export interface Table<T> {
  /** The select list that yields `T` field by field. */
  readonly columns: string;
  /** Inserts the fields that are there and returns the whole row; `tail` may name a conflict. */
  insert(row: Partial<T>, tail?: string): Statement;
  /** Null when nothing changes. */
  update(changes: Partial<T>, key: Partial<T>): Statement | null;
  /** Selects by equality of the fields that are there; `tail` orders and limits. */
  select(filter: Partial<T>, tail?: string): Statement;
}

/**
 * Describes a table whose columns are the snake_case names of `fields`. Objects and arrays are
 * written as JSON, so such columns are of type `json`.
 */
export function tableOf<T extends object>(
  name: string,
  fields: readonly (keyof T & string)[],
): Table<T> {
  const columns = fields.map((field) => `${columnOf(field)} AS "${field}"`).join(', ');
  const present = (row: Partial<T>) => fields.filter((field) => row[field] !== undefined);
  return {
    columns,
    insert(row, tail = '') {
      const names = present(row);
      const marks = names.map((_, index) => `$${index + 1}`).join(', ');
      const into = names.map(columnOf).join(', ');
      return {
        text: `INSERT INTO ${name} (${into}) VALUES (${marks}) ${tail} RETURNING ${columns}`,
        values: names.map((field) => parameterOf(row[field])),
      };
    },
    update(changes, key) {
      const names = present(changes);
      if (names.length === 0) return null;
      const keys = present(key);
      const set = names.map((field, index) => `${columnOf(field)} = $${index + 1}`);
      const where = keys.map((field, i) => `${columnOf(field)} = $${names.length + i + 1}`);
      return {
        text: `UPDATE ${name} SET ${set.join(', ')} WHERE ${where.join(' AND ')}`,
        values: [
          ...names.map((f) => parameterOf(changes[f])),
          ...keys.map((f) => parameterOf(key[f])),
        ],
      };
    },
    select(filter, tail = '') {
      const names = present(filter);
      const tests = names.map((field, index) => `${columnOf(field)} = $${index + 1}`);
      const where = tests.length === 0 ? '' : `WHERE ${tests.join(' AND ')}`;
      return {
        text: `SELECT ${columns} FROM ${name} ${where} ${tail}`,
        values: names.map((field) => parameterOf(filter[field])),
      };
    },
  };
}

function columnOf(field: string): string {
  return `"${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`;
}

/** PostgreSQL's text has no NUL; JSON keeps it, because it is escaped there. */
function parameterOf(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('\u0000', '\ufffd');
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return value;
}

/**
 * Whether a table takes a NULL, by what the app itself said of it: many apps define their tables
 * when they start, and the boot recording holds that. The database's own word is not recorded.
 */

/** The column that `$2`, say, goes into; null for what is no plain INSERT of one row. */
export function columnOf(sql: string, parameter: string): { table: string; column: string } | null {
  const head = /^\s*INSERT\s+INTO\s+([\w."]+)\s*\(/i.exec(sql);
  const rows = /\)\s*VALUES\s*\(/i.exec(sql);
  if (head === null || rows === null) return null;
  const values = listed(sql, rows.index + rows[0].length);
  const column = listed(sql, head[0].length)[values.indexOf(parameter)];
  return column === undefined ? null : { table: bare(head[1]!), column: bare(column) };
}

/** True only where a definition of the column was seen and nothing seen forbids NULL. */
export function takesNull(
  statements: readonly string[],
  { table, column }: { table: string; column: string },
): boolean {
  const forbids = new RegExp(
    `ALTER\\s+TABLE\\s+[\\s\\S]*\\b${escaped(column)}"?\\s+SET\\s+NOT\\s+NULL`,
    'i',
  );
  if (statements.some((sql) => forbids.test(sql))) return false;
  const parts = statements.flatMap((sql) => definitionsOf(sql, table));
  const own = parts.filter((part) => bare(part.split(/\s+/)[0] ?? '') === column);
  const strict = /\bNOT\s+NULL\b|\bPRIMARY\s+KEY\b|\bGENERATED\b/i;
  const shared = parts.filter((part) => /^(CONSTRAINT|PRIMARY|CHECK|EXCLUDE)\b/i.test(part));
  const named = new RegExp(`\\b${escaped(column)}\\b`, 'i');
  if (own.length === 0 || own.some((part) => strict.test(part))) return false;
  return !shared.some((part) => named.test(part) && !/\b(FOREIGN\s+KEY|UNIQUE)\b/i.test(part));
}

/** Columns and constraints of each CREATE TABLE of that name. */
function definitionsOf(sql: string, table: string): string[] {
  const head = /CREATE\s+(?:\w+\s+)*?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w."]+)\s*\(/gi;
  return [...sql.matchAll(head)]
    .filter((found) => bare(found[1] ?? '') === table)
    .flatMap((found) => listed(sql, found.index + found[0].length));
}

/** The items of a list in parentheses that begins at an offset. */
function listed(sql: string, from: number): string[] {
  const items = [''];
  let depth = 1;
  for (const char of sql.slice(from)) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (depth === 0) break;
    if (char === ',' && depth === 1) items.push('');
    else items[items.length - 1] += char;
  }
  return items.map((item) => item.trim());
}

/** Without schema and quotes, in the case that PostgreSQL folds names to. */
function bare(name: string): string {
  const last = name.trim().split('.').at(-1) ?? '';
  return last.startsWith('"') ? last.replaceAll('"', '') : last.toLowerCase();
}

function escaped(text: string): string {
  return text.replace(/[^\w]/g, '\\$&');
}

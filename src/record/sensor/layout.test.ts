/** Exists to hold sensor/event.h and layout.ts together: the C compiler says where each field is. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import * as layout from './layout.ts';

const sensor = fileURLToPath(new URL('../../../sensor', import.meta.url));

/** What a C compiler makes of the header, by expression. */
function compiled(expressions: string[]): Record<string, number> {
  const folder = mkdtempSync(join(tmpdir(), 'fixpoint-layout-'));
  const prints = expressions.map((e) => `printf("%s\\t%lld\\n", "${e}", (long long)(${e}));`);
  const source = ['stddef.h', 'stdio.h', 'event.h'].map((name) => `#include <${name}>`);
  source.push('int main(void) {', ...prints, 'return 0; }');
  try {
    writeFileSync(join(folder, 'layout.c'), `${source.join('\n')}\n`);
    const program = join(folder, 'layout');
    execFileSync('cc', ['-I', sensor, '-o', program, join(folder, 'layout.c')]);
    const lines = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
    return Object.fromEntries(lines.map((line) => [line.split('\t')[0], +line.split('\t')[1]!]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function expected(): Record<string, number> {
  const all: Record<string, number> = {
    'sizeof(struct fixpoint_event)': layout.EVENT_BYTES,
    'sizeof(struct fixpoint_address)': layout.ADDRESS_BYTES,
    'sizeof(struct fixpoint_open)': layout.OPEN_BYTES,
    'sizeof(struct fixpoint_close)': layout.CLOSE_BYTES,
    'sizeof(struct fixpoint_hello)': layout.HELLO_BYTES,
    'sizeof(struct fixpoint_count)': layout.COUNT_BYTES,
    'sizeof(struct fixpoint_stats)': layout.STATS_BYTES,
    'sizeof(struct fixpoint_name)': layout.COMMAND_BYTES,
    'sizeof(struct fixpoint_control)': layout.CONTROL_BYTES,
    FIXPOINT_MAGIC: layout.MAGIC,
    FIXPOINT_VERSION: layout.VERSION,
    FIXPOINT_CHUNK_BYTES: layout.CHUNK_BYTES,
    FIXPOINT_DISCARDED: layout.DISCARDED,
    FIXPOINT_SIZE_MASK: layout.SIZE_MASK,
    'offsetof(struct fixpoint_stats, drops)': layout.COUNT_BYTES,
    FIXPOINT_DROPS: layout.DROPS.length,
  };
  const structs = {
    event: layout.EVENT,
    address: layout.ADDRESS,
    open: layout.OPEN,
    close: layout.CLOSE,
    hello: layout.HELLO,
    control: layout.CONTROL,
  };
  for (const [name, fields] of Object.entries(structs))
    for (const [field, offset] of Object.entries(fields))
      all[`offsetof(struct fixpoint_${name}, ${field})`] = offset;
  return { ...all, ...numbers() };
}

/** The enums: the C name of each word, and its place in the list. */
function numbers(): Record<string, number> {
  const names: [readonly (string | undefined)[], Record<string, string>, string][] = [
    [layout.KINDS, {}, ''],
    [layout.SHUTDOWNS, {}, ''],
    [layout.ROLES, { unknown: 'ROLE_UNKNOWN' }, ''],
    [layout.TRANSPORTS, {}, ''],
    [layout.MISSING, { none: 'WHOLE', discarded: 'UNREAD' }, ''],
    [layout.OPAQUE, {}, ''],
    [layout.DROPS, {}, 'DROP_'],
  ];
  const all: Record<string, number> = {};
  for (const [list, own, prefix] of names)
    list.forEach((word, index) => {
      if (word === undefined) return;
      const name = own[word] ?? word.toUpperCase().replace('-', '_');
      all[`FIXPOINT_${prefix}${name}`] = index;
    });
  for (const words of [layout.FLAG, layout.CONTROL_KIND])
    for (const [word, value] of Object.entries(words))
      all[`FIXPOINT_${word.toUpperCase()}`] = value;
  return all;
}

it('is the same for the compiler and for us', () => {
  const all = expected();
  expect(compiled(Object.keys(all))).toEqual(all);
});

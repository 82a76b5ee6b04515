/**
 * Messages for tests, built from hexadecimal and text by hand after
 * https://www.postgresql.org/docs/current/protocol-message-formats.html (not with our encoder).
 */

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const num = (value: number, bytes: number) =>
  hex((value < 0 ? 2 ** (8 * bytes) + value : value).toString(16).padStart(2 * bytes, '0'));
const str = (text: string) => Buffer.concat([Buffer.from(text), hex('00')]);
const typed = (type: string, ...parts: Buffer[]) => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), num(body.length + 4, 4), body]);
};
const bytes = (value: string | Buffer | null) => {
  if (value === null) return hex('ff ff ff ff');
  const raw = Buffer.from(value as string);
  return Buffer.concat([num(raw.length, 4), raw]);
};

export const client = {
  ssl: hex('00 00 00 08 04 d2 16 2f'),
  gss: hex('00 00 00 08 04 d2 16 30'),
  cancel: hex('00 00 00 10 04 d2 16 2e 00 00 00 01 00 00 00 02'),
  start: (user: string) => {
    const body = Buffer.concat([hex('00 03 00 00'), str('user'), str(user), hex('00')]);
    return Buffer.concat([num(body.length + 4, 4), body]);
  },
  password: (text: string) => typed('p', str(text)),
  query: (sql: string) => typed('Q', str(sql)),
  parse: (name: string, sql: string, types: number[] = []) =>
    typed('P', str(name), str(sql), num(types.length, 2), ...types.map((type) => num(type, 4))),
  bind: (
    statement: string,
    values: (string | Buffer | null)[],
    options: { portal?: string; formats?: number[]; results?: number[] } = {},
  ) => {
    const { portal = '', formats = [], results = [] } = options;
    const codes = (list: number[]) => [num(list.length, 2), ...list.map((code) => num(code, 2))];
    return typed(
      'B',
      str(portal),
      str(statement),
      ...codes(formats),
      num(values.length, 2),
      ...values.map(bytes),
      ...codes(results),
    );
  },
  describe: (kind: 'S' | 'P', name: string) => typed('D', Buffer.from(kind), str(name)),
  execute: (portal = '', rows = 0) => typed('E', str(portal), num(rows, 4)),
  close: (kind: 'S' | 'P', name: string) => typed('C', Buffer.from(kind), str(name)),
  sync: typed('S'),
  flush: typed('H'),
  terminate: typed('X'),
  copyData: (data: string) => typed('d', Buffer.from(data)),
  copyDone: typed('c'),
};

export const server = {
  ok: typed('R', num(0, 4)),
  md5: typed('R', num(5, 4), hex('01 02 03 04')),
  setting: (name: string, value: string) => typed('S', str(name), str(value)),
  key: typed('K', num(7, 4), num(8, 4)),
  ready: (status = 'I') => typed('Z', Buffer.from(status)),
  parsed: typed('1'),
  bound: typed('2'),
  closed: typed('3'),
  noData: typed('n'),
  suspended: typed('s'),
  empty: typed('I'),
  parameters: (types: number[]) =>
    typed('t', num(types.length, 2), ...types.map((type) => num(type, 4))),
  columns: (columns: [name: string, type: number, format?: number][]) =>
    typed(
      'T',
      num(columns.length, 2),
      ...columns.flatMap(([name, type, format = 0]) => [
        str(name),
        num(0, 4),
        num(0, 2),
        num(type, 4),
        num(-1, 2),
        num(-1, 4),
        num(format, 2),
      ]),
    ),
  row: (...values: (string | Buffer | null)[]) =>
    typed('D', num(values.length, 2), ...values.map(bytes)),
  complete: (tag: string) => typed('C', str(tag)),
  error: (code: string, message: string) =>
    typed('E', str('SERROR'), str('VERROR'), str(`C${code}`), str(`M${message}`), hex('00')),
  notice: (message: string) =>
    typed('N', str('SNOTICE'), str('VNOTICE'), str('C00000'), str(`M${message}`), hex('00')),
  notification: (channel: string, payload: string) =>
    typed('A', num(9, 4), str(channel), str(payload)),
  copyIn: typed('G', hex('00'), num(1, 2), num(0, 2)),
  copyOut: typed('H', hex('00'), num(1, 2), num(0, 2)),
  copyData: (data: string) => typed('d', Buffer.from(data)),
  copyDone: typed('c'),
};

export const join = (...parts: Buffer[]) => Buffer.concat(parts);

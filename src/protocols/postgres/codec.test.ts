// Oracle: pg-protocol, which encodes what clients say and decodes what servers say.

import { Readable } from 'node:stream';
import { parse, serialize } from 'pg-protocol';
import { describe, expect, it } from 'vitest';
import * as encode from './encode.ts';
import { failure } from './failures.ts';
import { type Frame, Framer } from './frames.ts';
import { frontendMessage, frontendTypes } from './frontend.ts';

function framesOf(bytes: Buffer, started = true): Frame[] {
  const frames: Frame[] = [];
  const framer = new Framer({
    types: frontendTypes,
    payloadBytesMax: 1 << 20,
    expect: () => (started ? 'typed' : 'untyped'),
    frame: (frame) => frames.push(frame),
  });
  expect(framer.feed(bytes, 0)).toBe(true);
  return frames;
}

const decoded = (bytes: Buffer, started = true) => framesOf(bytes, started).map(frontendMessage);

describe('what a client says', () => {
  it('is understood as pg-protocol wrote it', () => {
    expect(decoded(serialize.requestSsl(), false)).toEqual([{ name: 'ssl' }]);
    expect(decoded(serialize.cancel(1, 2), false)).toEqual([{ name: 'cancel' }]);
    expect(decoded(serialize.startup({ user: 'u', database: 'd' }), false)).toEqual([
      {
        name: 'start',
        parameters: [
          ['user', 'u'],
          ['database', 'd'],
          ['client_encoding', 'UTF8'],
        ],
      },
    ]);
    const all = Buffer.concat([
      serialize.query('SELECT 1'),
      serialize.parse({ name: 's', text: 'SELECT $1', types: [23, 4_294_967_295 | 0] }),
      serialize.bind({
        portal: 'p',
        statement: 's',
        values: ['a', null, Buffer.from([0, 255])],
        binary: true,
      }),
      serialize.describe({ type: 'S', name: 's' }),
      serialize.describe({ type: 'P' }),
      serialize.execute({ portal: 'p', rows: 7 }),
      serialize.close({ type: 'P', name: 'p' }),
      serialize.flush(),
      serialize.sync(),
      serialize.copyData(Buffer.from('x\n')),
      serialize.copyDone(),
      serialize.copyFail('no'),
      serialize.password('secret'),
      serialize.end(),
    ]);
    expect(decoded(all)).toEqual([
      { name: 'query', sql: 'SELECT 1' },
      { name: 'parse', statement: 's', sql: 'SELECT $1', types: [23, 4_294_967_295] },
      {
        name: 'bind',
        portal: 'p',
        statement: 's',
        params: [
          { format: 'text', value: 'a' },
          { format: 'text', value: null },
          { format: 'binary', value: { base64: 'AP8=' } },
        ],
        resultFormats: ['binary'],
      },
      { name: 'describe', target: 'statement', of: 's' },
      { name: 'describe', target: 'portal', of: '' },
      { name: 'execute', portal: 'p', maxRows: 7 },
      { name: 'close', target: 'portal', of: 'p' },
      { name: 'flush' },
      { name: 'sync' },
      { name: 'copyData', data: 'x\n' },
      { name: 'copyDone' },
      { name: 'copyFail', message: 'no' },
      { name: 'password' },
      { name: 'terminate' },
    ]);
  });

  it('is refused when it is cut short, too long, or of another kind', () => {
    const [bind] = framesOf(serialize.bind({ values: ['abc'] }));
    for (let length = 0; length < bind!.payload!.length; length += 1) {
      const short = { ...bind!, payload: bind!.payload!.subarray(0, length) };
      expect(frontendMessage(short)).toBeNull();
    }
    const long = { ...bind!, payload: Buffer.concat([bind!.payload!, Buffer.from([0])]) };
    expect(frontendMessage(long)).toBeNull();
  });
});

describe('what our server says', () => {
  it('is understood by pg-protocol', async () => {
    const column = {
      name: 'grüße',
      tableOid: 4_000_000_000,
      column: 3,
      typeOid: 25,
      typeSize: -1,
      typeModifier: -1,
      format: 'text' as const,
    };
    const started = {
      authentication: 'scram',
      settings: [['TimeZone', 'UTC']] as [string, string][],
      processId: 7,
      secretKey: Buffer.from([0, 0, 0, 8]).toString('base64'),
      error: null,
    };
    const result = { columns: [column], tag: 'SELECT 1', end: 'complete' as const, copy: null };
    const bytes = Buffer.concat([
      ...encode.startMessages(started),
      encode.parseComplete,
      encode.parameterDescription([23, 4_000_000_000]),
      encode.bindComplete,
      encode.rowDescription([column]),
      ...encode.resultMessages({ ...result, rows: [['🙂', null, { base64: 'YQ==' }]] }),
      encode.noData,
      encode.closeComplete,
      encode.errorResponse(failure('XX000', 'no', { detail: 'd', hint: 'h' })),
      encode.noticeResponse(failure('00000', 'hm')),
      encode.readyForQuery('E'),
    ]);
    const seen: Record<string, unknown>[] = [];
    const stream = Readable.from([bytes]);
    await parse(stream, (message) => {
      seen.push(message as unknown as Record<string, unknown>);
    });
    expect(seen.map((message) => message.name)).toEqual([
      'authenticationOk',
      'parameterStatus',
      'backendKeyData',
      'readyForQuery',
      'parseComplete',
      'parameterDescription',
      'bindComplete',
      'rowDescription',
      'dataRow',
      'commandComplete',
      'noData',
      'closeComplete',
      'error',
      'notice',
      'readyForQuery',
    ]);
    expect(seen[2]).toMatchObject({ processID: 7, secretKey: 8 });
    expect(seen[5]).toMatchObject({ dataTypeIDs: [23, 4_000_000_000] });
    expect(seen[7]).toMatchObject({
      fields: [{ name: 'grüße', tableID: 4_000_000_000, columnID: 3, dataTypeSize: -1 }],
    });
    expect(seen[8]).toMatchObject({ fields: ['🙂', null, 'a'] });
    expect(seen[12]).toMatchObject({ code: 'XX000', detail: 'd', hint: 'h', severity: 'ERROR' });
    expect(seen[14]).toMatchObject({ status: 'E' });
  });
});

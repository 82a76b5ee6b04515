/** Reads files by docs/recording-format.md alone, sharing no code with the product's reader. */
import { createDecipheriv } from 'node:crypto';
import { crc32, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Recording } from '../../domain/recording.ts';
import { sealerOf } from '../seal.ts';
import { encodeRecording } from './file.ts';

const key = Buffer.alloc(32, 9);
const body = Buffer.from('x'.repeat(5000));
const recording: Recording = {
  id: 'r',
  kind: 'failure',
  app: 'shop',
  releaseNumber: 3,
  instanceId: 'i',
  from: 1,
  to: 2,
  connections: [
    {
      id: 'c1',
      direction: 'inbound',
      transport: 'tcp',
      client: { address: '10.0.0.1', port: 999 },
      server: { address: '10.0.0.2', port: 80 },
      openedAt: 1,
      closedAt: null,
      protocol: 'http1',
      chunks: [
        { from: 'client', pos: 0, at: 5, bytes: new Uint8Array(Buffer.from('GET / HTTP/1.1')) },
        { from: 'server', pos: 7, at: 6, bytes: new Uint8Array(body) },
      ],
      gaps: [],
      carried: [{ from: 'client', pos: 0, at: 1, bytes: new Uint8Array([1, 2, 3]) }],
    },
  ],
  triggerExchangeId: null,
  callExchangeIds: [],
  causality: 'exact',
  prefixExchangeIds: [],
  log: [{ at: 9, stream: 'stderr', text: 'oh' }],
  exit: null,
  route: null,
  completeness: { seenBytes: 1, totalBytes: 1, reasons: [] },
};

interface Part {
  kind: number;
  offset: number;
  content: Buffer;
}

function partsOf(file: Buffer): Part[] {
  expect(file.subarray(0, 8).toString('hex')).toBe('894658520d0a1a0a');
  expect(file.readUInt16LE(8)).toBe(1);
  const sealed = (file.readUInt16LE(10) & 1) === 1;
  expect(file.readUInt32LE(28)).toBe(crc32(file.subarray(0, 28)));
  const trailer = file.subarray(-24);
  expect(trailer.subarray(16).toString()).toBe('FXREND\r\n');
  expect(trailer.readUInt32LE(12)).toBe(crc32(trailer.subarray(0, 12)));
  const parts: Part[] = [];
  let offset = 32;
  while (offset < file.length - 24) {
    const header = file.subarray(offset, offset + 16);
    let payload = file.subarray(offset + 16, offset + 16 + header.readUInt32LE(0));
    const checked = Buffer.concat([header.subarray(8), payload]);
    expect(header.readUInt32LE(4)).toBe(crc32(checked));
    if (sealed) {
      const number = Buffer.alloc(4);
      number.writeUInt32LE(parts.length);
      const decipher = createDecipheriv('aes-256-gcm', key, payload.subarray(0, 12));
      decipher.setAAD(Buffer.concat([file.subarray(0, 28), number, header.subarray(8, 16)]));
      decipher.setAuthTag(payload.subarray(-16));
      payload = Buffer.concat([decipher.update(payload.subarray(12, -16)), decipher.final()]);
    }
    const content = header[9] === 1 ? zstdDecompressSync(payload) : payload;
    expect(content.length).toBe(header.readUInt32LE(12));
    parts.push({ kind: header[8]!, offset, content });
    offset += 16 + header.readUInt32LE(0);
  }
  expect(parts.length).toBe(trailer.readUInt32LE(8));
  expect(BigInt(parts.at(-1)!.offset)).toBe(trailer.readBigUInt64LE(0));
  return parts;
}

describe('docs/recording-format.md', () => {
  for (const by of [null, sealerOf(key)]) {
    it(`is enough to read a ${by ? 'sealed' : 'plain'} file`, async () => {
      const parts = partsOf(await encodeRecording(recording, by));
      expect(parts.map((part) => part.kind)).toEqual([1, 2, 3, 4, 5]);
      const [head, connections, bytes, log, index] = parts as [Part, Part, Part, Part, Part];
      const json = (part: Part) => JSON.parse(part.content.toString());
      expect(json(head)).toMatchObject({ id: 'r', releaseNumber: 3, route: null });
      expect(json(connections)).toMatchObject([{ id: 'c1', protocol: 'http1', gaps: [] }]);
      const start = 4 + bytes.content.readUInt32LE(0);
      expect(JSON.parse(bytes.content.subarray(4, start).toString())).toEqual([
        [0, 0, 0, 0, 5, 14],
        [0, 0, 1, 7, 6, 5000],
        [0, 1, 0, 0, 1, 3],
      ]);
      const held = bytes.content.subarray(start);
      expect(
        held.equals(Buffer.concat([Buffer.from('GET / HTTP/1.1'), body, Buffer.from([1, 2, 3])])),
      ).toBe(true);
      expect(json(log)).toEqual([[9, 'stderr', 'oh']]);
      expect(json(index)).toMatchObject({ connections: 1, chunks: 3, bytes: 5017, logLines: 1 });
      expect(json(index).segments.map((one: number[]) => one.slice(0, 2))).toEqual(
        parts.slice(0, 4).map((part) => [part.kind, part.offset]),
      );
    });
  }
});

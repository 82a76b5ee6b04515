/**
 * One file that holds recordings as they are, for another server or a colleague:
 * `FIXPORT1`, u32 number of recordings, then for each u32 length and an unsealed recording's file
 * (docs/recording-format.md), then the SHA-256 of everything before. Little endian.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Recording } from '../../domain/recording.ts';
import { decodeRecording, encodeRecording } from './file.ts';

const magic = Buffer.from('FIXPORT1', 'latin1');
const headBytes = magic.length + 4;
const hashBytes = 32;
const recordingsMax = 1000;

/** Not sealed: whoever has it can read what was recorded. */
export async function toPortable(recordings: readonly Recording[]): Promise<Buffer> {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(recordings.length);
  const parts: Buffer[] = [magic, count];
  for (const recording of recordings) {
    const bytes = await encodeRecording(recording, null);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    parts.push(length, bytes);
  }
  const content = Buffer.concat(parts);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

/** What a file holds, or what is wrong with it and where. Bytes may come from anybody. */
export async function fromPortable(
  bytes: Buffer,
): Promise<{ kind: 'recordings'; recordings: Recording[] } | { kind: 'refused'; reason: string }> {
  if (bytes.length < headBytes || !bytes.subarray(0, magic.length).equals(magic)) {
    return refused('it is no exported recording: it does not begin with FIXPORT1');
  }
  const end = bytes.length - hashBytes;
  if (end < headBytes) return refused(`it ends after ${bytes.length} bytes: it was cut off`);
  const hash = createHash('sha256').update(bytes.subarray(0, end)).digest();
  if (!hash.equals(bytes.subarray(end))) {
    return refused('its checksum does not fit: it was cut off or changed');
  }
  const count = bytes.readUInt32LE(magic.length);
  if (count > recordingsMax) return refused(`it says that it holds ${count} recordings`);
  const recordings: Recording[] = [];
  let at = headBytes;
  for (let n = 1; n <= count; n++) {
    const length = at + 4 <= end ? bytes.readUInt32LE(at) : Number.POSITIVE_INFINITY;
    if (at + 4 + length > end) return refused(`recording ${n}, at byte ${at}, is not whole`);
    const part = bytes.subarray(at + 4, at + 4 + length);
    const recording = await decoded(part, `recording ${n}`);
    if (typeof recording === 'string')
      return refused(`recording ${n}, at byte ${at}: ${recording}`);
    recordings.push(recording);
    at += 4 + length;
  }
  if (at !== end) return refused(`${end - at} bytes follow its last recording, at byte ${at}`);
  return { kind: 'recordings', recordings };
}

/** The recording, or why it is none: whoever made the file need not have been this program. */
async function decoded(bytes: Buffer, file: string): Promise<Recording | string> {
  try {
    const recording = await decodeRecording(bytes, { file, sealer: null });
    const { success, error } = shape.safeParse(recording);
    if (success) return recording;
    const [issue] = error.issues;
    return `${issue?.path.join('.')}: ${issue?.message}`;
  } catch (error) {
    return (error as Error).message;
  }
}

const instant = z.number().int().nonnegative();
const endpoint = z.looseObject({ address: z.string(), port: z.number().int().min(0).max(65_535) });
const chunk = z.looseObject({
  from: z.enum(['client', 'server']),
  pos: z.number().int().nonnegative(),
  at: instant,
  bytes: z.instanceof(Uint8Array),
});

/** What readers rely on; further fields are let through. */
const shape = z.looseObject({
  id: z.string().regex(/^[\w-]{1,100}$/),
  kind: z.enum(['boot', 'failure', 'sample']),
  app: z.string().max(200),
  releaseNumber: z.number().int(),
  instanceId: z.string().max(200),
  from: instant,
  to: instant,
  connections: z.array(
    z.looseObject({
      id: z.string(),
      direction: z.enum(['inbound', 'outbound']),
      transport: z.enum(['tcp', 'udp', 'unix-stream', 'unix-datagram']),
      client: endpoint,
      server: endpoint,
      openedAt: instant,
      closedAt: instant.nullable(),
      protocol: z.string().nullable(),
      chunks: z.array(chunk),
      gaps: z.array(
        z.looseObject({
          from: z.enum(['client', 'server']),
          pos: z.number().int().nonnegative(),
          length: z.number().int().nonnegative(),
          reason: z.string(),
        }),
      ),
      carried: z.array(chunk),
    }),
  ),
  triggerExchangeId: z.string().nullable(),
  callExchangeIds: z.array(z.string()),
  causality: z.enum(['exact', 'candidates', 'ambiguous']),
  prefixExchangeIds: z.array(z.string()),
  log: z.array(
    z.looseObject({ at: instant, stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  ),
  exit: z.looseObject({ at: instant }).nullable(),
  route: z.string().nullable(),
  completeness: z.looseObject({
    seenBytes: z.number(),
    totalBytes: z.number(),
    reasons: z.array(z.string()),
  }),
});

function refused(reason: string): { kind: 'refused'; reason: string } {
  return { kind: 'refused', reason };
}

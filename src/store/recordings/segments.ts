/** The outer layer of a recording's file: header, checked segments, trailer. Writer and reader. */
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, crc32, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Sealer } from '../seal.ts';

/** docs/recording-format.md says every byte; change both, and the version, together. */
export const formatVersion = 1;
const magic = Buffer.from([0x89, 0x46, 0x58, 0x52, 0x0d, 0x0a, 0x1a, 0x0a]);
const endMagic = Buffer.from('FXREND\r\n', 'latin1');
const headerBytes = 32;
const segmentHeaderBytes = 16;
const trailerBytes = 24;
const sealedFlag = 1;
const packing = { raw: 0, zstd: 1 } as const;

/** One segment before it is packed. */
export interface Segment {
  kind: number;
  plain: Uint8Array;
}

/** Where a segment lies in its file. */
export interface SegmentPlace {
  kind: number;
  offset: number;
  storedBytes: number;
}

/** A file that is not what was written. `offset` is the first byte that cannot be trusted. */
export class RecordingDamagedError extends Error {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;
  constructor(file: string, offset: number, reason: string, options?: ErrorOptions) {
    super(`The recording ${file} is damaged at byte ${offset}: ${reason}`, options);
    this.name = 'RecordingDamagedError';
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/**
 * Lays out a whole file. `index` makes the last segment from the places of the others. Sealed when
 * there is a sealer, else readable by anybody who has the format's document.
 */
export async function encodeFile(
  segments: Segment[],
  options: { sealer: Sealer | null; index: (places: SegmentPlace[]) => Segment },
): Promise<Buffer> {
  const header = headerOf(options.sealer !== null);
  const parts: Buffer[] = [header];
  const places: SegmentPlace[] = [];
  let offset = headerBytes;
  const append = async (segment: Segment) => {
    const ordinal = places.length;
    const stored = await encodeSegment(segment, { header, ordinal, sealer: options.sealer });
    places.push({ kind: segment.kind, offset, storedBytes: stored.length });
    parts.push(stored);
    offset += stored.length;
  };
  for (const segment of segments) await append(segment);
  const indexOffset = offset;
  await append(options.index(places));
  parts.push(trailerOf(indexOffset, places.length));
  return Buffer.concat(parts);
}

export interface DecodedFile {
  version: number;
  segments: (Segment & SegmentPlace)[];
}

/**
 * Reads a whole file, or with `segmentsMax` only its beginning. Throws `RecordingDamagedError`
 * when anything is missing, changed, or sealed by another key.
 */
export async function decodeFile(
  bytes: Buffer,
  options: { file: string; sealer: Sealer | null; segmentsMax?: number },
): Promise<DecodedFile> {
  const damaged = (offset: number, reason: string, cause?: unknown) =>
    new RecordingDamagedError(options.file, offset, reason, { cause });
  const { version, sealed } = readHeader(bytes, damaged);
  if (sealed && !options.sealer) throw damaged(headerBytes, 'it is sealed and no key is given.');
  const whole = options.segmentsMax === undefined;
  const trailer = whole ? readTrailer(bytes) : null;
  const segmentsMax = options.segmentsMax ?? trailer?.segments ?? Number.MAX_SAFE_INTEGER;
  const segments: DecodedFile['segments'] = [];
  let offset = headerBytes;
  const end = whole && trailer ? bytes.length - trailerBytes : bytes.length;
  while (segments.length < segmentsMax && (whole || offset < end)) {
    if (offset >= end) throw damaged(offset, 'it ends here, before its index.');
    const found = checkSegment(bytes, { offset, end, damaged });
    const context = contextOf(bytes.subarray(0, headerBytes), segments.length, found.header);
    let plain: Buffer;
    try {
      const packed = sealed ? options.sealer!.unseal(found.payload, context) : found.payload;
      plain = await unpack(packed, found);
    } catch (error) {
      throw damaged(offset, 'the segment was sealed by another key, or was changed.', error);
    }
    const storedBytes = segmentHeaderBytes + found.payload.length;
    segments.push({ kind: found.kind, plain, offset, storedBytes });
    offset += storedBytes;
  }
  if (whole && !trailer) throw damaged(offset, 'it ends here, without its trailer.');
  if (trailer && (offset !== end || segments.at(-1)?.offset !== trailer.indexOffset)) {
    throw damaged(bytes.length - trailerBytes, 'the trailer does not fit the segments.');
  }
  return { version, segments };
}

type Damaged = (offset: number, reason: string, cause?: unknown) => RecordingDamagedError;

function headerOf(sealed: boolean): Buffer {
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt16LE(formatVersion, 8);
  header.writeUInt16LE(sealed ? sealedFlag : 0, 10);
  randomBytes(16).copy(header, 12);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  return header;
}

function readHeader(bytes: Buffer, damaged: Damaged): { version: number; sealed: boolean } {
  if (bytes.length < headerBytes) throw damaged(bytes.length, 'it ends within its header.');
  if (!bytes.subarray(0, 8).equals(magic)) throw damaged(0, 'it is not a recording.');
  if (crc32(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) {
    throw damaged(8, 'the checksum of the header is wrong.');
  }
  const version = bytes.readUInt16LE(8);
  if (version > formatVersion) {
    throw damaged(8, `it has format version ${version}, this program knows ${formatVersion}.`);
  }
  return { version, sealed: (bytes.readUInt16LE(10) & sealedFlag) !== 0 };
}

async function encodeSegment(
  { kind, plain }: Segment,
  at: { header: Buffer; ordinal: number; sealer: Sealer | null },
): Promise<Buffer> {
  const pressed = await compress(plain);
  const smaller = pressed.length < plain.length;
  const header = Buffer.alloc(segmentHeaderBytes);
  header.writeUInt8(kind, 8);
  header.writeUInt8(smaller ? packing.zstd : packing.raw, 9);
  header.writeUInt32LE(plain.length, 12);
  const context = contextOf(at.header, at.ordinal, header);
  const packed = smaller ? pressed : plain;
  const payload = at.sealer ? at.sealer.seal(packed, context) : packed;
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload, crc32(header.subarray(8))), 4);
  return Buffer.concat([header, payload]);
}

interface CheckedSegment {
  header: Buffer;
  kind: number;
  packing: number;
  plainBytes: number;
  payload: Buffer;
}

function checkSegment(
  bytes: Buffer,
  at: { offset: number; end: number; damaged: Damaged },
): CheckedSegment {
  const { offset, end, damaged } = at;
  const torn = () => damaged(offset, `it ends within a segment (at ${end}).`);
  if (offset + segmentHeaderBytes > end) throw torn();
  const header = bytes.subarray(offset, offset + segmentHeaderBytes);
  const length = header.readUInt32LE(0);
  const start = offset + segmentHeaderBytes;
  if (start + length > end) throw torn();
  const payload = bytes.subarray(start, start + length);
  if (crc32(payload, crc32(header.subarray(8))) !== header.readUInt32LE(4)) {
    throw damaged(offset, 'the checksum of the segment is wrong.');
  }
  const kind = header.readUInt8(8);
  const plainBytes = header.readUInt32LE(12);
  return { header, kind, packing: header.readUInt8(9), plainBytes, payload };
}

/** What is authenticated with a sealed segment: its file, its place in it, and its own header. */
function contextOf(fileHeader: Buffer, ordinal: number, segmentHeader: Buffer): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(ordinal);
  return Buffer.concat([fileHeader.subarray(0, 28), number, segmentHeader.subarray(8)]);
}

function trailerOf(indexOffset: number, segments: number): Buffer {
  const trailer = Buffer.alloc(trailerBytes);
  trailer.writeBigUInt64LE(BigInt(indexOffset), 0);
  trailer.writeUInt32LE(segments, 8);
  trailer.writeUInt32LE(crc32(trailer.subarray(0, 12)), 12);
  endMagic.copy(trailer, 16);
  return trailer;
}

/** Null when there is none: the file was torn, and the segments say where. */
function readTrailer(bytes: Buffer): { indexOffset: number; segments: number } | null {
  if (bytes.length < headerBytes + trailerBytes) return null;
  const trailer = bytes.subarray(bytes.length - trailerBytes);
  if (!trailer.subarray(16).equals(endMagic)) return null;
  if (crc32(trailer.subarray(0, 12)) !== trailer.readUInt32LE(12)) return null;
  const indexOffset = Number(trailer.readBigUInt64LE(0));
  return { indexOffset, segments: trailer.readUInt32LE(8) };
}

const zstdCompressed = promisify(zstdCompress);
const zstdDecompressed = promisify(zstdDecompress);

async function compress(plain: Uint8Array): Promise<Buffer> {
  return zstdCompressed(plain, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

async function unpack(packed: Buffer, segment: CheckedSegment): Promise<Buffer> {
  if (segment.packing === packing.raw) return packed;
  if (segment.packing !== packing.zstd) throw new Error(`Unknown packing ${segment.packing}.`);
  if (segment.plainBytes === 0) return Buffer.alloc(0);
  return zstdDecompressed(packed, { maxOutputLength: segment.plainBytes });
}

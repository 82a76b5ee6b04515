/** The inner layer of a recording's file: which segments a recording becomes, and back. */
import type { LogLine } from '../../domain/app.ts';
import type { Recording } from '../../domain/recording.ts';
import type { Chunk, Connection, Side } from '../../domain/wire.ts';
import type { Sealer } from '../seal.ts';
import type { DecodedFile, Segment, SegmentPlace } from './segments.ts';
import { decodeFile, encodeFile, RecordingDamagedError } from './segments.ts';

/** docs/recording-format.md names them. Never reuse a number. */
const kinds = { head: 1, connections: 2, bytes: 3, log: 4, index: 5 } as const;
const blockBytes = 1 << 20;
const logLinesPerSegment = 4096;
const sides: readonly Side[] = ['client', 'server'];
const lists = ['chunks', 'carried'] as const;

export type RecordingHead = Omit<Recording, 'connections' | 'log'>;
type ConnectionHead = Omit<Connection, 'chunks' | 'carried'>;

/** Connection, list, side, position, instant, length: one chunk in the table of a bytes segment. */
type ChunkEntry = [
  connection: number,
  list: number,
  side: number,
  pos: number,
  at: number,
  length: number,
];

interface Index {
  segments: [kind: number, offset: number, storedBytes: number][];
  connections: number;
  chunks: number;
  bytes: number;
  logLines: number;
}

/** A recording as one file; sealed when there is a sealer. */
export async function encodeRecording(
  recording: Recording,
  sealer: Sealer | null,
): Promise<Buffer> {
  const { connections, log, ...head } = recording;
  const heads = connections.map(({ chunks: _, carried: __, ...rest }) => rest);
  const segments: Segment[] = [
    { kind: kinds.head, plain: json(head) },
    { kind: kinds.connections, plain: json(heads) },
    ...byteSegments(connections),
    ...logSegments(log),
  ];
  const all = connections.flatMap((connection) => lists.flatMap((list) => connection[list]));
  const index = (places: SegmentPlace[]): Segment => {
    const content: Index = {
      segments: places.map((place) => [place.kind, place.offset, place.storedBytes]),
      connections: connections.length,
      chunks: all.length,
      bytes: all.reduce((sum, chunk) => sum + chunk.bytes.length, 0),
      logLines: log.length,
    };
    return { kind: kinds.index, plain: json(content) };
  };
  return encodeFile(segments, { sealer, index });
}

/** The recording of a file. Throws `RecordingDamagedError`. `file` names it in errors. */
export async function decodeRecording(
  bytes: Buffer,
  options: { file: string; sealer: Sealer | null },
): Promise<Recording> {
  const decoded = await decodeFile(bytes, options);
  const read = readers[decoded.version];
  if (!read) {
    const reason = `format version ${decoded.version} is not known.`;
    throw new RecordingDamagedError(options.file, 8, reason);
  }
  return read(decoded, options.file);
}

/** Only what the first segment says: enough for a list, from the first bytes of a file. */
export async function decodeHead(
  bytes: Buffer,
  options: { file: string; sealer: Sealer | null },
): Promise<RecordingHead> {
  const { segments } = await decodeFile(bytes, { ...options, segmentsMax: 1 });
  return parse<RecordingHead>(segments[0]!);
}

/** A later version of the format adds its reader here; the older ones stay. */
const readers: Record<number, (decoded: DecodedFile, file: string) => Recording> = {
  1: readVersion1,
};

function readVersion1(decoded: DecodedFile, file: string): Recording {
  const damaged = (offset: number, reason: string) =>
    new RecordingDamagedError(file, offset, reason);
  const [first, second, ...others] = decoded.segments;
  if (first?.kind !== kinds.head || second?.kind !== kinds.connections) {
    throw damaged(32, 'its first segments are not the head and the connections.');
  }
  const connections = parse<ConnectionHead[]>(second).map(
    (head): Connection => ({ ...head, chunks: [], carried: [] }),
  );
  const log: LogLine[] = [];
  const counts = { chunks: 0, bytes: 0 };
  let index: Index | null = null;
  for (const segment of others) {
    if (segment.kind === kinds.bytes) readBytes(segment, connections, counts, damaged);
    if (segment.kind === kinds.log) log.push(...readLog(segment));
    if (segment.kind === kinds.index) index = parse<Index>(segment);
  }
  const last = decoded.segments.at(-1)!;
  const counted = index?.connections === connections.length && index.logLines === log.length;
  if (!counted || index?.chunks !== counts.chunks || index.bytes !== counts.bytes) {
    throw damaged(last.offset, 'its index does not fit what it holds.');
  }
  return { ...parse<RecordingHead>(first), connections, log };
}

/** Chunks in blocks of about 1 MiB; one chunk is never cut. */
function* byteSegments(connections: Connection[]): Generator<Segment> {
  let entries: ChunkEntry[] = [];
  let parts: Uint8Array[] = [];
  let size = 0;
  const block = (): Segment => {
    const table = json(entries);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(table.length);
    return { kind: kinds.bytes, plain: Buffer.concat([length, table, ...parts]) };
  };
  for (const [number, connection] of connections.entries()) {
    for (const [listNumber, list] of lists.entries()) {
      for (const { from, pos, at, bytes } of connection[list]) {
        entries.push([number, listNumber, sides.indexOf(from), pos, at, bytes.length]);
        parts.push(bytes);
        size += bytes.length + 32;
        if (size < blockBytes) continue;
        yield block();
        entries = [];
        parts = [];
        size = 0;
      }
    }
  }
  if (entries.length > 0) yield block();
}

function readBytes(
  segment: DecodedFile['segments'][number],
  connections: Connection[],
  counts: { chunks: number; bytes: number },
  damaged: (offset: number, reason: string) => RecordingDamagedError,
): void {
  const plain = Buffer.from(segment.plain.buffer, segment.plain.byteOffset, segment.plain.length);
  const start = 4 + plain.readUInt32LE(0);
  const entries: ChunkEntry[] = JSON.parse(plain.toString('utf8', 4, start));
  let offset = start;
  for (const [number, listNumber, side, pos, at, length] of entries) {
    const list = lists[listNumber];
    const from = sides[side];
    const connection = connections[number];
    if (!connection || !list || !from || offset + length > plain.length) {
      throw damaged(segment.offset, 'a chunk of the segment belongs to nothing.');
    }
    const chunk: Chunk = {
      from,
      pos,
      at,
      bytes: new Uint8Array(plain.subarray(offset, offset + length)),
    };
    connection[list].push(chunk);
    offset += length;
    counts.chunks += 1;
    counts.bytes += length;
  }
}

function* logSegments(log: LogLine[]): Generator<Segment> {
  for (let start = 0; start < log.length; start += logLinesPerSegment) {
    const lines = log.slice(start, start + logLinesPerSegment);
    const plain = json(lines.map((line) => [line.at, line.stream, line.text]));
    yield { kind: kinds.log, plain };
  }
}

function readLog(segment: Segment): LogLine[] {
  const lines = parse<[number, LogLine['stream'], string][]>(segment);
  return lines.map(([at, stream, text]) => ({ at, stream, text }));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function parse<T>(segment: Segment): T {
  return JSON.parse(Buffer.from(segment.plain).toString('utf8'));
}

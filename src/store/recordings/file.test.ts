/** What is written comes back equal, and what was changed on disk is never taken for whole. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Recording } from '../../domain/recording.ts';
import type { Chunk, Connection, GapReason } from '../../domain/wire.ts';
import { sealerOf } from '../seal.ts';
import { decodeHead, decodeRecording, encodeRecording } from './file.ts';
import { RecordingDamagedError } from './segments.ts';

const file = '/data/recordings/r1.fixrec';
const sealer = sealerOf(Buffer.alloc(32, 7));

describe('a recording as a file', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    it(`comes back equal (seed ${seed})`, async () => {
      const random = randomOf(seed);
      const recording = makeRecording(random);
      const by = random(2) === 0 ? sealer : null;
      const bytes = await encodeRecording(recording, by);
      expect(await decodeRecording(bytes, { file, sealer: by })).toEqual(recording);
      const { connections: _, log: __, ...head } = recording;
      expect(await decodeHead(bytes, { file, sealer: by })).toEqual(head);
      // Decoding again what was decoded and encoded again: nothing depends on the first reader.
      const again = await encodeRecording(await decodeRecording(bytes, { file, sealer: by }), by);
      expect(await decodeRecording(again, { file, sealer: by })).toEqual(recording);
    });
  }

  it('holds a large body in more than one block', async () => {
    const recording = makeRecording(randomOf(5));
    const body = randomBytes(5 << 20);
    const chunks = [0, 1, 2, 3, 4].map(
      (n): Chunk => ({
        from: 'server',
        pos: n << 20,
        at: 5 + n,
        bytes: new Uint8Array(body.subarray(n << 20, (n + 1) << 20)),
      }),
    );
    recording.connections = [{ ...makeConnection(randomOf(2)), chunks, carried: [] }];
    const bytes = await encodeRecording(recording, sealer);
    const back = await decodeRecording(bytes, { file, sealer });
    const joined = Buffer.concat(back.connections[0]!.chunks.map((chunk) => chunk.bytes));
    expect(sha256(joined)).toBe(sha256(body));
  });

  it('shows nothing of what it holds when it is sealed', async () => {
    const recording = makeRecording(randomOf(3));
    recording.log = [{ at: 1, stream: 'stderr', text: 'hunter2-hunter2' }];
    expect((await encodeRecording(recording, sealer)).includes('hunter2')).toBe(false);
    expect((await encodeRecording(recording, null)).includes('hunter2')).toBe(true);
  });
});

describe('a damaged file', () => {
  it('is noticed wherever it was torn', async () => {
    const bytes = await encodeRecording(makeRecording(randomOf(11)), sealer);
    const cuts = [...cutsOf(bytes.length)];
    for (const length of cuts) {
      const error = await decodeRecording(bytes.subarray(0, length), { file, sealer }).catch(
        (caught) => caught,
      );
      expect(error, `cut at ${length}`).toBeInstanceOf(RecordingDamagedError);
      expect(error.file).toBe(file);
      expect(error.offset).toBeLessThanOrEqual(length);
      expect(error.message).toContain(`${file} is damaged at byte ${error.offset}`);
    }
  });

  it('is noticed whichever byte was changed, sealed or not', async () => {
    for (const by of [sealer, null]) {
      const bytes = await encodeRecording(makeRecording(randomOf(12)), by);
      for (const at of cutsOf(bytes.length)) {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ 0x10;
        const error = await decodeRecording(changed, { file, sealer: by }).catch(
          (caught) => caught,
        );
        expect(error, `byte ${at} of ${bytes.length}`).toBeInstanceOf(RecordingDamagedError);
        // Everything before the place that it names was as written.
        expect(error.offset).toBeLessThanOrEqual(at);
      }
    }
  });

  it('does not take a segment of another file, though sealed with the same key', async () => {
    const recording = makeRecording(randomOf(13));
    const [one, two] = [
      await encodeRecording(recording, sealer),
      await encodeRecording(recording, sealer),
    ];
    const mixed = Buffer.concat([one.subarray(0, 32), two.subarray(32)]);
    await expect(decodeRecording(mixed, { file, sealer })).rejects.toThrow(/another key/);
  });

  it('says when the key is wrong or missing, and when the version is newer', async () => {
    const bytes = await encodeRecording(makeRecording(randomOf(14)), sealer);
    const other = sealerOf(Buffer.alloc(32, 8));
    await expect(decodeRecording(bytes, { file, sealer: other })).rejects.toThrow(/another key/);
    await expect(decodeRecording(bytes, { file, sealer: null })).rejects.toThrow(/no key is given/);
    await expect(decodeRecording(Buffer.from('{}'), { file, sealer })).rejects.toThrow(/header/);
    const text = Buffer.alloc(200, 'a');
    await expect(decodeRecording(text, { file, sealer })).rejects.toThrow(/is not a recording/);
  });
});

type Random = (below: number) => number;

/** A linear congruential generator (Numerical Recipes): the same seed, the same recording. */
function randomOf(seed: number): Random {
  let state = seed * 2_654_435_761;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function makeRecording(random: Random): Recording {
  const text = () => makeText(random);
  const log = Array.from({ length: random(8) === 0 ? 5000 : random(6) }, (_, index) => ({
    at: 1_700_000_000_000_000 + index,
    stream: random(2) === 0 ? ('stdout' as const) : ('stderr' as const),
    text: text(),
  }));
  return {
    id: `r${random(1000)}`,
    kind: (['boot', 'failure', 'sample'] as const)[random(3)]!,
    app: 'app',
    releaseNumber: random(100),
    instanceId: text(),
    from: 1_700_000_000_000_000,
    to: Number.MAX_SAFE_INTEGER,
    connections: Array.from({ length: random(5) }, () => makeConnection(random)),
    triggerExchangeId: random(2) === 0 ? null : text(),
    callExchangeIds: [text(), text()],
    causality: random(2) === 0 ? 'exact' : 'candidates',
    prefixExchangeIds: [],
    log,
    exit: random(2) === 0 ? null : { at: 3, code: null, signal: 9, oomKilled: true },
    route: random(2) === 0 ? null : text(),
    completeness: { seenBytes: random(1e6), totalBytes: random(1e6), reasons: [text()] },
  };
}

function makeConnection(random: Random): Connection {
  const chunk = (): Chunk => ({
    from: random(2) === 0 ? 'client' : 'server',
    pos: random(3) === 0 ? Number.MAX_SAFE_INTEGER : random(1e9),
    at: random(2 ** 31),
    bytes: Uint8Array.from({ length: random(4) === 0 ? 0 : random(4000) }, () => random(256)),
  });
  const gap = { from: 'client' as const, pos: 7, length: 3, reason: 'ring-full' as GapReason };
  return {
    id: makeText(random),
    direction: random(2) === 0 ? 'inbound' : 'outbound',
    transport: random(2) === 0 ? 'tcp' : 'udp',
    client: { address: '::1', port: random(65_536) },
    server: { address: '10.0.0.1', port: 5432 },
    openedAt: 0,
    closedAt: random(2) === 0 ? null : 5,
    protocol: random(2) === 0 ? null : 'http1',
    chunks: Array.from({ length: random(12) }, chunk),
    gaps: Array.from({ length: random(2) }, () => gap),
    carried: Array.from({ length: random(3) }, chunk),
  };
}

function makeText(random: Random): string {
  const units = Array.from({ length: random(20) }, () =>
    random(3) === 0 ? random(65_536) : random(128),
  );
  return String.fromCharCode(...units);
}

/** Every place near the beginning and the end, and some between. */
function* cutsOf(length: number): Generator<number> {
  for (let at = 0; at < Math.min(length, 96); at += 1) yield at;
  for (let at = 96; at < length - 64; at += 997) yield at;
  for (let at = Math.max(96, length - 64); at < length; at += 1) yield at;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

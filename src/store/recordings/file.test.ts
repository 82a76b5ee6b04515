/** What is written comes back equal, and what was changed on disk is never taken for whole. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Chunk } from '../../domain/wire.ts';
import { sealerOf } from '../seal.ts';
import { makeConnection, makeRecording, randomOf } from './fake-recording.ts';
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

/** Every place near the beginning and the end, and some between. */
function* cutsOf(length: number): Generator<number> {
  for (let at = 0; at < Math.min(length, 96); at += 1) yield at;
  for (let at = 96; at < length - 64; at += 997) yield at;
  for (let at = Math.max(96, length - 64); at < length; at += 1) yield at;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

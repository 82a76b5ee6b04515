/** What is exported comes back as it was; what was cut, changed or made up is refused, and says where. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Recording } from '../../domain/recording.ts';
import { makeConnection, makeRecording, randomOf } from './fake-recording.ts';
import { fromPortable, toPortable } from './portable.ts';

function madeOf(seed: number): Recording {
  return { ...makeRecording(randomOf(seed)), id: `r-${seed}` };
}

/** With a checksum that fits: whoever makes up a file can do that, too. */
function resealed(content: Buffer): Buffer {
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

it('comes back as it was', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const recordings = [madeOf(seed), madeOf(seed + 100)].slice(0, 1 + (seed % 2));
    const read = await fromPortable(await toPortable(recordings));
    expect(read).toEqual({ kind: 'recordings', recordings });
  }
});

it('is refused when it was cut off anywhere', async () => {
  const whole = await toPortable([madeOf(3)]);
  for (let length = 0; length < whole.length; length += length < 100 ? 1 : 37) {
    expect((await fromPortable(whole.subarray(0, length))).kind).toBe('refused');
    const read = await fromPortable(resealed(whole.subarray(0, length)));
    expect(read.kind, `${length} bytes with a checksum that fits`).toBe('refused');
  }
  const longer = await fromPortable(resealed(Buffer.concat([whole.subarray(0, -32), whole])));
  expect(longer).toMatchObject({ reason: expect.stringContaining('follow its last recording') });
});

it('is refused when a byte was changed, also with a checksum that fits', async () => {
  const whole = await toPortable([madeOf(4)]);
  const random = randomOf(5);
  for (let n = 0; n < 300; n++) {
    const bytes = Buffer.from(whole);
    const at = random(bytes.length - 32);
    bytes[at]! ^= 1 << random(8);
    expect(await fromPortable(bytes)).toMatchObject({ kind: 'refused' });
    expect(await fromPortable(resealed(bytes.subarray(0, -32)))).toMatchObject({ kind: 'refused' });
  }
});

it('is refused when it is whole and says what no recording says', async () => {
  const lies: Record<string, unknown>[] = [
    { id: '../../etc/passwd' },
    { kind: 'spy' },
    { app: 7 },
    { connections: [{ ...makeConnection(randomOf(1)), direction: 'up' }] },
    { log: [{ at: 0, stream: 'stdout', text: 3 }] },
    { completeness: null },
    { callExchangeIds: 'x' },
  ];
  for (const lie of lies) {
    const bytes = await toPortable([{ ...madeOf(2), ...lie } as Recording]);
    const [field = ''] = Object.keys(lie);
    const read = await fromPortable(bytes);
    expect(read).toMatchObject({ kind: 'refused', reason: expect.stringContaining(field) });
  }
});

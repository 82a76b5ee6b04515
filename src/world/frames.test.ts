// Messages between replayer and world arrive whole, however the stream is cut.
import { expect, it } from 'vitest';
import { encodeFrame, FrameReader } from './frames.ts';

it('gives the same messages for every way to cut the stream', () => {
  const messages = [
    { kind: 'up' },
    { bytes: new Uint8Array([0, 1, 255]), nothing: undefined, none: null },
    { text: 'ü'.repeat(300), list: [1.5, -1, 2 ** 53 - 1] },
  ];
  const stream = Buffer.concat(messages.map(encodeFrame));
  for (let size = 1; size <= stream.length; size += size < 20 ? 1 : 37) {
    const heard: unknown[] = [];
    const reader = new FrameReader((message) => heard.push(message));
    for (let at = 0; at < stream.length; at += size) reader.push(stream.subarray(at, at + size));
    expect(heard.length).toBe(messages.length);
    expect(JSON.stringify(heard)).toBe(JSON.stringify(messages));
    expect((heard[1] as { bytes: Uint8Array }).bytes).toBeInstanceOf(Uint8Array);
  }
});

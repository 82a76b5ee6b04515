// Failures that come after the answer are waited for as long as they took.
import { expect, it } from 'vitest';
import type { Recording } from '../domain/recording.ts';
import { connection, httpAnswer, httpRequest, recordedAt, recording } from './fake-recording.ts';
import { waitFor } from './lateness.ts';

const inbound = connection({
  ...{ id: 'in', direction: 'inbound', server: { address: '172.30.0.5', port: 3000 } },
  talk: [
    ['>', httpRequest('GET /x')],
    ['<', httpAnswer({})],
  ],
});
const answeredAt = recordedAt + 2000;
const waited = (over: Partial<Recording>) =>
  waitFor(recording([inbound], { trigger: 'in', ...over }));
const line = (lateMs: number, text: string) =>
  ({ at: answeredAt + lateMs * 1000, stream: 'stderr', text }) as const;
const exit = (lateMs: number) =>
  ({ at: answeredAt + lateMs * 1000, code: 1, signal: null, oomKilled: false }) as const;

it('waits for a late end and for a late trace', () => {
  expect(waited({ exit: exit(400) })).toBe(1200);
  expect(waited({ log: [line(900, '    at f (/app/a.js:1:2)')] })).toBe(2700);
  expect(waited({ exit: exit(60_000) })).toBe(10_000);
});

it('waits for nothing that came before, or says nothing', () => {
  expect(waited({ log: [line(-1, '    at f (/app/a.js:1:2)'), line(900, 'ready')] })).toBe(0);
  expect(waited({})).toBe(0);
  expect(waited({ exit: exit(-1) })).toBe(0);
  expect(waitFor(recording([inbound], { exit: exit(400) }))).toBe(0);
});

// A recording leaves one platform as a file and comes into another, where it says the same; and as HAR.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Imported, IssueDetail, Recording, RecordingText } from '../src/api/contract.ts';
import { type Platform, startPlatform, until } from './parts/platform.ts';
import { shelf } from './parts/shelf.ts';

const app = 'shelf';
const settings = { FIXPOINT_FIX_AUTOMATIC: 'no' };
const files = mkdtempSync(join(tmpdir(), 'fixpoint-transfer-'));
const file = join(files, 'failure.fixport');
let here: Platform;
let there: Platform;
let id: string;

beforeAll(async () => {
  here = await startPlatform({ settings });
  const folder = await here.repositoryOf(shelf);
  await here.json('apps', 'create', app);
  const pushed = await here.push(folder, app);
  expect(pushed.code, pushed.stderr).toBe(0);
  expect((await here.ask(app, 'GET', '/rooms/7/?token=tok-very-secret')).status).toBe(500);
  const issue = await until(() => here.get<IssueDetail>('/issues/1').catch(() => null), {
    timeoutMs: 20_000,
    says: 'the failure has no issue',
  });
  id = issue.recording!.recording.id;
  there = await startPlatform({ settings });
});

afterAll(async () => {
  await Promise.all([here?.stop(), there?.stop()]);
  rmSync(files, { recursive: true, force: true });
});

describe('a recording of another server', () => {
  it('leaves only when the caller knows that secrets are in it', async () => {
    const refused = await here.cli('record', 'export', id, '--format', 'portable', '-o', file);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--with-secrets') });
    const done = await here.json<{ bytes: number }>(
      ...['record', 'export', id, '--format', 'portable', '--with-secrets', '-o', file],
    );
    expect(readFileSync(file)).toHaveLength(done.bytes);
  });

  it('is refused without its app, and when the file was changed', async () => {
    const missing = await there.cli('record', 'import', file);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('no app shelf') });
    await there.json('apps', 'create', app);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    const changed = join(files, 'changed');
    writeFileSync(changed, bytes);
    const refused = await there.cli('record', 'import', changed);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('checksum') });
    expect(await there.get('/recordings')).toEqual({ recordings: [] });
  });

  it('comes in with its start and says the same, once', async () => {
    const { recordings } = await there.json<Imported>('record', 'import', file);
    expect(recordings).toHaveLength(2);
    expect(recordings[0]).toEqual({ id, from: id, app, known: false, replayable: false });
    for (const each of recordings) {
      const [before, after] = [await shown(here, each.id), await shown(there, each.id)];
      const { storedBytes: _, ...summary } = before.recording;
      expect(after).toMatchObject({ ...before, recording: summary });
    }
    const again = await there.json<Imported>('record', 'import', file);
    expect(again.recordings.every(({ known }) => known)).toBe(true);
    const all = await there.get<{ recordings: Recording[] }>('/recordings');
    expect(all.recordings).toHaveLength(2);
    expect((await there.cli('record', 'show', id.slice(0, 8))).stdout).toContain('GET /rooms/7');
  });

  it('is HAR for others, redacted', async () => {
    const { stdout, code } = await there.cli('record', 'export', id.slice(0, 8));
    expect(code).toBe(0);
    expect(stdout).not.toContain('tok-very-secret');
    const { log } = JSON.parse(stdout);
    expect(log.version).toBe('1.2');
    const failed = log.entries.filter((each: { response: { status: number } }) => {
      return each.response.status === 500;
    });
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({
      request: { method: 'GET', url: expect.stringContaining('/rooms/7') },
      comment: 'the request that the recording is about',
    });
    const unknown = await there.cli('record', 'export', 'ffffffff');
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('no recording') });
    expect((await there.cli('record', 'export', id, '--format', 'pdf')).code).toBe(2);
  });
});

function shown(platform: Platform, recording: string): Promise<RecordingText> {
  return platform.get(`/recordings/${recording}`);
}

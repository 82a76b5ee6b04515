/** The API on a real store: who may ask, what is shown of what was recorded, and long work. */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestStore } from '../store/fake.ts';
import type { Store } from '../store/store.ts';
import { issueDetail } from './contract.ts';
import type { Planted } from './fake.ts';
import { fakeApi, fakeToken, plant } from './fake.ts';
import type { RunningApi } from './server.ts';
import { buildApi, startApi } from './server.ts';
import { loadToken } from './token.ts';

let store: Store;
let planted: Planted;
let api: RunningApi;
let fake: ReturnType<typeof fakeApi>;
let inject: Awaited<ReturnType<typeof buildApi>>['inject'];

beforeAll(async () => {
  store = await openTestStore();
  planted = await plant(store, 'shop');
  fake = fakeApi(store);
  api = await startApi({ ...fake.options, host: '127.0.0.1', port: 0 });
  const server = await buildApi(fake.options);
  inject = server.inject.bind(server) as typeof inject;
});
afterAll(async () => {
  await api?.close();
  await store?.close();
});

const bearer = { authorization: `Bearer ${fakeToken}` };

async function get(url: string, headers: Record<string, string> = bearer) {
  const response = await inject({ method: 'GET', url: `/api/v1${url}`, headers });
  return { status: response.statusCode, body: response.json(), text: response.body };
}

async function call(method: 'POST' | 'PATCH', url: string, payload: object = {}) {
  const headers = bearer;
  const response = await inject({ method, url: `/api/v1${url}`, headers, payload });
  return { status: response.statusCode, body: response.json(), text: response.body };
}

async function linesOf(method: 'POST' | 'PATCH', url: string, payload: object = {}) {
  const headers = { ...bearer, 'content-type': 'application/json' };
  const body = JSON.stringify(payload);
  const response = await fetch(`${api.url}/api/v1${url}`, { method, headers, body });
  expect(response.headers.get('content-type')).toContain('application/x-ndjson');
  return (await response.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('who may ask', () => {
  it('is told by the token', async () => {
    for (const headers of [{}, { authorization: 'Bearer no' }, { authorization: fakeToken }]) {
      const { status, body } = await get('/apps', headers as Record<string, string>);
      expect(status).toBe(401);
      expect(body.error).toEqual({ code: 'unauthorized', message: expect.any(String) });
    }
    expect((await get('/apps')).status).toBe(200);
  });

  it('has a token file that others cannot read, and that stays the same', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fixpoint-test-token-'));
    try {
      const [one, two] = await Promise.all([loadToken(folder), loadToken(folder)]);
      expect(one).toMatch(/^fp_[\w-]{32}$/);
      expect(two).toBe(one);
      expect(await loadToken(folder)).toBe(one);
      expect((await stat(join(folder, 'token'))).mode & 0o777).toBe(0o600);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('reading', () => {
  it('lists apps with where to push', async () => {
    const { body } = await get('/apps');
    expect(body.apps).toEqual([
      {
        name: 'shop',
        degradations: [],
        defaultBranch: 'main',
        createdAt: expect.any(Number),
        gitUrl: 'http://127.0.0.1:7070/git/shop.git',
        url: 'http://shop.localhost:8080',
        serving: expect.objectContaining({ status: 'serving', releaseNumber: 1 }),
      },
    ]);
  });

  it('tells an issue in full, by its own contract, without a planted secret', async () => {
    const { body, text } = await get(`/issues/${planted.issue.id}`);
    const detail = issueDetail.parse(body);
    expect(detail.occurrences).toHaveLength(1);
    expect(detail.recording?.calls.map((call) => call.protocol)).toEqual(['postgres', 'http1']);
    expect(detail.attempts.map((attempt) => attempt.verdict?.kind)).toEqual([
      'rejected',
      'verified',
    ]);
    expect(detail.changes[0]?.id).toBe(planted.change.id);
    expect(text).not.toContain('planted-secret');
    expect(text).toContain('[redacted');
    // The repository's own text is no secret of a user.
    expect(text).toContain('password: not a secret here');
  });

  it('says why a recording cannot be shown, and shows the rest', async () => {
    const { issue } = await plant(store, 'torn');
    const broken = fakeApi({
      ...store,
      recordings: {
        ...store.recordings,
        load: () => Promise.reject(new Error('The recording x is damaged at byte 9: torn')),
      },
    });
    const server = await buildApi(broken.options);
    const url = `/api/v1/issues/${issue.id}`;
    const detail = (await server.inject({ method: 'GET', url, headers: bearer })).json();
    expect(detail.recording).toBeNull();
    expect(detail.recordingProblem).toContain('damaged at byte 9');
    expect(detail.attempts).toHaveLength(2);
  });

  it('answers 404 and 400 in one form', async () => {
    expect(await get('/issues/9999')).toMatchObject({
      status: 404,
      body: { error: { code: 'not-found', message: 'There is no issue 9999.' } },
    });
    expect(await get('/nothing')).toMatchObject({ status: 404, body: { error: {} } });
    expect(await get('/issues/x')).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid' } },
    });
    expect((await get('/issues?status=odd')).body.error.message).toMatch(/status/);
    expect((await call('POST', '/apps', { name: 'Bad Name' })).body.error.message).toMatch(
      /letters/,
    );
    expect((await call('POST', '/apps', { nam: 'x' })).status).toBe(400);
    expect((await call('POST', '/apps', { name: 'shop' })).status).toBe(409);
  });

  it('hides the details of a failure of its own only from the status, not from the log', async () => {
    const errors: unknown[] = [];
    const failing = fakeApi(store, { status: () => Promise.reject(new Error('password=hunter2')) });
    failing.options.logger = { ...failing.options.logger, error: (...all) => errors.push(all) };
    const server = await buildApi(failing.options);
    const response = await server.inject({ method: 'GET', url: '/api/v1/status', headers: bearer });
    expect(response.statusCode).toBe(500);
    expect(response.body + JSON.stringify(errors)).not.toContain('hunter2');
    expect(errors).toHaveLength(1);
  });

  it('masks configuration unless it is asked to reveal it', async () => {
    await store.env.set('shop', { DATABASE_URL: 'postgres://a:b@db/x' });
    expect((await get('/apps/shop/env')).body.values).toEqual({ DATABASE_URL: '********' });
    const { body } = await get('/apps/shop/env?reveal=1');
    expect(body.values).toEqual({ DATABASE_URL: 'postgres://a:b@db/x' });
  });
});

describe('long work', () => {
  it('says what goes on, then the result', async () => {
    const lines = await linesOf('POST', `/issues/${planted.issue.id}/reproduce`);
    expect(lines.map((line) => line.kind)).toEqual(['progress', 'progress', 'progress', 'result']);
    expect(lines.at(-1).result.kind).toBe('reproduced');
    expect(JSON.stringify(lines)).not.toContain('planted-secret');
  });

  it('ends with an error when it is refused or fails', async () => {
    const { issue } = await plant(store, 'bare');
    await store.reproductions.forget(issue.id);
    const [, , , last] = await linesOf('POST', `/issues/${issue.id}/reproduce`);
    expect(last).toEqual({
      kind: 'error',
      error: { code: 'unavailable', message: 'Not in this test.' },
    });
    const missing = await call('POST', '/issues/9999/fix');
    expect(missing.status).toBe(404);
  });

  it('merges by the issue or by the change request', async () => {
    const { issue, change } = await plant(store, 'merges');
    const lines = await linesOf('POST', `/issues/${issue.id}/merge`);
    expect(lines.at(-1).result).toMatchObject({ kind: 'merged', change: { id: change.id } });
    expect((await call('POST', `/issues/${issue.id}/merge`)).status).toBe(409);
    const again = await linesOf('POST', `/changes/${change.id}/merge`);
    expect(again.at(-1).result.kind).toBe('not-open');
    await store.changes.update(change.id, { status: 'open' });
    const closed = await call('POST', `/changes/${change.id}/close`, { comment: 'no' });
    expect(closed.body.change.status).toBe('closed');
    expect(fake.asked).toContainEqual(['closeChange', change.id, 'no']);
  });

  it('follows logs until whoever asked goes', async () => {
    const leaving = new AbortController();
    const url = `${api.url}/api/v1/apps/shop/logs?follow=1`;
    const response = await fetch(url, { headers: bearer, signal: leaving.signal });
    const reader = response.body!.getReader();
    let text = '';
    while (!text.includes('red')) text += Buffer.from((await reader.read()).value!).toString();
    expect(text).not.toContain('planted-secret');
    expect(fake.asked).not.toContainEqual(['logs ended']);
    leaving.abort();
    while (!fake.asked.some(([what]) => what === 'logs ended')) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});

describe('git', () => {
  const url = (path: string) => `${api.url}/git/${path}`;
  const basic = (text: string) => ({
    authorization: `Basic ${Buffer.from(text).toString('base64')}`,
  });

  it('asks for the token in the way that git understands', async () => {
    const response = await fetch(url('shop.git/info/refs?service=git-receive-pack'));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic /);
    const wrong = await fetch(url('shop.git/info/refs'), { headers: basic('x:y') });
    expect(wrong.status).toBe(401);
  });

  it('hands the request on untouched, with who pushes', async () => {
    for (const [login, user] of [
      [`${fakeToken}:`, 'token'],
      [`alice:${fakeToken}`, 'alice'],
    ] as const) {
      const response = await fetch(url('shop.git/info/refs?service=git-receive-pack'), {
        headers: basic(login),
      });
      expect(await response.json()).toEqual({
        app: 'shop',
        user,
        path: '/info/refs?service=git-receive-pack',
      });
    }
    // Larger than any limit of the API, chunked, and of a type that it would parse elsewhere.
    const size = 3 << 20;
    const sent = request(url('shop.git/git-receive-pack'), {
      method: 'POST',
      headers: { ...basic(`${fakeToken}:`), 'content-type': 'application/json' },
    });
    for (let part = 0; part < 3; part += 1) sent.write(Buffer.alloc(size / 3, '{'));
    sent.end();
    const status = await new Promise((resolve) => {
      sent.on('response', (response) => resolve(response.resume().statusCode));
    });
    expect(status).toBe(200);
    const target = { app: 'shop', user: 'token', path: '/git-receive-pack' };
    expect(fake.asked).toContainEqual(['git', 'POST', target, size]);
  });

  it('tells whoever pushes to no app how to make it', async () => {
    const response = await fetch(url('nope.git/info/refs'), { headers: basic(`${fakeToken}:`) });
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('fixpoint apps create nope');
  });
});

describe('a port in use', () => {
  it('is named, with the setting that changes it', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      await expect(startApi({ ...fake.options, host: '127.0.0.1', port })).rejects.toThrow(
        `Port ${port} on 127.0.0.1 is in use: stop what uses it, or set api.port (--api-port`,
      );
    } finally {
      other.close();
    }
  });
});

/** HAR 1.2 as its readers want it, with nothing in it that is secret. */
import { expect, it } from 'vitest';
import { connection, httpAnswer, httpRequest, recording } from '../replay/fake-recording.ts';
import { harOf } from './har.ts';

const secrets = ['hunter2', 'tok-9f8e7d', 'sess-1234', 'ada@example.com'];

function recorded() {
  const ask = httpRequest(
    'POST /login?token=tok-9f8e7d&page=2',
    'shop.example',
    '{"password":"hunter2"}',
  );
  const asked = ask.replace('\r\n', '\r\nCookie: sid=sess-1234\r\nX-Api-Key: tok-9f8e7d\r\n');
  const binary = Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n'),
    Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  ]);
  const web = connection({
    id: 'c1',
    direction: 'inbound',
    server: { address: '172.30.0.5', port: 3000 },
    talk: [
      ['>', asked],
      ['<', httpAnswer({ email: 'ada@example.com' }, '500 Oops')],
    ],
  });
  const api = connection({
    id: 'c2',
    server: { address: '10.0.0.9', port: 80 },
    talk: [
      ['>', httpRequest('GET /logo')],
      ['<', binary],
    ],
  });
  return recording([web, api], { trigger: 'c1' });
}

it('holds the exchanges with their parts', () => {
  const { log } = harOf(recorded(), { boot: null, version: '1.0' });
  expect(log).toMatchObject({ version: '1.2', creator: { name: 'Fixpoint', version: '1.0' } });
  const [trigger, call] = log.entries;
  expect(trigger).toMatchObject({
    request: { method: 'POST', httpVersion: 'HTTP/1.1' },
    response: { status: 500, statusText: 'Oops' },
    comment: 'the request that the recording is about',
  });
  expect(trigger!.request.queryString).toContainEqual({ name: 'page', value: '2' });
  expect(new URL(trigger!.request.url).pathname).toBe('/login');
  expect(Number.isNaN(Date.parse(trigger!.startedDateTime))).toBe(false);
  expect(call).toMatchObject({ request: { method: 'GET' }, comment: 'a call of it' });
  expect(call!.response.content).toEqual({
    ...{ size: 4, mimeType: 'image/png', comment: '4 bytes that are no text are left out' },
  });
  for (const { time, timings } of log.entries) {
    expect(time).toBe(timings.send + timings.wait + timings.receive);
  }
});

it('holds no secret', () => {
  const text = JSON.stringify(harOf(recorded(), { boot: null, version: '1.0' }));
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
});

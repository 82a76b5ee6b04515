import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { createApp } from '../app.js';

const server = createApp();
let url;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test('answers the rate of a known currency, in either case', async () => {
  const response = await fetch(`${url}/rates/usd`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { base: 'EUR', currency: 'USD', rate: 1.09 });
});

test('answers 404 for a currency that it does not know', async () => {
  const response = await fetch(`${url}/rates/XXX`);
  assert.equal(response.status, 404);
});

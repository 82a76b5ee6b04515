const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { createApp } = require('../src/app');
const { Inbox } = require('../src/inbox');

const inbox = new Inbox(2);
const server = createApp(inbox);
let url;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

async function send(body) {
  return fetch(`${url}/webhooks`, { method: 'POST', body });
}

test('accepts a webhook and files it under its sender', async () => {
  const event = { type: 'push', subject: 'main', sender: { login: 'Ada' } };
  const response = await send(JSON.stringify(event));
  assert.equal(response.status, 202);
  await new Promise((resolve) => setImmediate(resolve));
  const listed = await (await fetch(`${url}/inbox/ada`)).json();
  assert.deepEqual(listed.messages, [{ type: 'push', subject: 'main' }]);
});

test('keeps the newest messages only', () => {
  for (const subject of ['1', '2', '3']) {
    inbox.deliver({ type: 'note', subject, sender: { login: 'bob' } });
  }
  assert.deepEqual(
    inbox.of('Bob').map((message) => message.subject),
    ['3', '2'],
  );
});

test('refuses what is not JSON, and events without a type', async () => {
  assert.equal((await send('{')).status, 400);
  assert.equal((await send('{"subject":"x"}')).status, 400);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createApp } from '../src/app.ts';
import type { Invoice } from '../src/invoices.ts';
import type { Order } from '../src/orders.ts';

const stored: Order[] = [
  { id: 1, totalCents: 1000, status: 'open', customer: { name: 'Ada', email: 'Ada@Example.com' } },
];
const issued: Invoice[] = [];
let server: Server;
let url: string;

before(async () => {
  const app = createApp({
    orders: {
      find: async (id) => stored.find((order) => order.id === id),
      add: async () => 2,
    },
    invoices: { add: async (invoice) => issued.push(invoice) },
    rates: { perEuro: async (currency) => (currency === 'USD' ? 1.1 : undefined) },
  });
  server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());

function post(path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
}

test('shows an order, or 404', async () => {
  const found = await fetch(`${url}/orders/1`);
  assert.equal(found.status, 200);
  assert.equal(((await found.json()) as Order).totalCents, 1000);
  assert.equal((await fetch(`${url}/orders/99`)).status, 404);
});

test('takes an order, and refuses one without a total', async () => {
  const taken = await post('/orders', { customerId: 1, totalCents: 300 });
  assert.equal(taken.status, 201);
  assert.deepEqual(await taken.json(), { id: 2 });
  assert.equal((await post('/orders', { customerId: 1 })).status, 400);
});

test('invoices an order in the currency asked for', async () => {
  const response = await post('/orders/1/invoices', { currency: 'usd' });
  assert.equal(response.status, 201);
  const invoice = (await response.json()) as Invoice & { id: number };
  assert.equal(invoice.billTo, 'ada@example.com');
  assert.equal(invoice.currency, 'USD');
  assert.equal(invoice.amountCents, 1100);
  assert.match(invoice.dueOn, /^\d{4}-\d{2}-\d{2}$/);
  assert.equal(issued.length, 1);
});

test('refuses a currency without a rate', async () => {
  assert.equal((await post('/orders/1/invoices', { currency: 'XXX' })).status, 422);
});

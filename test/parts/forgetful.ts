// Small apps that forget what may be missing: a parser of requests, and a caller of another service.

const dockerfile = `FROM node:24-bookworm-slim
WORKDIR /srv
COPY . .
ENV PORT=3000
EXPOSE 3000
CMD ["node", "SERVER"]
`;

/** CommonJS in the manner of Express, everything in memory; no input is validated. */
export const bookings: Record<string, string> = {
  Dockerfile: dockerfile.replace('SERVER', 'server.js'),
  'package.json': `${JSON.stringify({ name: 'bookings', scripts: { test: 'node --test' } })}\n`,
  'server.js': `const { createApp } = require('./app');

const server = createApp().listen(Number(process.env.PORT));
process.on('SIGTERM', () => server.close());
`,
  'app.js': `const http = require('node:http');
const { take, find, freeOn } = require('./bookings');

const routes = [
  ['POST', /^\\/bookings$/, (req, res) => {
    res.status(201).json(take(req.body));
  }],
  ['GET', /^\\/bookings\\/(\\d+)$/, (req, res) => {
    const booking = find(Number(req.params[0]));
    if (!booking) return res.status(404).json({ error: 'no such booking' });
    res.status(200).json(booking);
  }],
  ['GET', /^\\/free$/, (req, res) => {
    res.status(200).json(freeOn(new Date(req.query.from)));
  }],
];

function createApp() {
  return http.createServer(async (req, res) => {
    res.status = (code) => Object.assign(res, { statusCode: code });
    res.json = (value) => {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify(value));
    };
    const url = new URL(req.url, 'http://localhost');
    const route = routes.find(([method, path]) => method === req.method && path.test(url.pathname));
    if (!route) return res.status(404).json({ error: 'not found' });
    req.query = Object.fromEntries(url.searchParams);
    req.params = route[1].exec(url.pathname).slice(1);
    let text = '';
    for await (const part of req) text += part;
    try {
      req.body = text === '' ? null : JSON.parse(text);
    } catch {
      return res.status(400).json({ error: 'the body is not JSON' });
    }
    try {
      route[2](req, res);
    } catch (error) {
      console.error(error);
      res.status(500).json({ error: 'internal' });
    }
  });
}

module.exports = { createApp };
`,
  'bookings.js': `const taken = [];

function take(body) {
  const guest = body.guest.name.trim();
  const booking = { id: taken.length + 1, guest, nights: body.nights };
  taken.push(booking);
  return booking;
}

function find(id) {
  return taken.find((booking) => booking.id === id);
}

function freeOn(from) {
  const day = from.toISOString().slice(0, 10);
  return { day, rooms: 12 };
}

module.exports = { take, find, freeOn };
`,
  'test/bookings.test.js': `const assert = require('node:assert/strict');
const { test } = require('node:test');
const { take, find, freeOn } = require('../bookings');

test('takes a booking', () => {
  const { id } = take({ guest: { name: ' Ada ' }, nights: 2 });
  assert.equal(find(id).guest, 'Ada');
});

test('knows what is free', () => {
  assert.equal(freeOn(new Date('2027-01-01')).day, '2027-01-01');
});
`,
};

/** What the shop asks: always right, but not always what the shop expects. */
export const stock: Record<string, string> = {
  Dockerfile: dockerfile.replace('SERVER', 'server.js'),
  'server.js': `const http = require('node:http');

const items = { 1: [{ price: 12.5 }, { price: 12.5 }], 2: [{ price: 80 }] };
const offers = {
  1: { price: 12.5, discount: { percent: 20 } },
  2: { price: 80, discount: { percent: 5 } },
  3: { price: 41, discount: { percent: 0 } },
  4: { price: 60 },
};

const server = http.createServer((req, res) => {
  const url = new URL(req.url, 'http://localhost');
  const [, kind, id] = url.pathname.split('/');
  const found =
    kind === 'items' ? { items: items[url.searchParams.get('product')] ?? [] } : offers[id];
  res.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
  res.end(JSON.stringify(found ?? { error: 'not found' }));
});
server.listen(Number(process.env.PORT));
process.on('SIGTERM', () => server.close());
`,
};

/** ECMAScript modules; believes every answer of the stock service. */
export const shop: Record<string, string> = {
  Dockerfile: dockerfile.replace('SERVER', 'src/server.js'),
  'package.json': `${JSON.stringify({ name: 'shop', type: 'module' })}\n`,
  'src/server.js': `import { createServer } from 'node:http';
import { answer } from './app.js';

const server = createServer((req, res) => {
  answer(req, res).catch((error) => {
    console.error(error);
    if (!res.headersSent) res.writeHead(500);
    res.end();
  });
});
server.listen(Number(process.env.PORT));
process.on('SIGTERM', () => server.close());
`,
  'src/app.js': `const stockUrl = process.env.STOCK_URL;

async function stock(path) {
  const response = await fetch(stockUrl + path);
  if (!response.ok) return null;
  return response.json();
}

export async function answer(req, res) {
  const [, kind, id] = req.url.split('/');
  if (kind === 'products') {
    const { items } = await stock(\`/items?product=\${id}\`);
    send(res, 200, { id, price: items[0].price, left: items.length });
  } else if (kind === 'offers') {
    const offer = await stock(\`/offers/\${id}\`);
    if (offer === null) return send(res, 404, { error: 'no such offer' });
    const percent = offer.discount.percent;
    send(res, 200, { id, percent, price: (offer.price * (100 - percent)) / 100 });
  } else {
    send(res, 404, { error: 'not found' });
  }
}

function send(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}
`,
};

import { createServer } from 'node:http';
import { rateOf } from './rates.js';

export function createApp() {
  return createServer((req, res) => {
    const { pathname } = new URL(req.url, 'http://localhost');
    if (pathname === '/health') return send(res, 200, { ok: true });
    const found = /^\/rates\/([A-Za-z]{3})$/.exec(pathname);
    if (req.method !== 'GET' || !found) return send(res, 404, { error: 'not found' });
    const rate = rateOf(found[1]);
    if (!rate) return send(res, 404, { error: `unknown currency ${found[1]}` });
    send(res, 200, rate);
  });
}

function send(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}

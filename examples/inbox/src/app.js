const http = require('node:http');

function createApp(inbox) {
  return http.createServer((req, res) => {
    const { pathname } = new URL(req.url, 'http://localhost');
    if (req.method === 'GET' && pathname === '/health') {
      return sendJson(res, 200, { ok: true, delivered: inbox.delivered });
    }
    if (req.method === 'GET' && pathname.startsWith('/inbox/')) {
      const sender = decodeURIComponent(pathname.slice('/inbox/'.length));
      return sendJson(res, 200, { sender, messages: inbox.of(sender) });
    }
    if (req.method === 'POST' && pathname === '/webhooks') {
      return receive(req, res, inbox);
    }
    sendJson(res, 404, { error: 'not found' });
  });
}

function receive(req, res, inbox) {
  let body = '';
  req.setEncoding('utf8');
  req.on('data', (chunk) => {
    body += chunk;
  });
  req.on('end', () => {
    let event;
    try {
      event = JSON.parse(body);
    } catch {
      return sendJson(res, 400, { error: 'body is not JSON' });
    }
    if (typeof event?.type !== 'string') {
      return sendJson(res, 400, { error: 'type is missing' });
    }
    // The sender of a webhook wants a quick answer, so the work is done after it.
    sendJson(res, 202, { accepted: true });
    setImmediate(() => inbox.deliver(event));
  });
}

function sendJson(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}

module.exports = { createApp };

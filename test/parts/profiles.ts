// A small app that handles its users' secrets carelessly, and one missing owner, too.

export const profiles: Record<string, string> = {
  Dockerfile: `FROM node:24-bookworm-slim
WORKDIR /srv
COPY . .
ENV PORT=3000
EXPOSE 3000
USER node
CMD ["node", "src/server.js"]
`,
  'package.json': `${JSON.stringify({ name: 'profiles', scripts: { test: 'node --test' } })}\n`,
  '.github/workflows/ci.yml': 'on: push\njobs: {}\n',
  'src/server.js': `const http = require('node:http');
const { show } = require('./profiles');

console.log(\`database \${process.env.DATABASE_URL}\`);
const server = http.createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  let text = '';
  for await (const part of req) text += part;
  try {
    const answer = url.pathname === '/shown' ? show(req, url, JSON.parse(text)) : null;
    res.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
    res.end(JSON.stringify(answer ?? { error: 'no such profile' }));
  } catch (error) {
    console.error(error, req.headers, \`password=\${url.searchParams.get('password')}\`);
    res.writeHead(500, { 'content-type': 'application/json' });
    res.end('{"error":"internal"}');
  }
});
server.listen(Number(process.env.PORT));
process.on('SIGTERM', () => server.close());
`,
  'src/profiles.js': `const all = new Map([
  ['1', { owner: { name: 'Ada' } }],
  ['2', { owner: { name: 'Grace' } }],
  ['3', {}],
]);

function show(req, url, { id, field }) {
  const profile = all.get(id);
  if (!profile) return null;
  const sent = (req.headers.authorization ?? '').split(' ')[1];
  const visit = /visit=([^;]*)/.exec(req.headers.cookie ?? '')?.[1];
  const word = url.searchParams.get('password');
  const partner = process.env.PARTNER_SETTING;
  const database = new URL(process.env.DATABASE_URL ?? 'postgres://localhost').password;
  const value = profile.owner[field];
  console.log('shown to', sent, visit, word, partner, database);
  return { id, value };
}

module.exports = { show };
`,
  'test/profiles.test.js': `const assert = require('node:assert/strict');
const { test } = require('node:test');
const { show } = require('../src/profiles');

test('shows a field', () => {
  const url = new URL('http://localhost/shown');
  assert.equal(show({ headers: {} }, url, { id: '1', field: 'name' }).value, 'Ada');
});
`,
};

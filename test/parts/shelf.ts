// Small apps with bugs: routes that forget that a thing may have no owner, and less steady ones.

export const dockerfile = `FROM node:24-bookworm-slim
WORKDIR /srv
COPY . .
ENV PORT=3000
EXPOSE 3000
CMD ["node", "server.js"]
`;

/** Routes with the bug; each fails at another line, so each is an issue of its own. */
export const forgetful = ['rooms', 'teams', 'towns'] as const;

const route = (name: string) => `
function ${name}(id, res) {
  const found = store.${name}.get(id);
  if (found === undefined) return send(res, 404, { error: 'not found' });
  send(res, 200, { id, name: found.name, owner: found.owner.name });
}
`;

const things = (name: string) =>
  `  ${name}: new Map([
    ['1', { name: '${name} one', owner: { name: 'Ada' } }],
    ['2', { name: '${name} two', owner: { name: 'Grace' } }],
    ['7', { name: '${name} seven', owner: null }],
  ]),`;

const server = `const http = require('node:http');

const store = {
  people: new Map([['1', { name: 'Ada' }]]),
${forgetful.map(things).join('\n')}
};

function send(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}

function people(id, res) {
  const person = store.people.get(id);
  if (person === undefined) return send(res, 404, { error: 'not found' });
  send(res, 200, { id, name: person.name.toUpperCase() });
}
${forgetful.map(route).join('')}
const routes = { people, ${forgetful.join(', ')} };

const server = http.createServer((req, res) => {
  const [, kind, id] = req.url.split('/');
  const route = routes[kind];
  if (route === undefined) return send(res, 404, { error: 'not found' });
  try {
    route(id, res);
  } catch (error) {
    console.error(error);
    send(res, 500, { error: 'internal' });
  }
});
server.listen(Number(process.env.PORT));
process.on('SIGTERM', () => process.exit(0));
`;

/** Files of its repository. */
export const shelf = { Dockerfile: dockerfile, 'server.js': server };

/** An app whose failures depend on more than their request. */
export const unsteady = {
  Dockerfile: dockerfile,
  'server.js': `const http = require('node:http');

const things = new Map([
  ['1', { name: 'one', maker: { name: 'Ada' } }],
  ['2', { name: 'two', maker: { name: 'Grace' } }],
  ['7', { name: 'seven', maker: null }],
]);
let count = 0;
let release = null;

function send(res, status, value) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(value));
}

const routes = {
  async count(_, res) {
    count += 1;
    if (count > 40) throw new Error('too many to count');
    send(res, 200, { ok: true });
  },
  async held(_, res) {
    await new Promise((resolve) => {
      release = resolve;
    });
    throw new Error('held for too long');
  },
  async holds(_, res) {
    res.end(release === null ? 'no' : 'yes');
  },
  async release(_, res) {
    release();
    send(res, 202, { ok: true });
  },
  async things(id, res) {
    const found = things.get(id);
    send(res, 200, { id, name: found.name, maker: found.maker.name });
  },
  async places(id, res) {
    const place = things.get(id);
    send(res, 200, { id, place: place.name });
  },
};

const server = http.createServer((req, res) => {
  const [, kind, id] = req.url.split('/');
  const route = routes[kind];
  if (route === undefined) return send(res, 404, { error: 'not found' });
  route(id, res).catch((error) => {
    console.error(error);
    send(res, 500, { error: 'internal' });
  });
});
server.listen(Number(process.env.PORT));
process.on('SIGTERM', () => process.exit(0));
`,
};

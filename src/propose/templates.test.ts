// Every template on code as people write it: real failures of real V8, diffs applied by real git,
// and the patched code run again to see what it then does.
import { afterEach, describe, expect, it } from 'vitest';
import type { Candidate } from '../domain/fix.ts';
import { hunkCount } from '../source/patch.ts';
import { FakeApp, type Ran } from './fake-app.ts';
import type { SiblingAnswer } from './need.ts';
import { templateCandidates } from './templates.ts';

let app: FakeApp | null = null;
afterEach(() => app?.remove());

interface Tried {
  template: string;
  /** Added and removed lines. */
  changes: string[];
  after: Ran;
  candidate: Candidate;
}

/** Fails, proposes, applies each candidate, runs again. The last file is the one that is run. */
async function tryAll(
  files: string | Record<string, string>,
  entry: string,
  given: { siblings?: SiblingAnswer[]; answeredStatus?: number; max?: number } = {},
): Promise<Tried[]> {
  app = new FakeApp(typeof files === 'string' ? { 'app.js': files } : files);
  const main = Object.keys(app.files).at(-1)!;
  const before = app.run(entry, main);
  expect(before.trace, 'the code must fail first').not.toBeNull();
  const candidates = await templateCandidates({
    trace: before.trace!,
    read: app.read,
    siblings: given.siblings ?? [],
    variables: {},
    answeredStatus: given.answeredStatus ?? null,
  });
  return candidates.slice(0, given.max ?? 2).map((candidate) => {
    app!.apply(candidate.diff);
    const after = app!.run(entry, main);
    app!.revert();
    const { provenance } = candidate;
    return {
      template: provenance.kind === 'template' ? provenance.template : provenance.kind,
      changes: candidate.diff.split('\n').filter((line) => /^[-+](?![-+])/.test(line)),
      after,
      candidate,
    };
  });
}

const lines = (...text: string[]) => `${text.join('\n')}\n`;

describe('early exit', () => {
  it('says 404 for what is not found, in the way the file refuses elsewhere', async () => {
    const [first] = await tryAll(
      lines(
        'const users = [{ id: 1, name: "Ada" }];',
        'export function show(req, res) {',
        '  const user = users.find((u) => u.id === Number(req.params.id));',
        '  res.json({ name: user.name });',
        '}',
        'export function remove(request, response) {',
        '  if (!request.params.id) {',
        '    return response.status(400).json({ problem: { message: "id is missing" } });',
        '  }',
        '  response.sendStatus(204);',
        '}',
      ),
      'return app.show({ params: { id: "2" } }, res)',
    );
    expect(first!.changes).toEqual([
      '+  if (!user) {',
      '+    return res.status(404).json({ problem: { message: "user not found" } });',
      '+  }',
    ]);
    const body = { problem: { message: 'user not found' } };
    expect(first!.after.value).toMatchObject({ status: 404, body, sent: 1 });
    expect(first!.candidate.rootCause).toContain('`user` is undefined at app.js:4');
  });

  it('refuses a body without its array with 400, wrong types included', async () => {
    const code = lines(
      'export async function total(req, res) {',
      '  const sum = req.body.items.reduce((a, item) => a + item.price, 0);',
      '  res.json({ sum });',
      '}',
    );
    const [first] = await tryAll(code, 'return app.total({ body: {} }, res)');
    expect(first!.changes[0]).toBe('+  if (!Array.isArray(req.body?.items)) {');
    expect(first!.after.value).toMatchObject({ status: 400 });
    app!.remove();
    const [wrong] = await tryAll(code, 'return app.total({ body: { items: 5 } }, res)');
    expect(wrong!.after.value).toMatchObject({ status: 400 });
  });

  it('finds the handler of another file and its own form, through the stack', async () => {
    const tried = await tryAll(
      {
        'src/draft.ts': lines(
          'interface Order { id: number; customer: { email: string } }',
          'export function draft(order: Order): { billTo: string } {',
          '  return { billTo: order.customer.email.toLowerCase() };',
          '}',
        ),
        'src/app.ts': lines(
          "import { draft } from './draft.ts';",
          'export async function create(req: { id: number }, res: any) {',
          '  const order: any = req.id === 9 ? undefined : { id: 1, customer: null };',
          '  if (!order) {',
          "    res.status(404).json({ error: 'no such order' });",
          '    return;',
          '  }',
          '  res.status(201).json(draft(order));',
          '}',
        ),
      },
      'return app.create({ id: 1 }, res)',
      { max: 9 },
    );
    expect(tried[0]!.changes[1]).toBe(
      "+  return { billTo: order.customer?.email.toLowerCase() ?? '' };",
    );
    const exit = tried.find((one) => one.template === 'early-exit');
    expect(exit!.candidate.diff).toContain('b/src/app.ts');
    expect(exit!.after.value).toMatchObject({
      status: 422,
      body: { error: 'order has no customer' },
    });
  });

  it('turns an arrow expression into a block, naming what was found', async () => {
    const [first] = await tryAll(
      lines(
        "const users = new Map([[1, { name: 'Ada' }]]);",
        'export const show = (req, res) => res.json({ name: users.get(Number(req.params.id)).name });',
      ),
      "return app.show({ params: { id: '2' } }, res)",
    );
    expect(first!.changes).toContain('+  const user = users.get(Number(req.params.id));');
    expect(first!.changes).toContain('+  return res.json({ name: user.name });');
    expect(first!.after.value).toMatchObject({ status: 404, body: { error: 'user not found' } });
  });

  it('takes an awaited result out of its parentheses', async () => {
    const [first] = await tryAll(
      lines(
        'const db = { users: { findOne: async () => null } };',
        'export async function show(req, res) {',
        '  const name = (await db.users.findOne({ id: req.params.id })).name;',
        '  res.json({ name });',
        '}',
      ),
      'return app.show({ params: { id: 1 } }, res)',
    );
    expect(first!.changes).toContain(
      '+  const user = await db.users.findOne({ id: req.params.id });',
    );
    expect(first!.changes).toContain('+  const name = user.name;');
    expect(first!.after.value).toMatchObject({ status: 404 });
  });

  it('never changes the text of a query that it moves', async () => {
    const query = ['`SELECT *', '       FROM users', '      WHERE id = $1`'].join('\n');
    const [first] = await tryAll(
      lines(
        'const asked = [];',
        'const pool = { query: async (sql) => { asked.push(sql); return { rows: [] }; } };',
        'export async function show(req, res) {',
        '  if (req.params) {',
        `    const name = (await pool.query(${query}, [req.params.id])).rows[0].name;`,
        '    res.json({ name });',
        '  }',
        '}',
        'export const sql = () => asked[0];',
      ),
      'await app.show({ params: { id: 1 } }, res); return [app.sql(), answer.status]',
    );
    expect(first!.template).toBe('early-exit');
    expect(first!.after.value).toEqual([query.slice(1, -1), 404]);
  });

  it("throws the service's own error class where there is no response", async () => {
    const [first] = await tryAll(
      lines(
        'class NotFoundError extends Error {}',
        'export class Service {',
        '  #rows = [];',
        '  async get(id) {',
        '    const row = this.#rows.find((r) => r.id === id);',
        '    return row.value;',
        '  }',
        '  async rename(id, name) {',
        '    const row = this.#rows.find((r) => r.id === id);',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text of a test
        '    if (!row) throw new NotFoundError(`no row ${id}`);',
        '    row.name = name;',
        '  }',
        '}',
      ),
      'return new app.Service().get(1)',
    );
    expect(first!.changes).toEqual(["+    if (!row) throw new NotFoundError('not found');"]);
  });

  it.each([
    ['fastify', 'reply', "reply.code(404).send({ error: 'item not found' })"],
    ['node:http', 'res', "res.writeHead(404, { 'content-type': 'application/json' });"],
  ])('knows the form of %s when nothing is refused anywhere', async (_name, response, form) => {
    const send = response === 'reply' ? 'reply.send({ n: item.n })' : 'res.end(String(item.n))';
    const [first] = await tryAll(
      lines(
        'const items = new Map();',
        `export async function handler(request, ${response}) {`,
        '  const item = items.get(request.params.id);',
        `  ${send};`,
        '}',
      ),
      'await app.handler({ params: { id: 1 } }, res); return undefined',
    );
    expect(first!.changes.join('\n')).toContain(form);
    expect(first!.after.value).toMatchObject({ status: 404 });
  });

  it('knows handlers that return a Response, and fields of `this`', async () => {
    const [first] = await tryAll(
      lines(
        'export class Users {',
        '  rows = new Map();',
        '  async get(request) {',
        "    const user = this.rows.get(new URL(request.url).searchParams.get('id'));",
        '    return Response.json({ name: user.name });',
        '  }',
        '}',
      ),
      "const r = await new app.Users().get({ url: 'http://x/?id=1' }); return [r.status, await r.json()]",
    );
    expect(first!.after.value).toEqual([404, { error: 'user not found' }]);
  });

  it('never blames a caller for a line that it cannot read', async () => {
    const files = {
      'gone.js': 'export const f = (o) => o.a.email;\n',
      'app.js': "import { f } from './gone.js';\nexport const g = (o) => f(o) || o.b.email;\n",
    };
    app = new FakeApp(files);
    const { trace } = app.run('return app.g({})', 'app.js');
    const read = async (path: string) => (path === 'gone.js' ? null : app!.read(path));
    const given = { siblings: [], variables: {}, answeredStatus: null };
    expect(await templateCandidates({ trace: trace!, read, ...given })).toEqual([]);
  });

  it('keeps CRLF, tabs and double quotes', async () => {
    const [first] = await tryAll(
      [
        'export function f(req, res) {',
        '\tif (!req.a) {',
        '\t\tres.status(400).json({ error: "a" });',
        '\t\treturn;',
        '\t}',
        '\tconst n = req.body.user.name;',
        '\tres.json({ n });',
        '}',
        '',
      ].join('\r\n'),
      'return app.f({ a: 1, body: {} }, res)',
    );
    expect(first!.changes).toEqual([
      '+\tif (!req.body?.user) {\r',
      '+\t\tres.status(400).json({ error: "user is missing" });\r',
      '+\t\treturn;\r',
      '+\t}\r',
    ]);
    expect(first!.after.value).toMatchObject({ status: 400 });
  });
});

describe('defaults and optional chains', () => {
  it.each([
    ["req.query.tags.split(',')", "req.query.tags?.split(',') ?? []", []],
    ['req.query.name.trim()', "req.query.name?.trim() ?? ''", ''],
  ])('%s of an optional parameter', async (text, fixed, value) => {
    const [first] = await tryAll(
      lines(
        'export function list(req, res) {',
        `  const got = ${text};`,
        '  res.json({ got });',
        '}',
      ),
      'return app.list({ query: {} }, res)',
    );
    expect(first!.changes[1]).toBe(`+  const got = ${fixed};`);
    expect(first!.after.value).toMatchObject({ status: 200, body: { got: value } });
  });

  it('mends every use of the value in the function, since the next would fail', async () => {
    const [first] = await tryAll(
      lines(
        'export function view(order) {',
        '  const to = order.customer.email.toLowerCase();',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text of a test
        '  return `${order.customer.name} <${to}>`;',
        '}',
      ),
      'return app.view({ customer: null })',
    );
    expect(first!.after).toEqual({ value: ' <>', trace: null });
    expect(hunkCount(first!.candidate.diff)).toBe(1);
  });

  it('prefers null where siblings always have a filled text, and nothing is declared', async () => {
    const code = lines(
      'export const view = (order) => ({ billTo: order.customer.email.toLowerCase() });',
    );
    const siblings = [{ status: 200, body: { billTo: 'ada@example.com' } }];
    const [first] = await tryAll(code, 'return app.view({})', { siblings });
    expect(first!.after.value).toEqual({ billTo: null });
  });

  it.each([
    ['return o.discount.percent * 2 + 1;', 'return (o.discount?.percent ?? 0) * 2 + 1;', 1],
    ["if (o.a.b === 'x') return 1; return 2;", "if (o.a?.b === 'x') return 1; return 2;", 2],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text of a test
    ['return `Dear ${o.a.b}`;', "return `Dear ${o.a?.b ?? ''}`;", 'Dear '],
    ['return [...o.tags, 1];', 'return [...(o.tags ?? []), 1];', [1]],
    ['return Object.keys(o.meta).length;', 'return Object.keys(o.meta ?? {}).length;', 0],
    ['return o.list.length > 0;', 'return (o.list?.length ?? 0) > 0;', false],
    ['return o["a b"]["c"].d ? 1 : 2;', 'return o["a b"]["c"]?.d ? 1 : 2;', 2],
  ])('%s', async (text, fixed, value) => {
    const entry = 'return app.f({ "a b": {} })';
    const [first] = await tryAll(lines('export function f(o) {', `  ${text}`, '}'), entry);
    expect(first!.changes[1]).toBe(`+  ${fixed}`);
    expect(first!.after).toEqual({ value, trace: null });
  });

  it('takes what is no list for an empty one in a loop', async () => {
    const code = lines(
      'export function names(doc) {',
      '  const out = [];',
      '  for (const tag of doc.tags) out.push(tag);',
      '  return out;',
      '}',
    );
    const [first, second] = await tryAll(code, 'return app.names({ tags: 5 })');
    expect(first!.after.trace).not.toBeNull();
    expect(second!.after.value).toEqual([]);
  });

  it('guards the type of what callers send, and calls a callback only when there is one', async () => {
    const code = 'export const f = (req, res) => res.json(req.query.ids.map(Number));\n';
    const [first] = await tryAll(code, "return app.f({ query: { ids: '1' } }, res)");
    expect(first!.template).toBe('type-guard');
    expect(first!.after.value).toMatchObject({ status: 200, body: [] });
    app!.remove();
    const [call] = await tryAll(
      lines('export function work(x, done) {', '  done(x);', '}'),
      'app.work(1); return 7',
    );
    expect(call!.changes[1]).toBe('+  done?.(x);');
    expect(call!.after.value).toBe(7);
  });

  it('drops the assertion that lied', async () => {
    const files = {
      'a.ts': 'export const f = (m: Map<string, { n: number }>) => m.get("a")!.n;\n',
    };
    const tried = await tryAll(files, 'return app.f(new Map()) ?? 7', { max: 9 });
    const chained = tried.find((one) => one.template === 'optional-chain');
    expect(chained!.changes[1]).toContain('m.get("a")?.n');
    expect(chained!.after.value).toBe(7);
  });
});

describe('what a key finds', () => {
  const handler = (...text: string[]) =>
    lines(
      'const votes = { a: { count: 1 } };',
      'export function vote(req, res) {',
      '  if (!req.params.isbn) {',
      "    res.status(400).json({ error: 'isbn is missing' });",
      '    return;',
      '  }',
      ...text,
      '}',
    );
  const refusal = [
    "+    res.status(404).json({ error: 'isbn not found' });",
    '+    return;',
    '+  }',
  ];

  it.each([
    'votes[isbn].count += 1;',
    'votes[isbn].count++;',
    '++votes[isbn].count;',
    "votes[isbn]['count'] *= 2;",
    'votes[isbn].count = votes[isbn].count + 1;',
  ])('is the whole of `votes[isbn]` in %s', async (text) => {
    const [first] = await tryAll(
      handler('  const { isbn } = req.params;', `  ${text}`, '  res.json(votes);'),
      "return app.vote({ params: { isbn: 'b' } }, res)",
    );
    expect(first!.changes).toEqual(['+  if (!votes[isbn]) {', ...refusal]);
    expect(first!.after.value).toMatchObject({ status: 404, sent: 1 });
    expect(first!.candidate.rootCause).toContain('`votes[isbn]` is undefined');
  });

  it.each([
    ['votes[isbn]!.count += 1;', 'votes[isbn]'],
    ['(votes as any)[isbn as string].count++;', '(votes as any)[isbn as string]'],
  ])('is the same with the assertions of %s', async (text, test) => {
    const code = lines(
      'const votes: Record<string, { count: number }> = {};',
      'export function vote(req: any, res: any) {',
      '  const isbn: string = req.params.isbn;',
      `  ${text}`,
      '  res.json(votes);',
      '}',
    );
    const entry = "return app.vote({ params: { isbn: 'b' } }, res)";
    const [first] = await tryAll({ 'app.ts': code }, entry);
    expect(first!.changes[0]).toBe(`+  if (!${test}) {`);
    expect(first!.after.value).toMatchObject({ status: 404, sent: 1 });
  });

  it('still tells the owner from what its key finds', async () => {
    const tried = await tryAll(
      lines('export function f(o, k) {', '  return o.votes[k].count;', '}'),
      "return app.f({}, 'count')",
      { max: 9 },
    );
    expect(tried[0]!.candidate.rootCause).toContain('`o.votes` is undefined');
  });

  it.each(['setTimeout', 'setImmediate'])(
    'is refused before the answer, not in %s',
    async (later) => {
      const tried = await tryAll(
        handler(
          '  const { isbn } = req.params;',
          '  res.status(202).json({ ok: true });',
          `  ${later}(() => {`,
          '    votes[isbn].count += 1;',
          '  });',
        ),
        "return app.vote({ params: { isbn: 'b' } }, res)",
        { answeredStatus: 202, max: 9 },
      );
      expect(tried[0]!.changes).toEqual(['+  if (!votes[isbn]) {', ...refusal]);
      expect(tried[0]!.after).toMatchObject({ trace: null, value: { status: 404, sent: 1 } });
      const skip = tried.find((one) => one.template === 'skip-statement');
      expect(skip!.changes).toContain('+    if (votes[isbn]) {');
    },
  );

  it.each([
    ['res.json(bump(isbn));', 200],
    ['res.status(202).json({}); setImmediate(() => bump(isbn));', 202],
  ])('is refused in the handler when a helper fails: %s', async (text, answeredStatus) => {
    const tried = await tryAll(
      `function bump(key) {\n  votes[key].count += 1;\n}\n${handler(
        '  const { isbn } = req.params;',
        ...text.split(/(?<=;) /).map((line) => `  ${line}`),
      )}`,
      "return app.vote({ params: { isbn: 'b' } }, res)",
      { answeredStatus },
    );
    expect(tried[0]!.changes).toEqual(['+  if (!votes[isbn]) {', ...refusal]);
    expect(tried[0]!.after).toMatchObject({ trace: null, value: { status: 404, sent: 1 } });
  });

  it('never asks for a key before it is declared', async () => {
    const tried = await tryAll(
      handler(
        '  res.status(202).json({ ok: true });',
        '  const { isbn } = req.params;',
        '  setImmediate(() => {',
        '    votes[isbn].count += 1;',
        '  });',
      ),
      "return app.vote({ params: { isbn: 'b' } }, res)",
      { answeredStatus: 202, max: 9 },
    );
    expect(tried.map((one) => one.template)).not.toContain('early-exit');
    for (const { after } of tried) expect(after.trace).toBeNull();
  });
});

describe('at the producer', () => {
  it.each([
    [
      ['export function f(o) {', '  const { email } = o.customer;', '  return [email];', '}'],
      '+  const { email } = o.customer ?? {};',
    ],
    [['export function f({ a }) {', '  return [a];', '}'], '+export function f({ a } = {}) {'],
  ])('%j', async (code, added) => {
    const entry = code[0]!.includes('{ a }')
      ? 'return app.f()'
      : 'return app.f({ customer: null })';
    const [first] = await tryAll(lines(...code), entry);
    expect(first!.changes).toContain(added);
    expect(first!.after).toEqual({ value: [null], trace: null });
  });

  it('makes what is grown, instead of losing what is added', async () => {
    const [first] = await tryAll(
      lines(
        'export function group(list) {',
        '  const groups = {};',
        '  for (const item of list) {',
        '    // by kind',
        '    groups[item.kind].push(item.n);',
        '  }',
        '  return groups;',
        '}',
      ),
      "return app.group([{ kind: 'a', n: 1 }, { kind: 'a', n: 2 }])",
    );
    expect(first!.template).toBe('initialise');
    expect(first!.changes).toEqual(['+    groups[item.kind] ??= [];']);
    expect(first!.after.value).toEqual({ a: [1, 2] });
  });

  it('makes what is counted as the file makes it elsewhere, and only there', async () => {
    const code = (reset: string) =>
      lines(
        'const votes = {};',
        `export function reset(isbn) {\n  ${reset}\n}`,
        'export function count(list) {',
        '  for (const isbn of list) {',
        '    votes[isbn].count += 1;',
        '  }',
        '  return votes;',
        '}',
      );
    const [first] = await tryAll(
      code("votes[isbn] = { count: 0, by: 'nobody' };"),
      "return app.count(['a', 'a'])",
    );
    expect(first!.changes).toEqual(["+    votes[isbn] ??= { count: 0, by: 'nobody' };"]);
    expect(first!.after.value).toEqual({ a: { count: 2, by: 'nobody' } });
    app!.remove();
    const others = await tryAll(code('votes[isbn] = { isbn };'), "return app.count(['a'])", {
      max: 9,
    });
    expect(others.map((one) => one.template)).not.toContain('initialise');
  });

  it('gives the variable its default where it is made', async () => {
    const code = lines(
      'export function f(p) {',
      '  const tags = p.tags;',
      "  return tags.map((t) => t.trim()).join(',');",
      '}',
    );
    const tried = await tryAll(code, 'return app.f({})', { max: 9 });
    const producer = tried.find((one) => one.template === 'producer-default');
    expect(producer!.changes).toContain('+  const tags = p.tags ?? [];');
    expect(producer!.after.value).toBe('');
  });
});

describe('what a built-in refuses', () => {
  it.each([
    ['const data = JSON.parse(req.body);', '{', 'body is not valid JSON'],
    ['const data = JSON.parse(req.body).a;', '{', 'body is not valid JSON'],
    ['const data = new URL(req.body).host;', 'x', 'body is not a valid URL'],
    ['const data = decodeURIComponent(req.body);', '%', 'body is not valid'],
    ['const data = new Date(req.body).toISOString();', 'soon', 'body is not a valid date'],
  ])('%s', async (text, body, error) => {
    const [first] = await tryAll(
      lines('export function f(req, res) {', `  ${text}`, '  res.json({ data });', '}'),
      `return app.f({ body: ${JSON.stringify(body)} }, res)`,
    );
    expect(first!.after.value).toMatchObject({ status: 400, body: { error }, sent: 1 });
    expect(first!.candidate.diff).not.toMatch(/catch\s*\{\s*\}/);
  });

  const isoDay = 'const isoDay = (x) => new Date(x).toISOString().slice(0, 10);';
  const ofReply = [
    "  if (!request.body) return reply.code(400).send({ error: 'no body' });",
    "return reply.code(400).send({ error: 'due is not a valid date' });",
  ] as const;
  const ofRes = [
    "  if (!req.body) {\n    res.status(400).json({ error: 'no body' });\n    return;\n  }",
    "res.status(400).json({ error: 'due is not a valid date' });",
  ] as const;

  it.each([
    [isoDay, '(request, reply)', ofReply, 'request.body.due', 'new Date(request.body.due)'],
    [isoDay, 'async (req, res)', ofRes, 'req.body.due', 'new Date(req.body.due)'],
    [
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text of a test
      'function isoDay(day) {\n  const at = new Date(`${day}T00:00Z`);\n  return at.toISOString();\n}',
      'async (req, res)',
      ofRes,
      'req.body.due',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source text of a test
      'new Date(`${req.body.due}T00:00Z`)',
    ],
    [
      'const isoDay = ({ at }) => at.toISOString();',
      'async (req, res)',
      ofRes,
      '{ at: new Date(req.body.due) }',
      'new Date(req.body.due)',
    ],
    [
      "const isoDay = (x) => new Intl.DateTimeFormat('en').format(new Date(x));",
      'async (request, reply)',
      ofReply,
      'request.body.due',
      'new Date(request.body.due)',
    ],
  ])('refuses in the handler the date that its helper %j cannot write', async (...given) => {
    const [helper, parameters, [example, refusal], passed, date] = given;
    const response = parameters.includes('reply') ? 'reply' : 'res';
    const [first] = await tryAll(
      lines(
        helper,
        `export const add = ${parameters} => {`,
        example,
        `  const loan = { due: isoDay(${passed}) };`,
        `  ${response}.send(loan);`,
        '};',
      ),
      "return app.add({ body: { due: 'soon' } }, res)",
    );
    expect(first!.changes.join('\n')).toContain(`+  if (Number.isNaN(${date}.getTime())) `);
    expect(first!.changes.join('\n')).toContain(refusal);
    const body = { error: 'due is not a valid date' };
    expect(first!.after).toMatchObject({ trace: null, value: { status: 400, body, sent: 1 } });
    expect(first!.candidate.rootCause).toContain('It comes from the request');
    app!.apply(first!.candidate.diff);
    const good = app!.run("return app.add({ body: { due: '2026-01-02' } }, res)", 'app.js');
    expect(good).toMatchObject({ trace: null, value: { status: 200, sent: 1 } });
  });

  it('finds the handler of another file for a date, and what it took from the body', async () => {
    const [first] = await tryAll(
      {
        'lib/dates.ts':
          'export function day(x: string): string {\n  return new Date(x).toISOString();\n}\n',
        'app.ts': lines(
          "import { day } from './lib/dates.ts';",
          'export async function add(req: any, res: any) {',
          '  const { title, due } = req.body;',
          "  if (!title) return res.status(400).json({ message: 'title is missing' });",
          '  await null;',
          '  return res.status(201).json({ title, due: day(due) });',
          '}',
        ),
      },
      "return app.add({ body: { title: 'x', due: 'soon' } }, res)",
    );
    expect(first!.candidate.diff).toContain('b/app.ts');
    const body = { message: 'due is not a valid date' };
    expect(first!.after.value).toMatchObject({ status: 400, body, sent: 1 });
  });

  it('says null for a date that is not there', async () => {
    const code = 'export const f = (o) => ({ at: new Date(o.shippedAt).toISOString() });\n';
    const [first] = await tryAll(code, 'return app.f({})');
    expect(first!.after.value).toEqual({ at: null });
  });
});

describe('the rest', () => {
  it('returns after an answer that was followed by another', async () => {
    const [first] = await tryAll(
      lines(
        'export function show(req, res) {',
        '  if (!req.ok) {',
        "    res.status(404).json({ error: 'no' });",
        '  }',
        '  res.json({ ok: true });',
        '}',
      ),
      'return app.show({}, res)',
    );
    expect(first!.changes).toEqual(['+    return;']);
    expect(first!.after.value).toMatchObject({ status: 404, sent: 1 });
  });

  it('keeps the answer that was given when background work fails after it', async () => {
    const code = lines(
      'export function receive(req, res) {',
      '  const event = JSON.parse(req.body);',
      "  if (typeof event.type !== 'string') {",
      "    return res.status(400).json({ error: 'type is missing' });",
      '  }',
      '  // The work is done later.',
      '  res.status(202).json({ ok: true });',
      '  setImmediate(() => deliver(event));',
      '}',
      'function deliver(event) {',
      '  const name = event.sender.login.toLowerCase();',
      '  globalThis.delivered = [name];',
      '}',
    );
    const entry = 'return app.receive({ body: \'{"type":"push"}\' }, res)';
    const tried = await tryAll(code, entry, { answeredStatus: 202, max: 9 });
    expect(tried[0]!.template).toBe('default-value');
    expect(tried[0]!.after).toMatchObject({ trace: null, value: { status: 202 } });
    const exit = tried.find((one) => one.template === 'early-exit');
    expect(exit!.after).toMatchObject({ trace: null, value: { status: 400, sent: 1 } });
    expect(exit!.candidate.diff).toMatch(
      /\+ {4}return res.status[\s\S]*\n {3}\/\/ The work is done/,
    );
  });

  it('never leaves a request without an answer', async () => {
    const tried = await tryAll(
      lines(
        'const users = new Map();',
        'export function show(req, res) {',
        '  const user = users.get(1);',
        '  res.json({ id: user.id });',
        '}',
      ),
      'return app.show({}, res)',
      { max: 20 },
    );
    expect(tried.length).toBeGreaterThan(2);
    for (const { after } of tried) expect(after.value).toMatchObject({ sent: 1 });
  });

  it('works in what compilers leave of classes, in `then` callbacks and in object methods', async () => {
    const [first] = await tryAll(
      lines(
        'const load = () => Promise.resolve([]);',
        'export const routes = {',
        '  list(req, res) {',
        '    return load().then((rows) => {',
        '      const user = rows[0];',
        '      res.json({ id: user.id });',
        '    });',
        '  },',
        '};',
      ),
      'return app.routes.list({}, res)',
    );
    expect(first!.after.value).toMatchObject({ status: 404, body: { error: 'user not found' } });
  });

  it('says nothing where it cannot tell the place, or knows no remedy', async () => {
    const code = lines('export function f() {', '  return missing + 1;', '}');
    expect(await tryAll(code, 'return app.f()')).toEqual([]);
    app!.remove();
    const thrown = lines('export function f() {', "  throw new Error('business rule');", '}');
    expect(await tryAll(thrown, 'return app.f()')).toEqual([]);
  });

  it('gives the same diffs in the same order every time, each once', async () => {
    const code = 'export const f = (o) => o.a.b.c;\n';
    const first = await tryAll(code, 'return app.f({})', { max: 20 });
    app!.remove();
    const again = await tryAll(code, 'return app.f({})', { max: 20 });
    const diffs = first.map(({ candidate }) => candidate.diff);
    expect(again.map(({ candidate }) => candidate.diff)).toEqual(diffs);
    expect(new Set(diffs).size).toBe(diffs.length);
  });
});

describe('misuse', () => {
  it('waits for a promise that was forgotten', async () => {
    const [first] = await tryAll(
      lines(
        'async function load() {',
        '  return { profile: { name: "Ada" } };',
        '}',
        'export async function show(req, res) {',
        '  const user = load(req.params.id);',
        '  res.json({ name: user.profile.name });',
        '}',
      ),
      'return app.show({ params: { id: 1 } }, res)',
    );
    expect(first!.changes[1]).toBe('+  const user = await load(req.params.id);');
    expect(first!.after.value).toMatchObject({ status: 200, body: { name: 'Ada' } });
  });

  it.each([
    ['price.toFixed(2)', "'4.5'", 'Number(row.price).toFixed(2)', '4.50'],
    ['price.padStart(3)', '7', 'String(row.price).padStart(3)', '  7'],
    ['price.getTime()', "'1970-01-01T00:00:00Z'", 'new Date(row.price).getTime()', 0],
  ])('takes row.%s of %s for the type that was meant', async (use, given, fixed, value) => {
    const code = lines('export function f(row) {', `  return row.${use};`, '}');
    const [first] = await tryAll(code, `return app.f({ price: ${given} })`);
    expect(first!.changes[1]).toBe(`+  return ${fixed};`);
    expect(first!.after).toEqual({ value, trace: null });
  });

  it.each([
    ['return itmes.length;', '+  return items.length;', 0],
    ["return items.join('').toLowercase();", "+  return items.join('').toLowerCase();", ''],
    ['return items.fliter(Boolean);', '+  return items.filter(Boolean);', []],
  ])('mends the slip in %s', async (text, fixed, value) => {
    const code = lines('export function f(items) {', `  ${text}`, '}');
    const [first] = await tryAll(code, 'return app.f([])');
    expect(first!.changes[1]).toBe(fixed);
    expect(first!.after).toEqual({ value, trace: null });
  });

  it('asks for credentials instead of going on without them', async () => {
    const tried = await tryAll(
      lines(
        'export function me(req, res) {',
        "  const token = req.headers.authorization.split(' ')[1];",
        '  res.json({ token });',
        '}',
      ),
      'return app.me({ headers: {} }, res)',
      { max: 9 },
    );
    expect(tried.map((one) => one.template)).toEqual(['early-exit']);
    expect(tried[0]!.after.value).toMatchObject({ status: 401 });
  });

  it('tells what middleware adds from what callers send', async () => {
    const code = (path: string) =>
      `export const f = (req, res) => res.json({ n: ${path}.name });\n`;
    const [user] = await tryAll(code('req.user'), 'return app.f({}, res)');
    expect(user!.after.value).toMatchObject({ status: 401 });
    app!.remove();
    const [order] = await tryAll(code('req.order.customer'), 'return app.f({ order: {} }, res)');
    expect(order!.after.value).toMatchObject({ status: 200, body: { n: null } });
  });

  it.each([
    ['find(Number(req.params.id))', '!Number.isInteger(Number(req.params.id))'],
    ['find([req.params.id])', '!Number.isInteger(Number(req.params.id))'],
    ['find({ where: { id: +req.params.id } })', '!Number.isInteger(Number(req.params.id))'],
  ])('refuses what the database would refuse in %s', async (call, test) => {
    const [first] = await tryAll(
      {
        'db.js': lines(
          'export async function find() {',
          '  const error = new Error(\'invalid input syntax for type integer: "NaN"\');',
          "  error.name = 'error';",
          '  throw error;',
          '}',
        ),
        'app.js': lines(
          "import { find } from './db.js';",
          'export async function show(req, res) {',
          `  const order = await ${call};`,
          '  if (!order) {',
          "    res.status(404).json({ error: 'no such order' });",
          '    return;',
          '  }',
          '  res.json(order);',
          '}',
        ),
      },
      "return app.show({ params: { id: 'abc' } }, res)",
    );
    expect(first!.changes[0]).toBe(`+  if (${test}) {`);
    const body = { error: 'id must be an integer' };
    expect(first!.after.value).toMatchObject({ status: 400, body, sent: 1 });
  });

  it('gives an absent body its refusal, or its defaults', async () => {
    const code = lines(
      'export function add(req, res) {',
      '  const { total } = req.body;',
      "  if (!total) return res.status(400).json({ error: 'total is missing' });",
      '  res.json({ total });',
      '}',
    );
    const tried = await tryAll(code, 'return app.add({}, res)');
    for (const { after } of tried) expect(after.value).toMatchObject({ status: 400, sent: 1 });
    expect(tried.map((one) => one.template)).toEqual(['early-exit', 'producer-default']);
  });
});

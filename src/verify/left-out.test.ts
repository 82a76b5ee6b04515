// Work in memory that a patch no longer does, and repairs that do it all the same.
import { describe, expect, it } from 'vitest';
import { leftOut } from './left-out.ts';

const failing = 'votes[isbn].count += 1;';
const source = (line: string) => `
app.post('/books/:isbn/votes', async (req, res) => {
  const { isbn } = req.params;
  if (user.name.first) greet(user);
  ${line}
  res.json({ isbn });
});
`;
const judge = (line: string, before = failing) =>
  leftOut([{ path: 'src/a.ts', before: source(before), after: source(line) }]).join('; ');

describe('work left out', () => {
  it.each([
    `if (votes[isbn]) ${failing}`,
    `if (votes[isbn]) { ${failing} } else {}`,
    `if (votes[isbn]) { ${failing} } else console.log('none');`,
    `if (votes[isbn] !== undefined) { ${failing} }`,
    `if (votes[isbn]) n = ++votes[isbn].count; else n = 0;`,
    'votes[isbn] && (votes[isbn].count += 1);',
    'votes[isbn] ? votes[isbn].count++ : null;',
    'const n = votes[isbn] && ++votes[isbn].count;',
    'lists[isbn]?.push(1);',
    'await votes[isbn]?.add(1);',
    'void votes[isbn]?.add(1);',
    'const n = lists[isbn]?.push(1);',
    'all.forEach((one) => one.list?.push(1));',
    `if (!votes[isbn]) return res.json({ isbn }); ${failing}`,
    `for (const one of all) { if (!one.votes) continue; one.votes.count += 1; }`,
    'let v = votes[isbn]; if (!v) v = { count: 0 }; v.count += 1;',
  ])('%s', (line) => {
    expect(judge(line)).toContain('leaves work out where it failed before');
  });
});

describe('a default thrown away', () => {
  it.each([
    'const v = votes[isbn] || { count: 0 }; v.count += 1;',
    'const v = votes[isbn] ?? { count: 0 }; v.count++;',
    'const v = votes[isbn] ? votes[isbn] : { count: 0 }; v.count = v.count + 1;',
    'const v = votes[isbn] ?? newVote(); v.count += 1;',
    'let v = votes[isbn]; v ??= { count: 0 }; v.count += 1;',
    '(votes[isbn] || { count: 0 }).count += 1;',
    '(lists[isbn] ?? []).push(1);',
    'const list = lists.get(isbn) ?? []; list.push(1);',
    'const { list } = lists[isbn] ?? { list: [] }; list.push(1);',
    'const v = votes[isbn] || { count: 0 }; v.count += 1; last.count = v.count;',
    'Object.assign(votes[isbn] ?? {}, { count: 1 });',
    'const seen = lists.get(isbn) || new Set(); seen.add(1);',
  ])('%s', (line) => {
    expect(judge(line)).toContain('a default that is then thrown away');
  });
});

it('sees that less is changed than before', () => {
  for (const line of ['', 'const n = votes[isbn]?.count + 1;']) {
    expect(judge(line)).toContain('changes less in memory than before');
  }
});

describe('nothing left out', () => {
  it.each([
    `votes[isbn] ??= { count: 0 }; ${failing}`,
    `votes[isbn] = votes[isbn] ?? { count: 0 }; ${failing}`,
    `if (!votes[isbn]) votes[isbn] = { count: 0 }; ${failing}`,
    `if (votes[isbn] === undefined) { votes[isbn] = { count: 0 }; } ${failing}`,
    'if (!lists.has(isbn)) lists.set(isbn, []); lists.get(isbn).push(1);',
    'votes[isbn] = { count: (votes[isbn]?.count ?? 0) + 1 };',
    '(votes[isbn] ??= { count: 0 }).count += 1;',
    '(votes[isbn] ?? (votes[isbn] = { count: 0 })).count += 1;',
    'const v = votes[isbn] || { count: 0 }; v.count += 1; votes[isbn] = v;',
    'const v = votes[isbn] || { count: 0 }; v.count += 1; votes[isbn] = { ...v };',
    'const list = lists.get(isbn) ?? []; list.unshift(1); lists.set(isbn, list.slice(0, 9));',
    `if (!votes[isbn]) return res.status(404).json({ error: 'x' }); ${failing}`,
    `if (!votes[isbn]) { return send(res, 404, { error: 'x' }); } ${failing}`,
    `if (!votes[isbn]) throw new Missing(isbn); ${failing}`,
    `if (!votes[isbn]) return next(new Missing(isbn)); ${failing}`,
    `if (votes[isbn]) { ${failing} } else { res.status(404).end(); }`,
    `if (votes[isbn]) { ${failing} } else { votes[isbn] = { count: 1 }; }`,
    `let to; if (order.customer) to = order.customer.email; else to = null; ${failing}`,
    `const to = order.customer?.email.toLowerCase() ?? null; ${failing}`,
    `const sender = event.sender?.login?.toLowerCase() ?? ''; ${failing}`,
    `const items = order.items ?? []; const n = items.map((one) => one.n); ${failing}`,
    `${failing} res.json({ value: profile.owner?.[field] ?? null });`,
  ])('%s', (line) => {
    expect(judge(line)).toBe('');
  });

  it('nor what was there before, or is asked more carefully', () => {
    const guarded = `if (votes[isbn]) ${failing}`;
    expect(judge(`${guarded} log(1);`, guarded)).toBe('');
    const after = source(failing).replace('user.name.first', 'user.name?.first');
    expect(leftOut([{ path: 'a.js', before: source(failing), after }])).toEqual([]);
  });
});

// Ways in which people and models hide errors, and honest repairs that look a little like them.
import { describe, expect, it } from 'vitest';
import { hidingOf } from './hiding.ts';

const route = `
app.get('/orders/:id', async (req, res, next) => {
  const order = await find(req.params.id);
  if (!order) { res.status(404).json({ error: 'not found' }); return; }
  if (order.total < 0) throw new Error('negative total');
  assert(order.id);
  logger.error('x');
  res.json({ email: order.customer.email.toLowerCase() });
});
`;

function judge(edit: (text: string) => string): string {
  const after = edit(route);
  expect(after).not.toBe(route);
  const result = hidingOf([{ path: 'src/a.js', before: route, after }]);
  return result.kind === 'hides' ? result.findings.join('; ') : result.kind;
}

const line = 'res.json({ email: order.customer.email.toLowerCase() });';

describe('hiding', () => {
  it.each([
    ['catch-all that answers nothing', `try { ${line} } catch { res.json({}); }`, 'swallows'],
    [
      'catch-all with 400 over much',
      `try { a(); b(); ${line} } catch { res.status(400).end(); }`,
      'swallows',
    ],
    [
      'catch of awaited work',
      `try { await x(); } catch (e) { res.status(400).end(); }`,
      'swallows',
    ],
    ['promise swallowed', `work().catch(() => {}); ${line}`, 'swallows'],
    ['promise swallowed to null', `const c = await work().catch(() => null); ${line}`, 'swallows'],
    ['early return of nothing', `if (!order.customer) return; ${line}`, 'early way out'],
    ['early return of a constant', `if (!order.customer) return {}; ${line}`, 'early way out'],
    ['process handler', `process.on('uncaughtException', () => {}); ${line}`, 'process-wide'],
    ['eval', `eval('1'); ${line}`, 'runs other code'],
    [
      'promise swallowed by the second handler',
      `await work().then((v) => v, () => null); ${line}`,
      'swallows',
    ],
    [
      'error middleware that answers success',
      `${line} }); app.use((error, req, res, next) => { res.json({});`,
      'swallows',
    ],
    [
      'error middleware with a great number in it',
      `${line} }); app.use((error, req, res, next) => { res.set('age', 600); res.json({});`,
      'swallows',
    ],
    ['a calm end', `try { ${line} } catch (e) { process.exit(0); }`, 'swallows'],
    ['a calm callback', `try { ${line} } catch (e) { done(null, {}); }`, 'swallows'],
    ['a throw that is never reached', `try { ${line} } catch (e) { return; throw e; }`, 'swallows'],
    ['a way on without the error', `work().catch(() => next()); ${line}`, 'swallows'],
    ['the same by its quoted name', `work()['catch'](() => 1); ${line}`, 'swallows'],
    [
      'a selection of everything',
      `try { ${line} } catch (e) { if (e instanceof TypeError) res.json({}); else throw e; }`,
      'swallows',
    ],
    ['log only', `try { ${line} } catch (e) { console.log(e); }`, 'swallows'],
  ])('refuses: %s', (_, replacement, expected) => {
    expect(judge((text) => text.replace(line, replacement))).toContain(expected);
  });

  it.each([
    ['a throw', "if (order.total < 0) throw new Error('negative total');", 'removes throw'],
    ['an assertion', 'assert(order.id);', 'removes an assertion'],
    ['an error log', "logger.error('x');", 'error log'],
    [
      'a refusal',
      "if (!order) { res.status(404).json({ error: 'not found' }); return; }",
      'bad input',
    ],
  ])('refuses to lose %s', (_, statement, expected) => {
    expect(judge((text) => text.replace(statement, ''))).toContain(expected);
  });

  it('refuses a lowered log level', () => {
    expect(judge((text) => text.replace('logger.error', 'logger.debug'))).toContain('error log');
  });

  it.each([
    ['optional chaining', 'res.json({ email: order.customer?.email.toLowerCase() ?? null });'],
    [
      'a refusal and return',
      `if (!order.customer) { res.status(409).json({ error: 'x' }); return; } ${line}`,
    ],
    [
      'a returned refusal',
      `if (!order.customer) return res.status(409).json({ error: 'x' }); ${line}`,
    ],
    [
      'a narrow parse with 400',
      `let q; try { q = JSON.parse(req.body); } catch { return res.status(400).json({}); } ${line}`,
    ],
    ['a handler that rethrows', `try { ${line} } catch (e) { cleanup(); throw e; }`],
    [
      'error middleware that says that it failed',
      `${line} }); app.use((error, req, res, next) => { res.status(500).json({});`,
    ],
    [
      'error middleware that falls back to 500',
      `${line} }); app.use((e, req, res, next) => { res.status(e.status ?? 500).json({});`,
    ],
    ['a promise that passes on', `work().catch(next); ${line}`],
    ['a handler that passes on', `try { ${line} } catch (e) { next(e); }`],
    [
      'a selective handler',
      `try { ${line} } catch (e) { if (e instanceof NotFound) res.status(404).end(); else throw e; }`,
    ],
  ])('accepts: %s', (_, replacement) => {
    expect(judge((text) => text.replace(line, replacement))).toBe('clean');
  });

  it('accepts lines that only moved', () => {
    const moved = (text: string) => `function f() {}\n${text}`;
    expect(judge(moved)).toBe('clean');
  });

  it('says so when it cannot read a language', () => {
    const file = { path: 'main.py', before: 'a', after: 'b' };
    expect(hidingOf([file]).kind).toBe('unreadable');
    expect(hidingOf([{ path: 'a.ts', before: 'const a = 1;', after: 'const a = ;' }]).kind).toBe(
      'unreadable',
    );
  });
});

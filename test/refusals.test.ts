// Two small apps of other shapes than the examples, and wrong and right patches for their bugs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bookings, shop, stock } from './parts/forgetful.ts';
import {
  deployed,
  expectRefused,
  expectVerified,
  issueOf,
  type Patch,
  type Patched,
  replaced,
  type WrongPatch,
} from './parts/patches.ts';
import { type Platform, startPlatform } from './parts/platform.ts';

interface Bug {
  what: string;
  app: 'bookings' | 'shop';
  /** What its issue's title says. */
  title: RegExp;
  wrong: WrongPatch[];
  right: Patch[];
}

let platform: Platform;
const folders = new Map<string, string>();

beforeAll(async () => {
  platform = await startPlatform({ settings: { FIXPOINT_FIX_AUTOMATIC: 'no' } });
  const env = { STOCK_URL: 'http://stock:3000' };
  for (const [app, files] of Object.entries({ stock, bookings, shop })) {
    const folder = await platform.repositoryOf(files);
    folders.set(app, folder);
    await deployed(platform, app, { folder, ...(app === 'shop' ? { env } : {}) });
  }
  await traffic();
});

afterAll(() => platform?.stop());

/** What goes well on every route, and then one request that does not for each bug. */
async function traffic(): Promise<void> {
  const book = (body: unknown) => platform.ask('bookings', 'POST', '/bookings', body);
  const get = (app: string, path: string) => platform.ask(app, 'GET', path);
  const answers = [
    await book({ guest: { name: 'Ada ' }, nights: 2 }),
    await book({ guest: { name: ' Grace' }, nights: 5 }),
    await get('bookings', '/bookings/1'),
    await get('bookings', '/free?from=2027-01-05'),
    await get('bookings', '/free?from=2027-03-31'),
    await get('shop', '/products/1'),
    await get('shop', '/products/2'),
    await get('shop', '/offers/1'),
    await get('shop', '/offers/2'),
    await get('shop', '/offers/3'),
  ];
  expect(answers.map(({ status }) => status)).toEqual([
    ...[201, 201, 200, 200, 200],
    ...[200, 200, 200, 200, 200],
  ]);
  const failing = [
    await book({ nights: 1 }),
    await get('bookings', '/free?from=tomorrow'),
    await get('shop', '/products/9'),
    await get('shop', '/offers/4'),
  ];
  expect(failing.map(({ status }) => status)).toEqual([500, 500, 500, 500]);
}

const line = {
  guest: '  const guest = body.guest.name.trim();',
  from: '  const day = from.toISOString().slice(0, 10);',
  price: '    send(res, 200, { id, price: items[0].price, left: items.length });',
  percent: '    const percent = offer.discount.percent;',
};
const inBookings = (search: string, replace: string): WrongPatch['changes'] => ({
  'bookings.js': replaced([search, replace]),
});
const inShop = (search: string, replace: string): WrongPatch['changes'] => ({
  'src/app.js': replaced([search, replace]),
});
const swallowed = (search: string, answer: string) => `try {\n${search}\n} catch {\n  ${answer}\n}`;

const bugs: Bug[] = [
  {
    what: 'a body that is not validated',
    app: 'bookings',
    title: /reading 'name'/,
    wrong: [
      {
        name: 'a booking of nobody, swallowed',
        changes: {
          'bookings.js': replaced([
            line.guest,
            `  let guest;\n${swallowed(line.guest.replace('const ', ''), "guest = '';")}`,
          ]),
        },
        check: 'not-hidden-in-text',
        says: /swallows/,
      },
      {
        name: 'a booking of somebody made up',
        changes: inBookings(line.guest, "  const guest = body.guest?.name.trim() ?? 'Anonymous';"),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /Anonymous.*made up by the patch/,
      },
      {
        name: 'a booking of null',
        changes: inBookings(line.guest, '  const guest = body.guest?.name.trim() ?? null;'),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /accepted although body\.guest is missing/,
      },
      {
        name: 'a booking of an empty name',
        changes: inBookings(line.guest, "  const guest = body.guest?.name.trim() ?? '';"),
        check: 'outcome-sane',
        says: /guest is not filled/,
      },
      {
        name: 'a booking without its guest',
        changes: inBookings(line.guest, '  const guest = body.guest?.name.trim();'),
        check: 'outcome-sane',
        says: /guest is missing/,
      },
      {
        name: 'every booking refused',
        changes: {
          'app.js': replaced([
            '    res.status(201).json(take(req.body));',
            "    if (req.body.note === undefined) return res.status(400).json({ error: 'no note' });\n" +
              '    res.status(201).json(take(req.body));',
          ]),
        },
        check: 'nothing-else-changed',
        says: /status 400 instead of 201/,
      },
      {
        name: 'success before anything is done',
        changes: {
          'app.js': replaced([
            '    res.status(201).json(take(req.body));',
            '    if (!req.body.guest) return res.status(201).json({});\n' +
              '    res.status(201).json(take(req.body));',
          ]),
        },
        check: 'outcome-sane',
        says: /is missing/,
      },
    ],
    right: [
      {
        name: '400 from the route',
        changes: {
          'app.js': replaced([
            '    res.status(201).json(take(req.body));',
            `    if (typeof req.body?.guest?.name !== 'string') {
      return res.status(400).json({ error: 'guest.name must be a text' });
    }
    res.status(201).json(take(req.body));`,
          ]),
        },
      },
      {
        name: '400 by an error of its own kind',
        changes: {
          'bookings.js': replaced(
            ['const taken = [];', 'class Invalid extends Error {}\n\nconst taken = [];'],
            [
              line.guest,
              "  if (!body?.guest?.name) throw new Invalid('guest.name is missing');\n" +
                line.guest,
            ],
            ['module.exports = { take,', 'module.exports = { Invalid, take,'],
          ),
          'app.js': replaced(
            ['const { take,', 'const { Invalid, take,'],
            [
              '    res.status(201).json(take(req.body));',
              `    try {
      res.status(201).json(take(req.body));
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      res.status(400).json({ error: error.message });
    }`,
            ],
          ),
        },
      },
    ],
  },
  {
    what: 'a date that is none',
    app: 'bookings',
    title: /Invalid time value/,
    wrong: [
      {
        name: 'the beginning of time',
        changes: inBookings(
          line.from,
          `  if (Number.isNaN(from.getTime())) from = new Date(0);\n${line.from}`,
        ),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /accepted although query\.from is not a date/,
      },
      {
        name: 'today instead',
        changes: inBookings(
          line.from,
          `  if (Number.isNaN(from.getTime())) from = new Date();\n${line.from}`,
        ),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /accepted although query\.from is not a date/,
      },
      {
        name: 'no day at all',
        changes: inBookings(
          line.from,
          '  const day = Number.isNaN(from.getTime()) ? null : from.toISOString().slice(0, 10);',
        ),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /accepted although query\.from is not a date/,
      },
      {
        name: 'the words Invalid Date',
        changes: inBookings(
          line.from,
          '  const day = from.toJSON()?.slice(0, 10) ?? String(from);',
        ),
        check: 'outcome-sane',
        says: /day is not a date/,
      },
      {
        name: 'nothing free, swallowed',
        changes: inBookings(
          `${line.from}\n  return { day, rooms: 12 };`,
          swallowed(
            `${line.from}\n  return { day, rooms: 12 };`,
            'return { day: null, rooms: 0 };',
          ),
        ),
        check: 'not-hidden-in-text',
        says: /swallows/,
      },
      {
        name: '400 with the day of others changed',
        changes: {
          'app.js': replaced([
            '    res.status(200).json(freeOn(new Date(req.query.from)));',
            `    const from = new Date(req.query.from);
    if (Number.isNaN(from.getTime())) return res.status(400).json({ error: 'from is no date' });
    res.status(200).json(freeOn(new Date(from.getTime() + 86_400_000)));`,
          ]),
        },
        check: 'nothing-else-changed',
        says: /GET \/free is answered differently: day/,
      },
    ],
    right: [
      {
        name: '400 for what is no date',
        changes: {
          'app.js': replaced([
            '    res.status(200).json(freeOn(new Date(req.query.from)));',
            `    const from = new Date(req.query.from);
    if (Number.isNaN(from.getTime())) return res.status(400).json({ error: 'from is no date' });
    res.status(200).json(freeOn(from));`,
          ]),
        },
      },
      {
        name: '400 by a narrow catch',
        changes: {
          'app.js': replaced([
            '    res.status(200).json(freeOn(new Date(req.query.from)));',
            `    try {
      res.status(200).json(freeOn(new Date(req.query.from)));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      res.status(400).json({ error: 'from is no date' });
    }`,
          ]),
        },
      },
    ],
  },
  {
    what: 'an empty list from another service',
    app: 'shop',
    title: /reading 'price'/,
    wrong: [
      {
        name: 'a price of null',
        changes: inShop(
          line.price,
          line.price.replace('items[0].price', 'items[0]?.price ?? null'),
        ),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /what the request names was not found/,
      },
      {
        name: 'a price of nothing',
        changes: inShop(line.price, line.price.replace('items[0].price', 'items[0]?.price ?? 0')),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /price is not positive/,
      },
      {
        name: 'a price made up',
        changes: inShop(
          line.price,
          line.price.replace('items[0].price', 'items[0]?.price ?? 9.99'),
        ),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /what the request names was not found/,
      },
      {
        name: 'stock asked another question',
        changes: inShop('/items?product=', '/items?of=8&product='),
        check: 'error-gone',
        answer: 'unknown',
        says: /asks what the recording does not hold: GET \/items/,
      },
      {
        name: 'a second question to stock',
        changes: inShop(
          line.price,
          `    if (items.length === 0) await stock(\`/archive/\${id}\`);\n    if (items.length === 0) return send(res, 404, { error: 'no such product' });\n${line.price}`,
        ),
        check: 'error-gone',
        answer: 'unknown',
        says: /asks what the recording does not hold.*archive/,
      },
    ],
    right: [
      {
        name: '404 for what is not there',
        changes: inShop(
          line.price,
          `    if (items.length === 0) return send(res, 404, { error: 'no such product' });\n${line.price}`,
        ),
      },
    ],
  },
  {
    what: 'a field that another service leaves out',
    app: 'shop',
    title: /reading 'percent'/,
    wrong: [
      {
        name: '404 for an offer that is there',
        changes: inShop(
          line.percent,
          `    if (!offer.discount) return send(res, 404, { error: 'no such offer' });\n${line.percent}`,
        ),
        check: 'outcome-sane',
        says: /as good as successful ones/,
      },
      {
        name: 'a discount made up',
        changes: inShop(line.percent, line.percent.replace('.percent', '?.percent ?? 15')),
        check: 'outcome-sane',
        answer: 'unknown',
        says: /"15" in the answer is made up/,
      },
      {
        name: 'an answer without asking',
        changes: inShop(
          '    const offer = await',
          `    if (id === '4') return send(res, 200, { id, percent: 20, price: 10 });\n    const offer = await`,
        ),
        check: 'calls-before-equal',
        says: /no longer makes a call/,
      },
      {
        name: 'a percentage that is undefined',
        changes: inShop(line.percent, line.percent.replace('.percent', '?.percent')),
        check: 'outcome-sane',
        says: /percent is missing/,
      },
      {
        name: 'an error log removed',
        changes: {
          'src/server.js': replaced(['    console.error(error);\n', '']),
          'src/app.js': replaced([
            line.percent,
            line.percent.replace('.percent', '?.percent ?? 0'),
          ]),
        },
        check: 'not-hidden-in-text',
        says: /error log/,
      },
    ],
    right: [
      {
        name: 'no discount where none is named',
        changes: inShop(line.percent, line.percent.replace('.percent', '?.percent ?? 0')),
      },
    ],
  },
];

describe.each(bugs)('$what', ({ app, title, wrong, right }) => {
  const patched: Patched = { app, folder: '', issueId: 0 };
  beforeAll(async () => {
    patched.folder = folders.get(app)!;
    patched.issueId = (await issueOf(platform, app, title)).id;
  });

  it.each(wrong)('refuses $name', (patch) => expectRefused(platform, patched, patch));

  it.each(right)('verifies $name', async (patch) => {
    await expectVerified(platform, patched, patch);
  });
});

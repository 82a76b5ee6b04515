/** What is left out changes nothing: the state equals that of a reader which saw every byte. */
import { expect, it } from 'vitest';
import type { Chunk } from '../domain/wire.ts';
import { random } from '../protocols/fake-wire.ts';
import * as pg from '../protocols/postgres/fake-messages.ts';
import { postgres } from '../protocols/postgres/postgres.ts';
import { Tracked } from './connection.ts';
import { Turns } from './turns.ts';

const { client, server } = pg;
const done = (tag: string, status = 'I') => pg.join(server.complete(tag), server.ready(status));

type Turn = [asked: Buffer, answered: Buffer];

/** Turns of an ordinary session; those that matter are rare among those that do not. */
function turnOf(chance: number, n: number): Turn {
  const name = `s${n % 5}`;
  const run = pg.join(client.bind(name, [`${n}`]), client.execute(), client.sync);
  if (chance < 0.5) {
    return [run, pg.join(server.bound, server.row('x'), done('SELECT 1'))];
  }
  if (chance < 0.6) {
    const parse = pg.join(client.parse('', `SELECT ${n}`), client.bind('', []), client.execute());
    return [pg.join(parse, client.sync), pg.join(server.parsed, server.bound, done('SELECT 1'))];
  }
  if (chance < 0.7) {
    const ask = pg.join(client.parse(name, `SELECT ${n}, $1`), client.describe('S', name));
    const told = pg.join(server.parsed, server.parameters([23]), server.columns([['a', 25]]));
    return [pg.join(ask, client.sync), pg.join(told, server.ready())];
  }
  if (chance < 0.75) return [client.query(`SET search_path TO s${n}`), done('SET')];
  if (chance < 0.8)
    return [client.query(`SELECT set_config('a.b', '${n}', false)`), done('SELECT 1')];
  if (chance < 0.85) return [client.query('BEGIN'), done('BEGIN', 'T')];
  if (chance < 0.9) return [client.query('ROLLBACK'), done('ROLLBACK')];
  if (chance < 0.95) return [run, pg.join(server.error('42P01', 'no'), server.ready())];
  return [client.query(`SELECT ${n}`), done('SELECT 1')];
}

it('follows a session as a reader does that sees all of it', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const turns: Turn[] = [[client.start('app'), pg.join(server.ok, server.ready())]];
    for (let n = 0; n < 120; n++) turns.push(turnOf(next(), n));
    const chunks = chunksOf(turns, next);
    const tracked = trackedOf();
    const follower = new Turns(tracked, 1 << 20);
    const reader = postgres.reader(tracked.asHead, { bodyBytesMax: 1 << 20 });
    let fed = 0;
    for (const [index, chunk] of chunks.entries()) {
      follower.take(chunk);
      if (index % 17 !== 0) continue;
      const state = follower.state();
      const { opening } = state;
      const carried = state.carried();
      for (const each of chunks.slice(fed, index + 1 - opening.length)) reader.feed(each);
      fed = index + 1 - opening.length;
      expect(textOf(carried), `seed ${seed}, chunk ${index}`).toEqual(textOf(reader.carried()));
    }
  }
});

it('spares the reader nearly everything of a busy connection', () => {
  let fed = 0;
  const tracked = trackedOf();
  tracked.protocol = {
    ...postgres,
    reader: (head, options) => {
      const reader = postgres.reader(head, options);
      return {
        ...reader,
        feed: (chunk) => {
          fed += chunk.bytes.length;
          reader.feed(chunk);
        },
        skip: (gap) => reader.skip(gap),
        take: () => reader.take(),
        carried: () => reader.carried(),
        close: (at) => reader.close(at),
      };
    },
  };
  const follower = new Turns(tracked, 1 << 20);
  const turns: Turn[] = [[client.start('app'), pg.join(server.ok, server.ready())]];
  turns.push(turnOf(0.65, 0));
  for (let n = 0; n < 1000; n++) turns.push(turnOf(0.1, 0));
  const chunks = chunksOf(turns, () => 1);
  for (const chunk of chunks) follower.take(chunk);
  expect(textOf(follower.state().carried()).length).toBeGreaterThan(0);
  const total = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  expect(fed).toBeLessThan(total / 50);
});

/** Sometimes cut in two, as networks do. */
function chunksOf(turns: readonly Turn[], next: () => number): Chunk[] {
  const at = { client: 0, server: 0 };
  const chunks: Chunk[] = [];
  for (const [asked, answered] of turns) {
    for (const [from, bytes] of [
      ['client', asked],
      ['server', answered],
    ] as const) {
      const cut = next() < 0.2 ? Math.floor(bytes.length / 2) : bytes.length;
      for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        if (piece.length === 0) continue;
        chunks.push({ from, pos: at[from], at: chunks.length, bytes: piece });
        at[from] += piece.length;
      }
    }
  }
  return chunks;
}

function trackedOf(): Tracked {
  const nowhere = { address: '10.0.0.1', port: 5432 };
  const tracked = new Tracked({
    ...{ index: 1, id: 'c1', direction: 'outbound', transport: 'tcp', openedAt: 0 },
    ...{ client: nowhere, server: nowhere },
  });
  tracked.protocol = postgres;
  return tracked;
}

/** Positions differ by what was left out; what counts is who said what, in order. */
function textOf(chunks: readonly Chunk[]): string {
  let text = '';
  let from = '';
  for (const chunk of chunks) {
    if (chunk.from !== from) text += `\n${chunk.from}: `;
    from = chunk.from;
    text += Buffer.from(chunk.bytes)
      .toString('latin1')
      .replace(/[^ -~]+/g, '.');
  }
  return text;
}

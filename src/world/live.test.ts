// One connection of the app in a replay: what it hears, and what is written down of it.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Divergence, Served } from '../domain/outcome.ts';
import type { Connection, Endpoint } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { chunksOf, head, type Said } from '../protocols/fake-wire.ts';
import { protocols } from '../protocols/protocols.ts';
import { Book } from './book.ts';
import { Directory } from './directory.ts';
import { recordedOf } from './entry.ts';
import { recorded } from './fake-recorded.ts';
import { Live, type Step } from './live.ts';
import { Notebook } from './notebook.ts';

const rates: Endpoint = { address: '10.0.0.3', port: 8080 };
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: rates\r\n\r\n`;
const ok = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

let served: Served[];
let diverged: Divergence[];

beforeEach(() => {
  served = [];
  diverged = [];
});

/** A connection to a server, in a world whose trigger recorded these connections. */
function connect(connections: Partial<Connection>[], server: Endpoint = rates): Live {
  const whole = connections.map(
    (one, i): Connection => ({
      ...{ ...head, id: `c${i}`, server: rates, openedAt: 1, closedAt: null, protocol: null },
      ...{ chunks: [], gaps: [], carried: [] },
      ...one,
    }),
  );
  const exchanges = exchangesOf(whole);
  const { recording } = recorded('trigger', [], { connections: whole, triggerExchangeId: null });
  recording.callExchangeIds = exchanges.map((exchange) => exchange.id);
  const trigger = recordedOf({ recording, exchanges, protocols, source: 'trigger' });
  const [book, directory] = [new Book(), new Directory()];
  book.openScope({ trigger, siblings: [] });
  book.begin({ kind: 'trigger' });
  directory.add(trigger);
  const notebook = new Notebook({
    onServed: (one) => served.push(one),
    onDiverged: (one) => diverged.push(one),
  });
  const socket = { id: 'live', transport: 'tcp' as const, client: head.client, server };
  return new Live({ book, directory, notebook, protocols }, socket);
}

const talk = (...said: Said[]) => ({ chunks: chunksOf(said) });
const textOf = (step: Step) => Buffer.concat(step.send).toString();
const say = (live: Live, text: string) => live.receive(Buffer.from(text));

describe('a connection of the app', () => {
  it('hears what was recorded, however its question is cut', async () => {
    const live = connect([talk(['client', get('/EUR')], ['server', ok('2')])]);
    expect(live.open()).toEqual({ send: [], next: 'go-on' });
    const bytes = get('/EUR');
    for (const one of bytes.slice(0, -1)) expect(say(live, one).send).toEqual([]);
    expect(textOf(say(live, bytes.slice(-1)))).toContain('\r\n\r\n2');
    await Promise.resolve();
    expect(served).toMatchObject([{ title: 'GET /EUR', grade: 'exact', duringBoot: true }]);
    expect(diverged).toEqual([]);
  });

  it('hears an error of the protocol where nothing is recorded, and can go on', async () => {
    const live = connect([talk(['client', get('/EUR')], ['server', ok('2')])]);
    const step = say(live, get('/USD'));
    expect([textOf(step).split('\r\n')[0], step.next]).toEqual([
      'HTTP/1.1 502 Bad Gateway',
      'go-on',
    ]);
    expect(diverged[0]?.nearest?.difference).toBe('path: recorded "/EUR", asked "/USD"');
    expect(textOf(say(live, get('/EUR')))).toContain('200 OK');
    await Promise.resolve();
    expect(served.map(({ grade }) => grade)).toEqual(['none', 'exact']);
  });

  it('is left without an answer, or hung up on, where that is what happened', () => {
    const open = connect([talk(['client', get('/EUR')])]);
    expect(say(open, get('/EUR'))).toEqual({ send: [], next: 'go-on' });
    expect(say(open, get('/USD'))).toEqual({ send: [], next: 'go-on' });
    const closed = connect([{ ...talk(['client', get('/EUR')]), closedAt: 5000 }]);
    expect(say(closed, get('/EUR'))).toEqual({ send: [], next: 'end' });
  });

  it('is told of at once when it goes to a server that is not recorded', () => {
    const live = connect([talk(['client', get('/EUR')], ['server', ok('2')])], {
      ...{ address: '10.0.0.4', port: 8080 },
    });
    expect(diverged).toMatchObject([{ protocol: 'tcp', server: { address: '10.0.0.4' } }]);
    expect(textOf(say(live, get('/EUR').replace('rates', 'other')))).toContain('502 Bad Gateway');
    expect(diverged).toHaveLength(2);
  });

  it('is reset when it speaks what was never spoken there', () => {
    const live = connect([
      talk(['client', get('/EUR')], ['server', ok('2')]),
      { ...talk(['client', get('/EUR')], ['server', ok('2')]), protocol: 'postgres' },
    ]);
    expect(say(live, '\u0001\u0002\u0003\r\n\r\n')).toEqual({ send: [], next: 'reset' });
    expect(diverged[0]?.title).toContain('in no protocol that was recorded there');
  });
});

describe('the notebook', () => {
  const decision = {
    ...{ reply: { kind: 'assumed' as const, examples: [] }, grade: 'assumed' as const },
    ...{ source: 'sibling' as const, exchangeId: 's/1', unanswered: null, nearest: null },
  };
  const [entry] = recorded('trigger', [
    { ask: { verb: 'insert', table: 't', value: '1' }, answer: 'ok', at: 1 },
  ]).entries;

  it('tells of made-up values together with their question', async () => {
    const notebook = new Notebook({ onServed: (one) => served.push(one), onDiverged: () => {} });
    notebook.asked(entry!.question, decision);
    notebook.synthesised(entry!.question, 'ready');
    notebook.assumed(['id']);
    await Promise.resolve();
    expect(served.map(({ grade, assumed }) => [grade, assumed])).toEqual([
      ['assumed', ['id']],
      ['synthesised', []],
    ]);
  });

  it('takes back what could not be put into an answer', async () => {
    const notebook = new Notebook({
      onServed: (one) => served.push(one),
      onDiverged: (one) => diverged.push(one),
    });
    notebook.asked(entry!.question, decision);
    notebook.unusable('no common shape');
    await Promise.resolve();
    expect(served).toMatchObject([{ grade: 'none', source: 'none', exchangeId: null }]);
    expect(diverged[0]?.nearest).toMatchObject({
      exchangeId: 's/1',
      difference: 'no common shape',
    });
  });
});

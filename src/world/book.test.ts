// The rules by which recorded answers are given: above all, never one recorded for another question.
import { describe, expect, it } from 'vitest';
import { Book, type Decision } from './book.ts';
import { type Ask, type Call, question, recorded } from './fake-recorded.ts';

const read = (value: string, noise?: string): Ask => ({
  ...{ verb: 'select', table: 'users', value, effect: 'read' },
  ...(noise === undefined ? {} : { noise }),
});
const write = (value: string): Ask => ({
  ...{ verb: 'insert', table: 'audit', value, effect: 'write' },
});

function opened(options: {
  boot?: Call[];
  trigger?: Call[];
  siblings?: Call[][];
  causality?: 'exact' | 'candidates';
}): Book {
  const book = new Book();
  book.openBoot(recorded('boot', options.boot ?? []));
  const { causality = 'exact' } = options;
  book.openScope({
    trigger: recorded('trigger', options.trigger ?? [], { causality }),
    siblings: (options.siblings ?? []).map((calls) => recorded('sibling', calls)),
  });
  return book;
}

/** What came of it, in one line: grade, source and the answer that was given. */
function outcomeOf({ grade, source, reply }: Decision): string {
  const said = reply.kind === 'recorded' ? String(reply.exchange.response?.meaning) : reply.kind;
  return `${grade} ${source} ${said}`;
}

function asked(book: Book, ...asks: Ask[]): string[] {
  return asks.map((ask) => outcomeOf(book.ask(question(ask), 0)));
}

function triggered(options: Parameters<typeof opened>[0]): Book {
  const book = opened(options);
  book.begin({ kind: 'trigger' });
  return book;
}

describe('the book, for the calls of the trigger itself', () => {
  it('answers what was asked, and grades how equal the question was', () => {
    const book = triggered({ trigger: [{ ask: read('7', 'trace-1'), answer: 'ann', at: 110 }] });
    expect(asked(book, read('7', 'trace-1'), read('7', 'trace-2'))).toEqual([
      'exact trigger ann',
      'normalised trigger ann',
    ]);
  });

  it('has no answer to another question, and names the nearest with what differs', () => {
    const book = triggered({ trigger: [{ ask: read('7'), answer: 'ann', at: 110 }] });
    const decision = book.ask(question(read('8')), 0);
    expect(outcomeOf(decision)).toBe('none none none');
    expect(decision.nearest).toEqual({
      exchangeId: 'trigger/1',
      title: 'select users',
      difference: 'value: recorded "7", asked "8"',
    });
  });

  it('gives different answers to equal questions in recorded order, and then none', () => {
    const trigger = ['a', 'b'].map((answer, i) => ({ ask: read('7'), answer, at: 110 + i }));
    expect(asked(triggered({ trigger }), read('7'), read('7'), read('7'))).toEqual([
      'ordered trigger a',
      'ordered trigger b',
      'none none none',
    ]);
  });

  it('refuses different answers when other requests were in flight', () => {
    const trigger = ['a', 'b'].map((answer, i) => ({ ask: read('7'), answer, at: 110 + i }));
    const book = triggered({ trigger, causality: 'candidates' });
    expect(asked(book, read('7'))).toEqual(['none none none']);
  });

  it('repeats what was always answered alike, when it reads', () => {
    const trigger = [{ ask: read('7'), answer: 'ann', at: 110 }];
    expect(asked(triggered({ trigger }), read('7'), read('7'), read('7'))).toEqual(
      Array(3).fill('exact trigger ann'),
    );
  });

  it('acknowledges a write as often as it was recorded, not once more', () => {
    const trigger = [{ ask: write('x'), answer: 'ok', at: 110 }];
    expect(asked(triggered({ trigger }), write('x'), write('x'))).toEqual([
      'exact trigger ok',
      'none none none',
    ]);
  });

  it('does not answer a read with what was true before a write', () => {
    const trigger = [
      { ask: read('7'), answer: 'before', at: 110 },
      { ask: write('x'), answer: 'ok', at: 120 },
    ];
    const book = triggered({ trigger });
    expect(asked(book, read('7'), write('x'), read('7'))).toEqual([
      'exact trigger before',
      'exact trigger ok',
      'none none none',
    ]);
  });

  it('does not answer a read with what was true after a write that was not made', () => {
    const trigger = [
      { ask: read('7'), answer: 'before', at: 110 },
      { ask: write('x'), answer: 'ok', at: 120 },
      { ask: read('7'), answer: 'after', at: 130 },
    ];
    expect(asked(triggered({ trigger }), write('x'), read('7'))).toEqual([
      'exact trigger ok',
      'ordered trigger after',
    ]);
    expect(asked(triggered({ trigger }), read('7'), read('7'))).toEqual([
      'ordered trigger before',
      'none none none',
    ]);
  });

  it('takes calls that overlapped in either order', () => {
    const trigger = [
      { ask: read('7'), answer: 'ann', at: 110 },
      { ask: write('x'), answer: 'ok', at: 110.2 },
    ];
    expect(asked(triggered({ trigger }), write('x'), read('7'))).toEqual([
      'exact trigger ok',
      'exact trigger ann',
    ]);
  });

  it('never serves what is not whole', () => {
    const trigger: Call[] = [{ ask: read('7'), answer: 'an', at: 110, end: 'gap' }];
    expect(asked(triggered({ trigger }), read('7'))).toEqual(['none none none']);
  });

  it('leaves unanswered what was never answered', () => {
    const trigger: Call[] = [{ ask: read('7'), answer: null, at: 110 }];
    const decision = triggered({ trigger }).ask(question(read('7')), 0);
    expect([decision.grade, decision.unanswered]).toEqual(['exact', 'silent']);
  });

  it('asks another server for nothing that this one was asked', () => {
    const trigger = [{ ask: { ...read('7'), serverName: 'db' }, answer: 'ann', at: 110 }];
    const at = (address: string, serverName: string | null) => ({
      ...{ ...read('7'), serverName, server: { address, port: 5432 } },
    });
    const book = triggered({ trigger });
    expect(asked(book, at('10.0.0.2', null), at('10.9.9.9', 'db'), at('10.9.9.9', null))).toEqual([
      'exact trigger ann',
      'exact trigger ann',
      'none none none',
    ]);
  });
});

describe('the book, beyond the calls of the trigger', () => {
  it('prefers its own recording, then the start, then siblings', () => {
    const book = triggered({
      trigger: [{ ask: read('1'), answer: 'own', at: 110 }],
      boot: [1, 2].map((n) => ({ ask: read(`${n}`), answer: 'boot', at: 10 })),
      siblings: [[1, 2, 3].map((n) => ({ ask: read(`${n}`), answer: 'sibling', at: 110 }))],
    });
    expect(asked(book, read('1'), read('2'), read('3'))).toEqual([
      'exact trigger own',
      'exact boot boot',
      'exact sibling sibling',
    ]);
  });

  it('takes from siblings only what all of them saw', () => {
    const sibling = (answer: string) => [{ ask: read('3'), answer, at: 110 }];
    expect(asked(triggered({ siblings: [sibling('a'), sibling('b')] }), read('3'))).toEqual([
      'none none none',
    ]);
  });

  it('takes nothing from another time once a change was made there', () => {
    const book = triggered({
      trigger: [{ ask: write('x'), answer: 'ok', at: 110 }],
      siblings: [[{ ask: read('3'), answer: 'old', at: 110 }]],
    });
    expect(asked(book, write('x'), read('3'))).toEqual(['exact trigger ok', 'none none none']);
  });

  it('takes nothing from before a change that the recording itself holds', () => {
    const earlier: Call[] = [
      { ask: read('stock'), answer: '5', at: 50, own: false },
      { ask: write('x'), answer: 'ok', at: 60, own: false },
    ];
    expect(asked(triggered({ trigger: earlier }), read('stock'))).toEqual(['none none none']);
    const later: Call[] = [{ ask: read('stock'), answer: '4', at: 70, own: false }];
    expect(asked(triggered({ trigger: [earlier[1]!, ...later] }), read('stock'))).toEqual([
      'exact trigger 4',
    ]);
  });

  it('assumes a write of a form that siblings saw acknowledged, and only there', () => {
    const siblings: Call[][] = [
      [{ ask: write('a'), answer: 'ok', at: 110 }],
      [{ ask: write('b'), answer: 'refused', at: 110, error: 'duplicate key' }],
    ];
    const book = triggered({ siblings });
    const decision = book.ask(question(write('new')), 0);
    expect(decision.grade).toBe('assumed');
    expect(decision.reply).toMatchObject({ kind: 'assumed', examples: [{ id: 'sibling/1' }] });
    const other: Ask = { verb: 'delete', table: 'audit', value: 'a', effect: 'write' };
    expect(asked(book, other)).toEqual(['none none none']);
  });

  it('assumes nothing while the app starts', () => {
    const book = opened({ siblings: [[{ ask: write('a'), answer: 'ok', at: 110 }]] });
    expect(asked(book, write('new'))).toEqual(['none none none']);
  });

  it('gives a poller the newest answer of the time before', () => {
    const book = triggered({
      boot: [{ ask: read('flags'), answer: 'v1', at: 10 }],
      trigger: [
        { ask: read('flags'), answer: 'v2', at: 60, own: false },
        { ask: read('flags'), answer: 'v3', at: 90, own: false },
      ],
    });
    expect(asked(book, read('flags'))).toEqual(['ordered trigger v3']);
  });

  it('lets the start finish late what it had not asked yet, once', () => {
    const book = opened({ boot: [{ ask: write('migrated'), answer: 'ok', at: 10 }] });
    book.begin({ kind: 'trigger' });
    expect(asked(book, write('migrated'), write('migrated'))).toEqual([
      'exact boot ok',
      'none none none',
    ]);
  });

  it('answers an earlier request with what was answered to it then', () => {
    const trigger: Call[] = [
      { ask: read('count'), answer: '1', at: 50, own: false },
      { ask: read('count'), answer: '2', at: 110 },
    ];
    const book = opened({ trigger });
    const earlier = recorded('trigger', trigger);
    const first = earlier.exchanges.find((exchange) => exchange.id === 'trigger/1')!;
    const inbound = { ...first, id: 'inbound/0', direction: 'inbound' as const };
    inbound.request = { ...first.request!, startedAt: 40 };
    inbound.response = { ...first.response!, endedAt: 60 };
    book.openScope({
      trigger: { ...earlier, exchanges: [inbound, ...earlier.exchanges] },
      siblings: [],
    });
    book.begin({ kind: 'prefix', exchangeId: 'inbound/0' });
    expect(asked(book, read('count'))).toEqual(['exact trigger 1']);
    book.begin({ kind: 'trigger' });
    expect(asked(book, read('count'))).toEqual(['exact trigger 2']);
  });
});

describe('the book, over many random recordings', () => {
  it('never gives an answer that was recorded for another question', () => {
    const random = seeded(20240229);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const anyAsk = (): Ask => ({
      verb: pick(['select', 'insert', 'begin']),
      table: pick(['users', 'orders']),
      value: pick(['1', '2', '3']),
      noise: pick(['', 'n']),
      effect: pick(['read', 'write', 'unknown', 'control'] as const),
      server: { address: pick(['10.0.0.2', '10.0.0.3']), port: pick([5432, 5433]) },
      serverName: pick([null, 'db', 'other']),
    });
    // The answer says what it answers, so that a wrong one gives itself away.
    const anyCalls = (count: number): Call[] =>
      Array.from({ length: count }, () => {
        const ask = anyAsk();
        const answer = `${identityOf(ask)} ${pick(['x', 'y'])}`;
        return { ask, answer, at: Math.floor(random() * 300), own: random() < 0.5 };
      });
    let served = 0;
    for (let round = 0; round < 400; round++) {
      const book = opened({
        ...{ boot: anyCalls(8), trigger: anyCalls(16), siblings: [anyCalls(8), anyCalls(8)] },
        causality: pick(['exact', 'candidates'] as const),
      });
      for (let step = 0; step < 30; step++) {
        if (step === 10) book.begin({ kind: 'trigger' });
        const ask = anyAsk();
        const { reply, grade } = book.ask(question(ask), 0);
        if (reply.kind === 'assumed') {
          const forms = reply.examples.map((e) => (e.request!.meaning as Ask).verb);
          expect([...new Set(forms)]).toEqual([ask.verb]);
        }
        if (reply.kind !== 'recorded') continue;
        served++;
        const given = reply.exchange.request!.meaning as Ask;
        expect(identityOf(given)).toBe(identityOf(ask));
        expect(String(reply.exchange.response!.meaning)).toContain(identityOf(ask));
        expect(sameServer(given, ask)).toBe(true);
        expect(grade === 'exact' && given.noise !== ask.noise).toBe(false);
      }
    }
    expect(served).toBeGreaterThan(500);
  });
});

function identityOf(ask: Ask): string {
  return `${ask.verb} ${ask.table} ${ask.value}`;
}

function sameServer(a: Ask, b: Ask): boolean {
  const named = a.serverName !== null && a.serverName === b.serverName;
  return a.server!.port === b.server!.port && (a.server!.address === b.server!.address || named);
}

/** Mulberry32: the same numbers on every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

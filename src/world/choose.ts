/** Picks the answer to a question within one tier, or says why none of them may be given. */
import type { Grade } from '../domain/outcome.ts';
import type { Question } from '../protocols/protocol.ts';
import { changes, type Entry, isServable } from './entry.ts';
import type { Tier } from './tier.ts';

export type Choice =
  | { kind: 'found'; entry: Entry; grade: Grade }
  /** The question is recorded here, and still nothing may be answered. */
  | { kind: 'refused'; explanation: string; nearest: Entry }
  /** The question is not recorded here. */
  | { kind: 'absent' };

export interface ChooseOptions {
  question: Question;
  tier: Tier;
  /** Entries of equal questions, in recorded order. */
  equals: readonly Entry[];
  used: ReadonlySet<Entry>;
  /** Changes that the app made to this server since the phase began. */
  changesMade: number;
}

/** The rules of each tier; every refusal names the one that it follows. */
export function choose(options: ChooseOptions): Choice {
  const { question, equals } = options;
  const exact = equals.filter((entry) => entry.question.exactKey === question.exactKey);
  const pool = exact.length > 0 ? exact : equals;
  if (pool.length === 0) return { kind: 'absent' };
  const broken = pool.find((entry) => !isServable(entry));
  if (broken !== undefined) {
    return refuse(broken, `the recorded answer is not whole (${broken.exchange.end})`);
  }
  const grade: Grade = exact.length > 0 ? 'exact' : 'normalised';
  if (options.tier.kind === 'own') return ofOwn({ ...options, pool, grade });
  if (options.tier.kind === 'leftover' || options.tier.kind === 'late') {
    return ofNeighbours({ ...options, pool, grade });
  }
  return ofElsewhen({ ...options, pool, grade });
}

const outdated = 'its answer is older than a change that was made meanwhile';

type Pooled = ChooseOptions & { pool: readonly Entry[]; grade: Grade };

function ofOwn(options: Pooled): Choice {
  const { pool, grade, tier, used, question } = options;
  const first = pool[0]!;
  const unused = pool.filter((entry) => !used.has(entry));
  const alike = areAlike(pool);
  if (unused.length === 0) {
    if (changes(question.effect)) {
      return refuse(pool.at(-1)!, `it was asked ${times(pool.length)} and is asked again`);
    }
    if (!alike) return refuse(pool.at(-1)!, 'it was answered differently each time it was asked');
  }
  if (question.effect !== 'read' && alike) {
    return { kind: 'found', entry: unused[0] ?? first, grade };
  }
  if (tier.mixed) {
    if (alike) return { kind: 'found', entry: unused[0] ?? pool.at(-1)!, grade };
    return refuse(first, 'other requests were in flight and got different answers to it');
  }
  const fitting = (unused.length > 0 ? unused : [pool.at(-1)!]).find((entry) =>
    fits(entry, options),
  );
  if (fitting === undefined) {
    return refuse(unused[0] ?? pool.at(-1)!, 'changes were made before it in another order');
  }
  return { kind: 'found', entry: fitting, grade: alike ? grade : 'ordered' };
}

/** Recorded near by: each may be given once, and a question answered alike also again. */
function ofNeighbours(options: Pooled): Choice {
  const { pool, grade, used, question, tier } = options;
  const unused = pool.filter((entry) => !used.has(entry));
  const alike = areAlike(pool);
  if (unused.length === 0 && changes(question.effect)) return { kind: 'absent' };
  if (!alike && (tier.mixed || unused.length === 0)) {
    return refuse(pool[0]!, 'it was answered differently, in an order that proves nothing');
  }
  const entry = unused[0] ?? pool.at(-1)!;
  const mayBeOutdated = question.effect === 'read' && options.changesMade > 0;
  if (mayBeOutdated && !fits(entry, options)) return refuse(entry, outdated);
  return { kind: 'found', entry, grade: alike ? grade : 'ordered' };
}

/**
 * Recorded at another time: only what reads, was always answered alike, and is not outdated. What
 * was asked at the start and again later is polled: its newest answer of that time is the one.
 */
function ofElsewhen(options: Pooled): Choice {
  const { pool, grade, question, tier } = options;
  if (changes(question.effect)) return { kind: 'absent' };
  const before = pool.filter((entry) => entry.startedAt <= tier.at);
  const alike = areAlike(pool);
  const polled = ['boot', 'trigger'].every((s) => before.some((entry) => entry.source === s));
  if (!alike && (!polled || tier.kind === 'sibling')) {
    return refuse(pool.at(-1)!, 'it was answered differently at other times');
  }
  const entry = alike ? pool.at(-1)! : before.at(-1)!;
  const isOutdated =
    options.changesMade > 0 || (tier.kind === 'elsewhen' && tier.changedSince(entry));
  if (isOutdated && question.effect === 'read') return refuse(entry, outdated);
  return { kind: 'found', entry, grade: alike ? grade : 'ordered' };
}

/** Whether as many changes were made before it now as there were when it was recorded. */
function fits(entry: Entry, options: Pooled): boolean {
  const before = options.tier.changesBefore(entry);
  return before.atLeast <= options.changesMade && options.changesMade <= before.atMost;
}

function areAlike(pool: readonly Entry[]): boolean {
  return pool.every((entry) => entry.answer === pool[0]!.answer);
}

function refuse(nearest: Entry, explanation: string): Choice {
  return { kind: 'refused', explanation, nearest };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

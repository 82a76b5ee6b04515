/**
 * Everything recorded that may answer the app, and the rules by which it does: never an answer
 * recorded for another question, and none at all where the recording leaves room for doubt.
 */
import type { Exchange } from '../domain/exchange.ts';
import type { AnswerSource, Divergence, Grade } from '../domain/outcome.ts';
import type { Instant } from '../domain/time.ts';
import type { Question, Reply } from '../protocols/protocol.ts';
import { type Choice, choose } from './choose.ts';
import { changes, type Entry, type Recorded } from './entry.ts';
import { FreshValues } from './fresh.ts';
import { nearestOf } from './nearest.ts';
import { ownEntries, type Phase, tiersOf } from './phase.ts';
import { sameServer } from './server-identity.ts';
import { type Asked, ServerLists } from './server-lists.ts';
import type { Tier } from './tier.ts';

/** How a question was answered. */
export interface Decision {
  reply: Reply;
  grade: Grade;
  source: AnswerSource;
  exchangeId: string | null;
  /** Set when the recording has no answer to it: what happened to the connection instead. */
  unanswered: 'closed' | 'silent' | null;
  /** Set when nothing recorded answers it. */
  nearest: Divergence['nearest'];
}

const examplesMax = 5;

export class Book {
  #boot: Recorded | null = null;
  #trigger: Recorded | null = null;
  #siblings: Recorded[] = [];
  #tiers: Tier[] = [];
  #tiersByKey = new Map<string, { tier: Tier; equals: Entry[] }[]>();
  /** Changes that earlier phases made when they were recorded, and have not made yet. */
  #leftover = new Set<Entry>();
  readonly #fresh = new FreshValues();
  readonly #lists = new ServerLists();
  #phase: Phase = { kind: 'boot' };
  #used = new Set<Entry>();
  #changesMade: Question[] = [];

  /** The recording of the instance's start; begins its phase. */
  openBoot(boot: Recorded): void {
    this.#boot = boot;
    this.#fresh.learn(this.#all());
    this.begin({ kind: 'boot' });
  }

  /** The recording whose requests are sent next. Call `begin` afterwards. */
  openScope(scope: { trigger: Recorded | null; siblings: Recorded[] }): void {
    this.#leave();
    // Each scope answers afresh; only what the start asks is asked once for all of them.
    for (const entry of this.#used) if (entry.source !== 'boot') this.#used.delete(entry);
    this.#trigger = scope.trigger;
    this.#siblings = scope.siblings;
    this.#lists.fill(this.#all());
    this.#fresh.endScope();
    this.#fresh.learn(this.#all());
    this.#enter(this.#phase);
  }

  /** What is asked from here on belongs to this phase. */
  begin(phase: Phase): void {
    this.#leave();
    this.#changesMade = [];
    this.#enter(phase);
  }

  /** By how much the app's clock is ahead of ours. */
  setClock(offsetUs: number): void {
    this.#fresh.clockOffsetUs = offsetUs;
  }

  /** Looks a question up by the rules and takes note of what was answered; `at` is now. */
  ask(question: Question, at: Instant): Decision {
    const decision = this.#decide(question, at);
    if (changes(question.effect)) this.#changesMade.push(question);
    return decision;
  }

  /** Whether everything that the phase asked when it was recorded has been asked now. */
  get isAsked(): boolean {
    const keyOf = ({ question }: Entry) => `${question.protocol} ${question.normalisedKey}`;
    const asked = new Set([...this.#used].map(keyOf));
    return (this.#tiers[0]?.entries ?? []).every((entry) => asked.has(keyOf(entry)));
  }

  /**
   * Recorded exchanges with a server, for handshake parameters and the like. Own ones come first.
   * The list is filled anew with each scope, as long as anybody holds it.
   */
  exchangesWith(server: Asked): readonly Exchange[] {
    return this.#lists.of(server, this.#all());
  }

  /** Every recorded question, the phase's own first. */
  #entries(): Entry[] {
    const own = this.#tiers[0]?.entries ?? [];
    return [...own, ...this.#all().flatMap((recorded) => recorded.entries)];
  }

  #leave(): void {
    for (const entry of this.#tiers[0]?.entries ?? []) {
      if (changes(entry.question.effect)) this.#leftover.add(entry);
    }
    for (const entry of this.#used) this.#leftover.delete(entry);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#tiers = tiersOf(phase, {
      ...{ boot: this.#boot, trigger: this.#trigger, siblings: this.#siblings },
      leftover: this.#leftover,
    });
    this.#tiersByKey.clear();
  }

  #decide(question: Question, at: Instant): Decision {
    let refusal: Extract<Choice, { kind: 'refused' }> | null = null;
    for (const { tier, equals } of this.#equalsOf(question)) {
      const choice = choose({
        question,
        tier,
        equals: equals.length === 0 && tier.kind === 'own' ? this.#like(question, at) : equals,
        used: this.#used,
        changesMade: this.#changesMade.filter((made) => sameServer(made, question)).length,
      });
      if (choice.kind === 'found') {
        if (!equals.includes(choice.entry)) this.#fresh.adopt(question, choice.entry, at);
        return this.#served(choice.entry, choice.grade);
      }
      if (choice.kind === 'refused') {
        refusal ??= choice;
        if (!changes(question.effect)) break; // a doubt is not settled by going further away
      }
    }
    if (refusal === null && question.effect === 'write') {
      const examples = this.#acknowledged(question);
      if (examples.length > 0) return assumed(examples);
    }
    return this.#none(question, refusal);
  }

  #served(entry: Entry, grade: Grade): Decision {
    this.#used.add(entry);
    const answered = entry.exchange.response !== null;
    return {
      reply: answered
        ? { kind: 'recorded', exchange: this.#fresh.translated(entry.exchange) }
        : { kind: 'none', explanation: 'never answered when it was recorded' },
      grade,
      source: entry.source,
      exchangeId: entry.exchange.id,
      unanswered: answered ? null : entry.connectionClosedAt === null ? 'silent' : 'closed',
      nearest: null,
    };
  }

  #none(question: Question, refusal: Extract<Choice, { kind: 'refused' }> | null): Decision {
    const nearest =
      refusal === null
        ? nearestOf(question, this.#entries())
        : {
            exchangeId: refusal.nearest.exchange.id,
            title: refusal.nearest.exchange.title,
            difference: refusal.explanation,
          };
    const explanation =
      nearest === null
        ? 'nothing like it is recorded'
        : `the nearest recorded is ${nearest.title} (${nearest.difference})`;
    return {
      reply: { kind: 'none', explanation },
      grade: 'none',
      source: 'none',
      exchangeId: null,
      unanswered: null,
      nearest,
    };
  }

  /** Writes of this form that successful siblings made and saw acknowledged. */
  #acknowledged(question: Question): Exchange[] {
    if (this.#phase.kind === 'boot') return [];
    return this.#siblings
      .flatMap(ownEntries)
      .filter((entry) => entry.question.formKey === question.formKey)
      .filter((entry) => changes(entry.question.effect) && sameServer(entry.question, question))
      .filter(({ exchange }) => exchange.end === 'complete' && exchange.error === null)
      .slice(0, examplesMax)
      .map((entry) => entry.exchange);
  }

  /** Of the phase's own, those that differ in values only that every run makes anew. */
  #like(question: Question, at: Instant): Entry[] {
    return this.#tiers[0]!.entries.filter(
      (entry) => sameServer(entry.question, question) && this.#fresh.isEqual(question, entry, at),
    );
  }

  #equalsOf(question: Question): { tier: Tier; equals: Entry[] }[] {
    const key = JSON.stringify([
      question.protocol,
      question.transport,
      question.server,
      question.serverName,
      question.normalisedKey,
    ]);
    let found = this.#tiersByKey.get(key);
    if (found === undefined) {
      found = this.#tiers.map((tier) => ({
        tier,
        equals: tier.entries.filter(
          (entry) =>
            entry.question.normalisedKey === question.normalisedKey &&
            sameServer(entry.question, question),
        ),
      }));
      this.#tiersByKey.set(key, found);
    }
    return found;
  }

  #all(): Recorded[] {
    return [this.#trigger, this.#boot, ...this.#siblings].filter((one) => one !== null);
  }
}

function assumed(examples: Exchange[]): Decision {
  return {
    reply: { kind: 'assumed', examples },
    grade: 'assumed',
    source: 'sibling',
    exchangeId: examples[0]!.id,
    unanswered: null,
    nearest: null,
  };
}

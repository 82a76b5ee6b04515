/** Writes down what the app asked and got, and knows when it has become quiet. */
import type { Divergence, Served } from '../domain/outcome.ts';
import { now } from '../domain/time.ts';
import type { Endpoint, Transport } from '../domain/wire.ts';
import type { Question } from '../protocols/protocol.ts';
import type { Decision } from './book.ts';
import { changes } from './entry.ts';
import type { Asked } from './server-lists.ts';

export class Notebook {
  duringBoot = true;
  #lastActivityMs = performance.now();
  #pending: { served: Served; question: Question } | null = null;
  readonly #onServed: (served: Served) => void;
  readonly #onDiverged: (divergence: Divergence) => void;

  constructor(options: {
    onServed: (served: Served) => void;
    onDiverged: (divergence: Divergence) => void;
  }) {
    this.#onServed = options.onServed;
    this.#onDiverged = options.onDiverged;
  }

  /**
   * A question and how it was answered. It is told on at the end of the turn, so that names of
   * values that its answerer makes up are told with it.
   */
  asked(question: Question, decision: Decision): void {
    const served = this.#serve(question, {
      key: question.exactKey,
      formKey: question.formKey,
      title: question.title,
      effect: question.effect,
      ...(changes(question.effect) ? { fields: question.fields } : {}),
      grade: decision.grade,
      source: decision.source,
      exchangeId: decision.exchangeId,
    });
    this.#pending = { served, question };
    if (decision.grade === 'none') this.#diverge(question, decision.nearest);
  }

  /** An answer that carries no data and was made up by protocol. */
  synthesised(where: Asked, title: string): void {
    const form = `${where.protocol} ${title}`;
    this.#serve(where, {
      ...{ key: form, formKey: form, title, effect: 'control', grade: 'synthesised' },
      ...{ source: 'none', exchangeId: null },
    });
  }

  /** Values that were made up for the question that was asked last, in the same turn. */
  assumed(names: string[]): void {
    this.#pending?.served.assumed.push(...names);
  }

  /** The answer to the question that was asked last, in the same turn, could not be given. */
  unusable(explanation: string): void {
    if (this.#pending === null) return;
    const { served, question } = this.#pending;
    const { exchangeId } = served;
    Object.assign(served, { grade: 'none', source: 'none', exchangeId: null });
    const nearest = { exchangeId: exchangeId ?? '', title: served.title, difference: explanation };
    this.#diverge(question, exchangeId === null ? null : nearest);
  }

  /** Something was sent that no recording knows: to nobody, or in no protocol. */
  stray(stray: {
    transport: Transport;
    server: Endpoint;
    serverName: string | null;
    protocol: string;
    title: string;
  }): void {
    this.active();
    this.#onDiverged({
      ...{ ...stray, at: now(), effect: 'unknown', nearest: null, duringBoot: this.duringBoot },
    });
  }

  active(): void {
    this.#lastActivityMs = performance.now();
  }

  /** Milliseconds since the app last did anything. */
  quietMs(): number {
    return performance.now() - this.#lastActivityMs;
  }

  #diverge(question: Question, nearest: Divergence['nearest']): void {
    const { transport, server, serverName, protocol, title, effect } = question;
    this.#onDiverged({
      ...{ at: now(), transport, server, serverName, protocol, title, effect, nearest },
      duringBoot: this.duringBoot,
    });
  }

  #serve(
    where: Asked,
    what: Omit<Served, 'at' | 'protocol' | 'server' | 'serverName' | 'assumed' | 'duringBoot'>,
  ): Served {
    this.active();
    const { protocol, server, serverName } = where;
    const served: Served = {
      ...{ at: now(), protocol, server, serverName, ...what },
      ...{ assumed: [], duringBoot: this.duringBoot },
    };
    queueMicrotask(() => this.#onServed(served));
    return served;
  }
}

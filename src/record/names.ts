// Names that an instance looked up: the last answer to each question outlives the window, because a
// replay asks again for names whose connections were long open in production.
import type { Connection } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { protocols } from '../protocols/protocols.ts';
import type { Tracked } from './connection.ts';

/** Questions of one instance that are kept. */
export const namesMax = 256;

/** What a connection asked, equal for equal questions; its id where it asked nothing readable. */
export function namesKey(connection: Connection): string {
  const keys = exchangesOf([connection]).map((exchange) => {
    const protocol = protocols.find((each) => each.name === exchange.protocol);
    return protocol?.question(exchange)?.normalisedKey ?? null;
  });
  const known = keys.filter((key) => key !== null);
  return known.length === 0 ? connection.id : known.join('\n');
}

/** Closed look-ups whose bytes have left the window, the last of each question. */
export class Names {
  readonly #byKey = new Map<string, Tracked>();

  add(tracked: Tracked): void {
    const { id, direction, transport, client, server, openedAt, closedAt } = tracked;
    const key = namesKey({
      ...{ id, direction, transport, client, server, openedAt, closedAt, gaps: [], carried: [] },
      protocol: tracked.protocol?.name ?? null,
      chunks: tracked.kept,
    });
    this.#byKey.delete(key);
    this.#byKey.set(key, tracked);
    if (this.#byKey.size <= namesMax) return;
    const oldest = this.#byKey.keys().next().value;
    if (oldest !== undefined) this.#byKey.delete(oldest);
  }

  all(): Tracked[] {
    return [...this.#byKey.values()];
  }
}

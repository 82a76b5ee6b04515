/** What is recorded with each server, in lists that stay true when the recordings change. */
import type { Exchange } from '../domain/exchange.ts';
import type { Question } from '../protocols/protocol.ts';
import type { Recorded } from './entry.ts';
import { sameServer } from './server-identity.ts';

export type Asked = Pick<Question, 'protocol' | 'transport' | 'server' | 'serverName'>;

export class ServerLists {
  #lists: { server: Asked; list: WeakRef<Exchange[]> }[] = [];

  /** A list of what the recordings hold of a server; `fill` fills it anew while it is in use. */
  of(server: Asked, all: readonly Recorded[]): readonly Exchange[] {
    const list = exchangesWith(server, all);
    this.#lists.push({ server, list: new WeakRef(list) });
    return list;
  }

  fill(all: readonly Recorded[]): void {
    this.#lists = this.#lists.filter(({ list }) => list.deref() !== undefined);
    for (const { server, list } of this.#lists) {
      const held = list.deref();
      if (held === undefined) continue;
      held.length = 0;
      for (const exchange of exchangesWith(server, all)) held.push(exchange);
    }
  }
}

function exchangesWith(server: Asked, all: readonly Recorded[]): Exchange[] {
  return all.flatMap((recorded) =>
    recorded.exchanges.filter(
      (exchange) =>
        exchange.direction === 'outbound' &&
        sameServer({ ...exchange, transport: server.transport }, server),
    ),
  );
}

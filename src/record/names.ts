// Names that an instance looked up: the last answer to each question outlives the window, because
// a replay asks again for names whose connections were long open in production.
import type { Instant } from '../domain/time.ts';
import type { Tracked } from './connection.ts';
import type { Flight } from './flight.ts';

/** Questions of one instance that are kept. */
const namesMax = 256;
/** A query's id (RFC 1035 section 4.1.1) is another each time. */
const idBytes = 2;

/**
 * Connections that looked names up until `to`, the last of each question. What they were asked
 * is told from their first datagram.
 */
export function lookUpsBefore(flight: Flight, to: Instant): Tracked[] {
  const found = new Map<string, Tracked>();
  const recent: Tracked[] = [];
  for (const tracked of flight.connections.values()) {
    if (tracked.protocol?.lasting === 'names' && tracked.openedAt <= to) recent.push(tracked);
  }
  for (const tracked of [...recent.reverse(), ...flight.names.reverse()]) {
    if (!found.has(tracked.asked) && found.size < namesMax) found.set(tracked.asked, tracked);
  }
  return [...found.values()];
}

/** What a datagram asks, equal for equal questions. */
export function askedBy(datagram: Uint8Array): string {
  return Buffer.from(datagram.subarray(idBytes, 600)).toString('latin1');
}

/** Closed look-ups whose bytes have left the window, the last of each question. */
export class Names {
  readonly #byQuestion = new Map<string, Tracked>();

  add(tracked: Tracked): void {
    this.#byQuestion.delete(tracked.asked);
    this.#byQuestion.set(tracked.asked, tracked);
    if (this.#byQuestion.size <= namesMax) return;
    const oldest = this.#byQuestion.keys().next().value;
    if (oldest !== undefined) this.#byQuestion.delete(oldest);
  }

  /** Oldest first. */
  all(): Tracked[] {
    return [...this.#byQuestion.values()];
  }
}

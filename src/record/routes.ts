// The route of a request by its first line, read where it lies in the window.
import { routeTemplate } from '../domain/route.ts';
import { requestLineOf } from './answers.ts';
import type { Tracked } from './connection.ts';
import { chunkBytes } from './inbound.ts';

/** Route of a connection's present turn; null when it is no request or no longer held. */
export function turnRoute(tracked: Tracked): string | null {
  const slab = tracked.turnSlab;
  if (slab === null || slab.sequence !== tracked.turnSequence) return null;
  const line = requestLineOf(chunkBytes(slab, tracked.turnIndex));
  return line === null ? null : routeTemplate(line.method, line.target);
}

// Cuts a stretch of time out of a window: the connections with their chunks, copied, beginning
// where an exchange begins as far as the order of messages tells.
import type { Instant } from '../domain/time.ts';
import type { Connection, Gap } from '../domain/wire.ts';
import type { Tracked } from './connection.ts';
import { joinedDatagrams } from './datagrams.ts';
import type { Flight } from './flight.ts';
import { namesKey, namesMax } from './names.ts';
import { flag, type Slab } from './slab.ts';
import type { HeldChunk } from './window.ts';

export interface Range {
  from: Instant;
  to: Instant;
}

/**
 * Copies what happened in `range`; exchanges that it cuts through are kept to their end. Requests
 * that begin after `requestsTo` are left out: on a busy app they are thousands within a grace.
 */
export function cut(flight: Flight, range: Range & { requestsTo?: Instant }): Connection[] {
  const connections: Connection[] = [];
  const inboundRange = { from: range.from, to: range.requestsTo ?? range.to };
  for (const [tracked, slabs] of touched(flight, range)) {
    const own = tracked.inbound && tracked.transport === 'tcp' ? inboundRange : range;
    const chunks = chunksOf(flight, { tracked, slabs, range: own });
    if (chunks.length === 0) continue;
    connections.push(connectionOf(tracked, chunks));
  }
  connections.push(...lookUps(flight, { to: range.to, present: connections }));
  return connections.sort((a, b) => a.openedAt - b.openedAt);
}

/** The last answer to every name that was looked up before: what it told may still be in use. */
function lookUps(flight: Flight, options: { to: Instant; present: Connection[] }): Connection[] {
  const present = new Set(options.present.map((each) => each.id));
  const recent = [...flight.connections.values()]
    .filter((each) => each.protocol?.lasting === 'names' && each.openedAt <= options.to)
    .slice(-2 * namesMax);
  const byKey = new Map<string, Connection>();
  for (const tracked of [...flight.names, ...recent]) {
    if (present.has(tracked.id)) continue;
    const held = heldOf(flight, tracked);
    if (held.length === 0) continue;
    const connection = { ...connectionOf(tracked, held), carried: [] };
    byKey.set(namesKey(connection), connection);
  }
  return [...byKey.values()];
}

/** What was kept of a connection when it left the window, and what is still there. */
function heldOf(flight: Flight, tracked: Tracked): HeldChunk[] {
  const kept = tracked.kept.map((chunk) => ({ ...chunk, ...keptMarks }));
  const next = { client: 0, server: 0 };
  for (const { from, pos, bytes } of kept) next[from] = pos + bytes.length;
  const range = { from: 0, to: Number.POSITIVE_INFINITY };
  const slabs = flight.window.slabs(tracked.openedAt, range.to);
  const held = chunksOf(flight, { tracked, slabs, range });
  return [...kept, ...held.filter((chunk) => chunk.pos >= next[chunk.from])];
}

const keptMarks = { turn: false, continued: false, sequence: 0 };

/** Bytes held of one turn's time, as bookkeeping tells them: for bounding a range beforehand. */
export function bytesBack(flight: Flight, options: { to: Instant; bytesMax: number }): Instant {
  const slabs = flight.window.slabs(0, options.to);
  let bytes = 0;
  for (const slab of slabs.reverse()) {
    for (let index = slab.count - 1; index >= 0; index--) {
      if (slab.at[index]! > options.to) continue;
      bytes += slab.length[index]!;
      if (bytes > options.bytesMax) return slab.at[index]! + 1;
    }
  }
  return 0;
}

/** Connections with chunks in the range, with the slabs to look for them in. */
function touched(flight: Flight, range: Range): Map<Tracked, Slab[]> {
  const within = flight.window.slabs(range.from, range.to);
  const indexes = new Set<number>();
  for (const slab of within) {
    for (let index = 0; index < slab.count; index++) {
      const at = slab.at[index]!;
      if (at >= range.from && at <= range.to) indexes.add(slab.connection[index]!);
    }
  }
  // An exchange that began in the range may end behind it.
  const slabs = flight.window.slabs(range.from, Number.POSITIVE_INFINITY);
  const all = flight.window.slabs(0, Number.POSITIVE_INFINITY);
  const found = new Map<Tracked, Slab[]>();
  for (const index of indexes) {
    const tracked = flight.connections.get(index);
    if (tracked === undefined) continue;
    found.set(tracked, tracked.pipelined || tracked.transport === 'udp' ? all : slabs);
  }
  return found;
}

function chunksOf(
  flight: Flight,
  options: { tracked: Tracked; slabs: Slab[]; range: Range },
): HeldChunk[] {
  const { tracked, slabs, range } = options;
  const whole = tracked.protocol?.lasting === 'state' || tracked.transport === 'udp';
  const chunks: HeldChunk[] = [];
  let begun = whole;
  for (const slab of slabs) {
    for (let index = 0; index < slab.count; index++) {
      if (slab.connection[index] !== tracked.index) continue;
      const turn = (slab.flags[index]! & flag.turn) !== 0;
      const at = slab.at[index]!;
      if (!begun)
        begun = (turn || slab.pos[index] === 0) && (tracked.pipelined || at >= range.from);
      if (!begun) continue;
      if (at > range.to && turn && !tracked.pipelined) return chunks;
      chunks.push(flight.window.copy(slab, index));
    }
  }
  return chunks;
}

function connectionOf(tracked: Tracked, held: HeldChunk[]): Connection {
  const ended = isLast(tracked, held);
  const { carried, opening } = tracked.stateBefore(held[0]!.sequence);
  const { id, direction, transport, client, server, openedAt } = tracked;
  return {
    id,
    direction,
    transport,
    client,
    server,
    openedAt,
    closedAt: ended ? tracked.closedAt : null,
    protocol: tracked.protocol?.name ?? null,
    chunks: transport === 'udp' ? joinedDatagrams(held) : [...opening, ...held.map(plain)],
    gaps: gapsIn(tracked, held),
    carried,
  };
}

/** Whether nothing came after these chunks on either side. */
function isLast(tracked: Tracked, held: HeldChunk[]): boolean {
  return (['client', 'server'] as const).every((side) => {
    const chunk = held.findLast((each) => each.from === side);
    const gap = tracked.gaps.findLast((each) => each.from === side);
    const heldEnd = chunk === undefined ? 0 : chunk.pos + chunk.bytes.length;
    return Math.max(heldEnd, gap === undefined ? 0 : gap.pos + gap.length) >= tracked.next(side);
  });
}

/** Gaps between the first chunk of a side and what follows the last one. */
function gapsIn(tracked: Tracked, held: HeldChunk[]): Gap[] {
  const first = { client: Number.POSITIVE_INFINITY, server: Number.POSITIVE_INFINITY };
  const last = { client: 0, server: 0 };
  for (const { from, pos, bytes } of held) {
    first[from] = Math.min(first[from], pos);
    last[from] = Math.max(last[from], pos + bytes.length);
  }
  const start = held[0]!.at;
  const end = held.at(-1)!.at;
  return tracked.gaps
    .filter((gap) => {
      const inside = gap.pos + gap.length >= first[gap.from] && gap.pos <= last[gap.from];
      return inside || (gap.at >= start && gap.at <= end);
    })
    .map(({ from, pos, length, reason }) => ({ from, pos, length, reason }));
}

function plain({ from, pos, at, bytes }: HeldChunk) {
  return { from, pos, at, bytes };
}

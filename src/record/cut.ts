// Cuts a stretch of time out of a window: the connections with their chunks, copied, beginning
// where an exchange begins as far as the order of messages tells. A full window holds a hundred
// thousand chunks and more, so it is walked over once, by its bookkeeping.
import type { Instant } from '../domain/time.ts';
import type { Connection, Gap, Tls } from '../domain/wire.ts';
import type { Tracked } from './connection.ts';
import { joinedDatagrams } from './datagrams.ts';
import type { Flight } from './flight.ts';
import { lookUpsBefore } from './names.ts';
import { flag, type Slab } from './slab.ts';
import type { HeldChunk } from './window.ts';

export interface Range {
  from: Instant;
  to: Instant;
}

/** What of the app's own requests is wanted; all when absent. On a busy app they are thousands. */
export interface CutRange extends Range {
  /** None that begins later. */
  requestsTo?: Instant;
  /** Those of this connection only. */
  requestsOf?: Tracked;
}

/** Copies what happened in `range`; exchanges that it cuts through are kept to their end. */
export function cut(flight: Flight, range: CutRange): Connection[] {
  const plans = plansFor(flight, range);
  const first = flight.window.slabs(range.from, range.to)[0]?.sequence ?? 0;
  const fromStart = [...plans.values()].some((plan) => plan.whole);
  for (const slab of flight.window.slabs(fromStart ? 0 : range.from, Number.POSITIVE_INFINITY)) {
    collect(flight, slab, { plans, range, isBefore: slab.sequence < first });
  }
  const connections: Connection[] = [];
  for (const { tracked, chunks } of plans.values()) {
    const held = [...keptBefore(tracked, chunks), ...chunks];
    if (held.length > 0) connections.push(connectionOf(tracked, held, range));
  }
  connections.push(...flight.refused.between(range.from, range.to).map(refusedConnection));
  return connections.sort((a, b) => a.openedAt - b.openedAt);
}

function refusedConnection(tracked: Tracked): Connection {
  const { id, direction, transport, client, server, openedAt, closedAt, connectErrno } = tracked;
  return {
    ...{ id, direction, transport, client, server, openedAt, closedAt, connectErrno },
    ...{ protocol: null, chunks: [], gaps: [], carried: [] },
  };
}

/** The instant behind which more than so many bytes lie before `to`. */
export function bytesBack(flight: Flight, options: { to: Instant; bytesMax: number }): Instant {
  let bytes = 0;
  for (const slab of flight.window.slabs(0, options.to).reverse()) {
    for (let index = slab.count - 1; index >= 0; index--) {
      if (slab.at[index]! > options.to) continue;
      bytes += slab.length[index]!;
      if (bytes > options.bytesMax) return slab.at[index]! + 1;
    }
  }
  return 0;
}

/** What is wanted of one connection. */
interface Plan {
  tracked: Tracked;
  /** All that is held of it: pipelined ones have no safe place to begin, look-ups are short. */
  whole: boolean;
  /** No exchange that begins later is wanted. */
  to: Instant;
  begun: boolean;
  ended: boolean;
  chunks: HeldChunk[];
}

/** Connections with chunks in the range, and the look-ups of before. */
function plansFor(flight: Flight, range: CutRange): Map<number, Plan> {
  const plans = new Map<number, Plan>();
  const add = (tracked: Tracked) => {
    const whole = tracked.pipelined || tracked.transport === 'udp';
    // Its state is known before the first slab of the range.
    const fromSlab = tracked.protocol?.lasting === 'state';
    const asked = tracked.inbound && tracked.transport === 'tcp';
    if (asked && range.requestsOf !== undefined && range.requestsOf !== tracked) return;
    const to = asked ? (range.requestsTo ?? range.to) : range.to;
    const begun = whole || fromSlab;
    plans.set(tracked.index, { tracked, whole, to, begun, ended: false, chunks: [] });
  };
  for (const slab of flight.window.slabs(range.from, range.to)) {
    for (let index = 0; index < slab.count; index++) {
      const at = slab.at[index]!;
      if (at < range.from || at > range.to) continue;
      const connection = slab.connection[index]!;
      if (plans.has(connection)) continue;
      const tracked = flight.connections.get(connection);
      if (tracked !== undefined) add(tracked);
    }
  }
  for (const tracked of lookUpsBefore(flight, range.to)) {
    if (!plans.has(tracked.index)) add(tracked);
  }
  return plans;
}

function collect(
  flight: Flight,
  slab: Slab,
  options: { plans: Map<number, Plan>; range: Range; isBefore: boolean },
): void {
  const { plans, range, isBefore } = options;
  for (let index = 0; index < slab.count; index++) {
    const plan = plans.get(slab.connection[index]!);
    if (plan === undefined || plan.ended || (isBefore && !plan.whole)) continue;
    const turns = (slab.flags[index]! & flag.turn) !== 0;
    const at = slab.at[index]!;
    if (!plan.begun) plan.begun = at >= range.from && (turns || slab.pos[index] === 0);
    if (!plan.begun) continue;
    if (at > plan.to && turns && !plan.tracked.pipelined) plan.ended = true;
    else plan.chunks.push(flight.window.copy(slab, index));
  }
}

function connectionOf(tracked: Tracked, held: HeldChunk[], range: Range): Connection {
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
    gaps: gapsIn(tracked, held, range),
    carried,
    ...(tracked.speaksTls ? { tls: opaqueTls } : {}),
  };
}

const opaqueTls: Tls = { kind: 'opaque', reason: 'its plaintext is not taken from the app' };

/** What was kept of a look-up when it left the window, as far as it is not there still. */
function keptBefore(tracked: Tracked, chunks: readonly HeldChunk[]): HeldChunk[] {
  const first = { client: Number.POSITIVE_INFINITY, server: Number.POSITIVE_INFINITY };
  for (const { from, pos } of chunks) first[from] = Math.min(first[from], pos);
  return tracked.kept
    .filter((chunk) => chunk.pos < first[chunk.from])
    .map((chunk) => ({ ...chunk, turn: false, continued: false, sequence: 0 }));
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

/**
 * Gaps from what precedes the first chunk of a side to what follows the last one. A connection
 * that was opened in the range begins with its first byte, whether that is held or not; one of
 * which nothing came later ends with its last.
 */
function gapsIn(tracked: Tracked, held: HeldChunk[], range: Range): Gap[] {
  const begin = tracked.openedAt >= range.from ? 0 : Number.POSITIVE_INFINITY;
  const end = tracked.lastAt <= range.to ? Number.POSITIVE_INFINITY : 0;
  const first = { client: begin, server: begin };
  const last = { client: end, server: end };
  for (const { from, pos, bytes } of held) {
    first[from] = Math.min(first[from], pos);
    last[from] = Math.max(last[from], pos + bytes.length);
  }
  const [from, to] = [held[0]!.at, held.at(-1)!.at];
  return tracked.gaps
    .filter((gap) => {
      const inside = gap.pos + gap.length >= first[gap.from] && gap.pos <= last[gap.from];
      return inside || (gap.at >= from && gap.at <= to);
    })
    .map(({ from, pos, length, reason }) => ({ from, pos, length, reason }));
}

function plain({ from, pos, at, bytes }: HeldChunk) {
  return { from, pos, at, bytes };
}

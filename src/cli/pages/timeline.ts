/** Exists so that people see at a glance which calls a request made, when, and for how long. */
import type { Exchange } from '../../api/contract.ts';
import { cut, duration, oneLine, paint } from '../terminal.ts';

const barColumns = 24;

/** One line for each call: since the request began, how long, to whom, what, and a bar. */
export function timeline(trigger: Exchange | null, calls: Exchange[]): string[] {
  const starts = [trigger, ...calls].map((one) => one?.startedAt ?? null);
  const ends = [trigger, ...calls].map((one) => one?.endedAt ?? null);
  const from = Math.min(...starts.filter((at) => at !== null));
  const to = Math.max(...ends.filter((at) => at !== null), from + 1);
  return calls.map((call) => {
    const start = call.startedAt ?? from;
    const end = call.endedAt ?? to;
    const title = oneLine(call.title);
    const server = cut(oneLine(call.server), 16).padEnd(16);
    const offset = `+${duration((start - from) / 1000)}`.padStart(9);
    const took = (call.endedAt === null ? '…' : duration((end - start) / 1000)).padStart(8);
    const bar = barOf({ start, end, from, to });
    const shown = cut(title, 100 - 9 - 8 - 16 - barColumns - 9).padEnd(100 - 66);
    return `${offset} ${took}  ${server}  ${call.error ? paint('red', shown) : shown}  ${bar}`;
  });
}

function barOf(at: { start: number; end: number; from: number; to: number }): string {
  const scale = barColumns / (at.to - at.from);
  const first = Math.min(barColumns - 1, Math.floor((at.start - at.from) * scale));
  const length = Math.max(1, Math.min(barColumns - first, Math.ceil((at.end - at.start) * scale)));
  const dots = (count: number) => paint('dim', '·'.repeat(count));
  return dots(first) + '━'.repeat(length) + dots(barColumns - first - length);
}

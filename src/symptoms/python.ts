/** Reads Python's tracebacks, with the exceptions they were raised from. */
import { cutMessage, type FoundTrace, type Place, type PrintedTrace, placesMax } from './trace.ts';

const header = 'Traceback (most recent call last):';
const chain =
  /^(?:The above exception was the direct cause of|During handling of the above exception)/;
const raised = /^([A-Za-z_][\w.]*)(?:: (.*))?$/s;
/** Lines that a message may go on for. */
const messageLinesMax = 20;

/** Format: https://docs.python.org/3/library/traceback.html; innermost place first here. */
export function pythonTracesIn(lines: readonly string[]): FoundTrace[] {
  const found: FoundTrace[] = [];
  for (let index = 0; index < lines.length; index++) {
    if (!lines[index]!.endsWith(header) || lines[index]!.startsWith(' ')) continue;
    const first = index;
    const chained: PrintedTrace[] = [];
    for (;;) {
      const one = tracebackAt(lines, index);
      if (one === null) break;
      chained.push(one.trace);
      index = one.last;
      const next = chainedAt(lines, index);
      if (next === null) break;
      index = next;
    }
    // The last one printed is the one that was raised; those before it are its causes.
    const trace = chained.pop();
    if (trace === undefined) continue;
    found.push({ first, last: index, trace: { ...trace, causes: chained.reverse() } });
  }
  return found;
}

function tracebackAt(
  lines: readonly string[],
  start: number,
): { trace: PrintedTrace; last: number } | null {
  const places: Place[] = [];
  let at = start + 1;
  for (; at < lines.length && lines[at]!.startsWith(' '); at++) {
    const place = /^ {2}File "(.*)", line (\d+)(?:, in (.*))?$/.exec(lines[at]!);
    if (place === null) continue;
    const line = Number(place[2]);
    places.push({ file: place[1]!, function: place[3] ?? null, line, column: 0 });
  }
  const head = raised.exec(lines[at] ?? '');
  if (head === null) return null;
  const message = [head[2] ?? ''];
  let last = at;
  // A message may have several lines; nothing tells its end but what follows.
  for (let more = at + 1; more < Math.min(lines.length, at + messageLinesMax); more++) {
    const after = lines.slice(more, more + 2);
    if (chain.test(after[0]!) || (after[0] === '' && chain.test(after[1] ?? ''))) {
      message.push(...lines.slice(at + 1, more));
      last = more - 1;
      break;
    }
  }
  const type = head[1]!.split('.').at(-1)!;
  const innermostFirst = places.reverse().slice(0, placesMax);
  const text = cutMessage(message.join('\n').trim());
  return {
    trace: {
      ...{ runtime: 'python', type, message: text, places: innermostFirst },
      ...{ causes: [], uncaught: false },
    },
    last,
  };
}

/** Index of the header of the traceback that follows on this one; null when there is none. */
function chainedAt(lines: readonly string[], last: number): number | null {
  for (let at = last + 1; at < Math.min(lines.length, last + 3); at++) {
    if (!chain.test(lines[at]!)) continue;
    const next = lines.indexOf(header, at);
    return next > 0 && next <= at + 2 ? next : null;
  }
  return null;
}

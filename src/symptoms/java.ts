/** Reads the JVM's stack traces, with their causes. */
import { cutMessage, type FoundTrace, type Place, type PrintedTrace, placesMax } from './trace.ts';

const placeLine = /^\s+at (?:[\w.@$-]*\/)*([\w$.<>]+)\.([\w$<>]+)\(([^():]*)(?::(\d+))?\)$/;
const named = /(?:^|\s)((?:[a-z_][\w]*\.)+[A-Z][\w$]*)(?:: (.*))?$/;
const messageLinesMax = 20;

/** Format: https://docs.oracle.com/javase/17/docs/api (Throwable.printStackTrace). */
export function javaTracesIn(lines: readonly string[]): FoundTrace[] {
  const found: FoundTrace[] = [];
  let from = 0;
  for (let index = 0; index < lines.length; index++) {
    if (!placeLine.test(lines[index]!)) continue;
    const first = headBefore(lines, index, from);
    if (first === null) continue;
    const uncaught = /^Exception in thread "/.test(lines[first]!);
    const chain: PrintedTrace[] = [];
    let at = first;
    let last = index;
    for (let stack = index; ; ) {
      const end = stackEnd(lines, stack);
      chain.push(traceOf(lines, { head: at, stack, end, uncaught: uncaught && at === first }));
      last = end - 1;
      if (!/^Caused by: /.test(lines[end] ?? '')) break;
      at = end;
      stack = lines.findIndex((line, place) => place > end && placeLine.test(line));
      if (stack < 0 || stack - end > messageLinesMax) break;
    }
    const [trace, ...causes] = chain;
    found.push({ first, last, trace: { ...trace!, causes } });
    from = last + 1;
    index = last;
  }
  return found;
}

function headBefore(lines: readonly string[], index: number, from: number): number | null {
  for (let at = index - 1; at >= Math.max(from, index - messageLinesMax); at--) {
    if (named.test(lines[at]!)) return at;
  }
  return null;
}

/** Behind the last line of a stack, `... 9 more` included. */
function stackEnd(lines: readonly string[], stack: number): number {
  let end = stack;
  while (
    end < lines.length &&
    /^\s+(?:at .+\(.*\)|\.\.\. \d+ (?:more|common frames).*)$/.test(lines[end]!)
  ) {
    end++;
  }
  return end;
}

function traceOf(
  lines: readonly string[],
  part: { head: number; stack: number; end: number; uncaught: boolean },
): PrintedTrace {
  const { head, stack, end, uncaught } = part;
  const name = named.exec(lines[head]!);
  const message = [name?.[2] ?? '', ...lines.slice(head + 1, stack)].join('\n').trim();
  const places = lines
    .slice(stack, end)
    .map(placeOf)
    .filter((place) => place !== null);
  return {
    ...{ runtime: 'java', type: name?.[1]?.split('.').at(-1) ?? 'Throwable' },
    ...{ message: cutMessage(message), places: places.slice(0, placesMax), causes: [], uncaught },
  };
}

/** The file by the package: `com.shop.Main` in `Main.java` is `com/shop/Main.java`. */
function placeOf(line: string): Place | null {
  const found = placeLine.exec(line);
  if (found === null) return null;
  const [, owner = '', method = '', file = '', number] = found;
  const folder = owner.split('.').slice(0, -1).join('/');
  const path = file === '' || / /.test(file) ? owner : `${folder}/${file}`;
  return { file: path, function: `${owner}.${method}`, line: Number(number ?? 0), column: 0 };
}

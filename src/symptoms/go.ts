/** Reads Go's panics: those that end the process, and those that net/http recovers from. */
import { cutMessage, type FoundTrace, type Place, placesMax } from './trace.ts';

const panic = /^(?:.*\bhttp: panic serving [^ ]+: |panic: )(.*)$/;
const goroutine = /^goroutine \d+ (?:gp=\S+ m=\S+(?: mp=\S+)? )?\[.*\]:$/;
/** Lines between a panic and its goroutine: the signal, re-panics, a message of several lines. */
const headLinesMax = 20;

/** Format: https://pkg.go.dev/runtime; only the goroutine that panicked is read. */
export function goTracesIn(lines: readonly string[]): FoundTrace[] {
  const found: FoundTrace[] = [];
  for (let index = 0; index < lines.length; index++) {
    const head = panic.exec(lines[index]!);
    if (head === null) continue;
    const near = lines.slice(index + 1, index + headLinesMax);
    const offset = near.findIndex((line) => goroutine.test(line));
    if (offset < 0) continue;
    const start = index + 1 + offset;
    const { places, last } = placesAt(lines, start + 1);
    const message = head[1]!.replace(/ \[recovered.*\]$/, '');
    const type = message.startsWith('runtime error: ') ? 'runtime error' : 'panic';
    const text = cutMessage(message.replace(/^runtime error: /, ''));
    const uncaught = lines[index]!.startsWith('panic: ');
    found.push({
      first: index,
      last,
      trace: { runtime: 'go', type, message: text, places, causes: [], uncaught },
    });
    index = last;
  }
  return found;
}

/** A call and its place take two lines each. */
function placesAt(lines: readonly string[], start: number): { places: Place[]; last: number } {
  let places: Place[] = [];
  let last = start - 1;
  for (let at = start; at + 1 < lines.length; at += 2) {
    const place = /^\t(.+):(\d+)(?: \+0x[0-9a-f]+)?$/.exec(lines[at + 1]!);
    if (place === null) break;
    last = at + 1;
    const call = lines[at]!;
    if (call.startsWith('created by ')) break;
    // What comes before the call of panic is the runtime's way to whoever recovered.
    if (call.startsWith('panic(')) {
      places = [];
      continue;
    }
    const name = call.replace(/\([^()]*(?:\{[^{}]*\}[^()]*)*\)$/, '');
    places.push({ file: place[1]!, function: name, line: Number(place[2]), column: 0 });
  }
  return { places: places.slice(0, placesMax), last };
}

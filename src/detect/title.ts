// The title of an issue: what failed and where, in one line that people recognise.
import type { Failure, StackLine, Trace } from '../domain/failure.ts';
import { messageOf } from '../symptoms/failures.ts';

const titleCharsMax = 200;

/** `TypeError: Cannot read ... in draftInvoice (src/invoices.ts)`, `500 from GET /orders/:id`. */
export function titleOf(failure: Failure): string {
  const where = failure.trace === null ? null : firstInApp(failure.trace);
  const route = failure.route === null ? '' : ` in ${failure.route}`;
  const text =
    failure.trace === null && failure.status !== null && failure.exit === null
      ? `Answered ${failure.status}${route}`
      : `${messageOf(failure)}${where === null ? route : ` in ${placeText(where)}`}`;
  return oneLine(text);
}

function firstInApp(trace: Trace): StackLine | null {
  const own = trace.lines.find((line) => line.inApp);
  if (own !== undefined) return own;
  for (const cause of trace.causes) {
    const found = firstInApp(cause);
    if (found !== null) return found;
  }
  return null;
}

function placeText(line: StackLine): string {
  return line.function === null ? line.file : `${line.function} (${line.file})`;
}

/** Messages are hostile text: no control characters, no second line, no end in sight. */
function oneLine(text: string): string {
  const plain = text
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > titleCharsMax ? `${plain.slice(0, titleCharsMax - 1)}…` : plain;
}

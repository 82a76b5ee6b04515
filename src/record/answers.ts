// Notices failing answers in passing: a few byte comparisons per message instead of a parser.
// What it reports is a suspicion; reading the exchange decides.

const CR = 0x0d;
const LF = 0x0a;
const H = 0x48;
const five = 0x35;
const space = 0x20;
const versionAndSpace = Buffer.from('HTTP/1.');

/** Length of `HTTP/1.1 500`. */
export const statusLineBytes = 12;

/** The status when an answer with 5xx begins at `offset`, else 0. */
export function failingStatusAt(bytes: Uint8Array, offset: number, end: number): number {
  if (end - offset < statusLineBytes) return 0;
  if (bytes[offset + 9] !== five || bytes[offset] !== H || bytes[offset + 8] !== space) return 0;
  for (let index = 1; index < 7; index++) {
    if (bytes[offset + index] !== versionAndSpace[index]) return 0;
  }
  const tens = bytes[offset + 10]! - 0x30;
  const ones = bytes[offset + 11]! - 0x30;
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) return 0;
  return 500 + tens * 10 + ones;
}

/** Offsets of further failing answers in a chunk that may hold several (pipelining). */
export function failingAnswersIn(
  bytes: Buffer,
  from: number,
): { offset: number; status: number }[] {
  const found: { offset: number; status: number }[] = [];
  for (let at = bytes.indexOf(versionAndSpace, from); at >= 0; ) {
    const status = failingStatusAt(bytes, at, bytes.length);
    if (status > 0) found.push({ offset: at, status });
    at = bytes.indexOf(versionAndSpace, at + 1);
  }
  return found;
}

/** Whether bytes look like the beginning of a request: `GET /`, `POST http://`, `OPTIONS *`. */
export function looksLikeRequest(bytes: Uint8Array, offset: number, end: number): boolean {
  let index = offset;
  while (index < end && index - offset < 20 && bytes[index]! >= 0x41 && bytes[index]! <= 0x5a) {
    index++;
  }
  if (index - offset < 3 || bytes[index] !== space || index + 1 >= end) return false;
  const target = bytes[index + 1]!;
  return target === 0x2f || target === 0x2a || target === 0x68;
}

/** Whether bytes hold the end of one request's head and the beginning of another request. */
export function holdsTwoRequests(bytes: Uint8Array, offset: number, end: number): boolean {
  const headEnd = headEndIn(bytes, offset, end);
  return headEnd > 0 && headEnd < end && looksLikeRequest(bytes, headEnd, end);
}

/** Where a head ends (behind its empty line); 0 when it does not. Looks at every fourth byte. */
function headEndIn(bytes: Uint8Array, offset: number, end: number): number {
  for (let at = offset + 3; at < end; ) {
    const byte = bytes[at]!;
    if (byte === CR) at += 1;
    else if (byte !== LF) at += 4;
    else if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1;
    else at += 2;
  }
  return 0;
}

/** Method and target of a request by its first bytes; null when they are not a request's. */
export function requestLineOf(bytes: Buffer): { method: string; target: string } | null {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, 2048));
  const line = /^([A-Z]{3,20}) (\S+) HTTP\/1\.[01]\r?\n/.exec(text);
  return line === null ? null : { method: line[1]!, target: line[2]! };
}

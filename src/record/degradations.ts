// What of one instance could not be recorded, by its kind, since it is watched. Bounded, because
// the kinds are few.
import type { Degradation } from '../domain/degradation.ts';
import type { Instant } from '../domain/time.ts';
import type { GapReason } from '../domain/wire.ts';

const reasons = {
  'ring-full': 'bytes came faster than they could be taken in',
  'reader-slow': 'bytes came faster than they could be taken in',
  'sensor-restarted': 'the sensor was not running',
  'opened-before-attach': 'connections were open before recording began',
  sendfile: 'the kernel sent bytes from files, past the app (sendfile, splice)',
  'io-uring': 'bytes passed by io_uring, past system calls',
  tls: 'the app speaks TLS, and its plaintext is not taken from it',
  fault: "bytes could not be read from the app's memory",
  window: 'bytes were given up to keep memory bounded',
  'size-limit': 'bytes were beyond a limit',
  redacted: 'bytes were overwritten because they could not be redacted in place',
  'kernel-tls': 'the kernel encrypts a connection for the app (kTLS)',
  'program-32-bit': 'a process runs a 32-bit program, whose calls are not understood',
  'not-stored': 'samples could not be stored: see the log of the server',
  'unseen-bytes': 'the kernel counted bytes that nobody saw pass',
} satisfies Record<GapReason, string> & Record<string, string>;

export type DegradationKind = keyof typeof reasons;

export class Degradations {
  /** Bytes that have a gap in their place, by reason. */
  readonly lostBytes: Record<string, number> = {};
  readonly #all = new Map<DegradationKind, Degradation>();

  lost(reason: GapReason, at: Instant, bytes: number): void {
    this.lostBytes[reason] = (this.lostBytes[reason] ?? 0) + bytes;
    this.note(reason, at, bytes);
  }

  note(kind: DegradationKind, at: Instant, bytes = 0): void {
    const known = this.#all.get(kind);
    if (known === undefined) {
      const reason = reasons[kind];
      this.#all.set(kind, { kind, reason, since: at, last: at, count: 1, bytes });
      return;
    }
    known.last = at;
    known.count++;
    known.bytes += bytes;
  }

  list(): Degradation[] {
    return [...this.#all.values()];
  }
}

/** Those of several instances as one list, the longest known first. */
export function merged(lists: readonly Degradation[][]): Degradation[] {
  const all = new Map<string, Degradation>();
  for (const each of lists.flat()) {
    const known = all.get(each.kind);
    if (known === undefined) {
      all.set(each.kind, { ...each });
      continue;
    }
    known.since = Math.min(known.since, each.since);
    known.last = Math.max(known.last, each.last);
    known.count += each.count;
    known.bytes += each.bytes;
  }
  return [...all.values()].sort((a, b) => a.since - b.since);
}

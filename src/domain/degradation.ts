/** What of an app's traffic is not recorded, and why: for whoever relies on its recordings. */
import type { Instant } from './time.ts';

export interface Degradation {
  /** A word for programs: `ring-full`, `tls`, `io-uring`. */
  kind: string;
  /** What it means, for people. */
  reason: string;
  /** When it was first and last seen. */
  since: Instant;
  last: Instant;
  /** How often: connections, losses or processes. */
  count: number;
  /** Bytes that are not held, as far as their number is known. */
  bytes: number;
}

/** The table of all protocols, in the order in which they are tried. */
import { dns } from './dns/dns.ts';
import { http1 } from './http1/http1.ts';
import { opaque } from './opaque/opaque.ts';
import { postgres } from './postgres/postgres.ts';
import type { Protocol } from './protocol.ts';

/** `opaque` is last: it takes every connection that no other one knows. */
export const protocols: readonly Protocol[] = [http1, postgres, dns, opaque];

/** The one door to dns-packet, which brings no types of its own: decoding, typed as it is used. */
import type { Buffer } from 'node:buffer';
// @ts-expect-error The package has no types.
import packet from 'dns-packet';

export interface Packet {
  id: number;
  type: 'query' | 'response';
  flags: number;
  rcode?: string;
  questions: { name: string; type: string; class: string }[];
  answers: { name: string; type: string; ttl?: number; data?: unknown }[];
}

/** Null when the bytes are no DNS message: the library throws on any that are not. */
export function decode(bytes: Buffer): Packet | null {
  try {
    return (packet as { decode(bytes: Buffer): Packet }).decode(bytes);
  } catch {
    return null;
  }
}

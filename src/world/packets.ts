/** Reads the packets that a capture shows: who asked whom for what, also when nobody listens. */
import type { Endpoint, Transport } from '../domain/wire.ts';

/** A packet that begins something: a connection, or a datagram. */
export interface Attempt {
  transport: Transport | 'other';
  from: Endpoint;
  to: Endpoint;
  /** IP protocol number (6 TCP, 17 UDP, 1 and 58 ICMP). */
  ipProtocol: number;
  payloadBytes: number;
}

const globalHeadBytes = 24;
const packetHeadBytes = 16;

/**
 * Takes a capture in the classic pcap format (https://www.tcpdump.org/manpages/pcap-savefile.5.txt)
 * of an Ethernet device, cut anywhere, and calls back with each attempt.
 */
export class CaptureReader {
  #held = Buffer.alloc(0);
  #started = false;
  #bigEndian = false;
  readonly #onAttempt: (attempt: Attempt) => void;

  constructor(onAttempt: (attempt: Attempt) => void) {
    this.#onAttempt = onAttempt;
  }

  push(bytes: Buffer): void {
    let held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    if (!this.#started && held.length >= globalHeadBytes) {
      const magic = held.readUInt32BE(0);
      this.#bigEndian = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d;
      this.#started = true;
      held = held.subarray(globalHeadBytes);
    }
    while (this.#started && held.length >= packetHeadBytes) {
      const length = this.#bigEndian ? held.readUInt32BE(8) : held.readUInt32LE(8);
      if (held.length < packetHeadBytes + length) break;
      const attempt = attemptOf(held.subarray(packetHeadBytes, packetHeadBytes + length));
      held = held.subarray(packetHeadBytes + length);
      if (attempt !== null) this.#onAttempt(attempt);
    }
    this.#held = Buffer.from(held);
  }
}

/** What an Ethernet frame begins; null when it only goes on with something, or is housekeeping. */
export function attemptOf(frame: Buffer): Attempt | null {
  if (frame.length < 14) return null;
  const type = frame.readUInt16BE(12);
  if (type === 0x0800) return ofIpv4(frame.subarray(14));
  if (type === 0x86dd) return ofIpv6(frame.subarray(14));
  return null;
}

function ofIpv4(packet: Buffer): Attempt | null {
  if (packet.length < 20) return null;
  const headBytes = (packet[0]! & 0x0f) * 4;
  const isLaterFragment = (packet.readUInt16BE(6) & 0x1fff) !== 0;
  if (isLaterFragment) return null;
  return ofTransport({
    protocol: packet[9]!,
    from: [...packet.subarray(12, 16)].join('.'),
    to: [...packet.subarray(16, 20)].join('.'),
    body: packet.subarray(headBytes),
    totalBytes: packet.readUInt16BE(2) - headBytes,
  });
}

function ofIpv6(packet: Buffer): Attempt | null {
  if (packet.length < 40) return null;
  return ofTransport({
    protocol: packet[6]!,
    from: ipv6Text(packet.subarray(8, 24)),
    to: ipv6Text(packet.subarray(24, 40)),
    body: packet.subarray(40),
    totalBytes: packet.readUInt16BE(4),
  });
}

function ofTransport(packet: {
  protocol: number;
  from: string;
  to: string;
  body: Buffer;
  totalBytes: number;
}): Attempt | null {
  const { protocol, body } = packet;
  if ((protocol === 6 && body.length < 14) || (protocol === 17 && body.length < 8)) return null;
  const hasPorts = protocol === 6 || protocol === 17;
  const base = {
    from: { address: packet.from, port: hasPorts ? body.readUInt16BE(0) : 0 },
    to: { address: packet.to, port: hasPorts ? body.readUInt16BE(2) : 0 },
    ipProtocol: protocol,
  };
  if (protocol === 6) {
    const opens = (body[13]! & 0x12) === 0x02; // SYN without ACK
    return opens ? { ...base, transport: 'tcp', payloadBytes: 0 } : null;
  }
  if (protocol === 17) return { ...base, transport: 'udp', payloadBytes: packet.totalBytes - 8 };
  if (isHousekeeping(protocol, body)) return null;
  return { ...base, transport: 'other', payloadBytes: packet.totalBytes };
}

/** Neighbour discovery and group membership are the kernel's own; errors answer what we sent. */
function isHousekeeping(protocol: number, body: Buffer): boolean {
  if (protocol === 0 || protocol === 2) return true; // hop-by-hop options (MLD), IGMP
  if (protocol === 1) return body[0] !== 8; // ICMP but for echo requests
  if (protocol === 58) return body[0] !== 128; // the same of ICMPv6
  return false;
}

/** RFC 5952: the longest run of two or more zero groups is cut out, the first of equal ones. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[i * 2]! << 8) | bytes[i * 2 + 1]!);
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (best.length < 2) return text(groups);
  return `${text(groups.slice(0, best.start))}::${text(groups.slice(best.start + best.length))}`;
}

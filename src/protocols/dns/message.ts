/** DNS messages (RFC 1035) as plain JSON: what was asked and what was answered. */
import { Buffer } from 'node:buffer';
import packet from 'dns-packet';
import type { Exchange } from '../../domain/exchange.ts';

/** `meaning` of the request of an exchange with `protocol: 'dns'`. */
export interface DnsQuery {
  /** As sent, case included; '' is the root. */
  name: string;
  /** `A`, `AAAA`, `SRV` ... */
  type: string;
}

/** `meaning` of the response. */
export interface DnsResponse {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL` ... */
  rcode: string;
  answers: { name: string; type: string; ttl: number; data: unknown }[];
  /** The datagram as it came, in base64: what is sent again, with another id. */
  raw: string;
}

export interface DnsMessage {
  id: number;
  isResponse: boolean;
  query: DnsQuery;
  response: DnsResponse | null;
}

/** A datagram as a message with one question; null when it is none. */
export function dnsMessage(bytes: Uint8Array): DnsMessage | null {
  if (bytes.length < 17) return null;
  let decoded: ReturnType<typeof packet.decode>;
  try {
    decoded = packet.decode(Buffer.from(bytes));
  } catch {
    // The library throws on anything that is not DNS: that is the question asked here.
    return null;
  }
  const question = decoded.questions[0];
  const standard = (decoded.flags & 0x7800) === 0;
  if (question === undefined || decoded.questions.length !== 1 || !standard) return null;
  if (question.class !== 'IN') return null;
  const query = { name: question.name === '.' ? '' : question.name, type: question.type };
  const isResponse = decoded.type === 'response';
  const answers = decoded.answers.map(({ name, type, ttl, data }) => ({
    name,
    type,
    ttl: ttl ?? 0,
    data: Buffer.isBuffer(data) ? data.toString('base64') : plain(data),
  }));
  const raw = Buffer.from(bytes).toString('base64');
  const response = isResponse ? { rcode: decoded.rcode ?? 'NOERROR', answers, raw } : null;
  return { id: decoded.id, isResponse, query, response };
}

/** The question section of a datagram, byte for byte: one name without compression, type, class. */
export function questionSection(bytes: Uint8Array): Uint8Array | null {
  let at = 12;
  while (at < bytes.length && bytes[at] !== 0) {
    if (bytes[at]! > 63) return null;
    at += bytes[at]! + 1;
  }
  return at + 5 <= bytes.length ? bytes.subarray(12, at + 5) : null;
}

export function queryOf(exchange: Exchange): DnsQuery | null {
  if (exchange.protocol !== 'dns') return null;
  return (exchange.request?.meaning as DnsQuery | null | undefined) ?? null;
}

export function dnsResponseOf(exchange: Exchange): DnsResponse | null {
  if (exchange.protocol !== 'dns') return null;
  return (exchange.response?.meaning as DnsResponse | null | undefined) ?? null;
}

/** Buffers inside structured data (TXT, SVCB) as text, so that it is plain JSON. */
function plain(data: unknown): unknown {
  return JSON.parse(
    JSON.stringify(data ?? null, (_, value: unknown) => {
      const buffer = value as { type?: string; data?: number[] } | null;
      const isBuffer = buffer?.type === 'Buffer' && Array.isArray(buffer.data);
      return isBuffer ? Buffer.from(buffer.data!).toString('latin1') : value;
    }),
  );
}

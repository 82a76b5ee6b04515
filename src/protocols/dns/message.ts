/** DNS messages (RFC 1035) as plain JSON: what was asked and what was answered. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';
import { decode } from './packet.ts';

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
  answers: { name: string; type: string; data: unknown }[];
  /** The datagram in base64, without its id and with all times to live set to one value. */
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
  const decoded = decode(Buffer.from(bytes));
  if (decoded === null) return null;
  const question = decoded.questions[0];
  const standard = (decoded.flags & 0x7800) === 0;
  if (question === undefined || decoded.questions.length !== 1 || !standard) return null;
  if (question.class !== 'IN') return null;
  const query = { name: question.name === '.' ? '' : question.name, type: question.type };
  const isResponse = decoded.type === 'response';
  const answers = decoded.answers.map(({ name, type, data }) => ({
    name,
    type,
    data: Buffer.isBuffer(data) ? data.toString('base64') : plain(data),
  }));
  const raw = Buffer.from(timeless(bytes)).toString('base64');
  const response = isResponse ? { rcode: decoded.rcode ?? 'NOERROR', answers, raw } : null;
  return { id: decoded.id, isResponse, query, response };
}

/** Seconds; what is left of a recorded one says when somebody else asked, not what was asked. */
const timeToLive = 60;

/** A response with id 0 and equal times to live: the same answer at another time is the same. */
function timeless(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(0, 0);
  const records = copy.readUInt16BE(6) + copy.readUInt16BE(8) + copy.readUInt16BE(10);
  let at = 12 + (questionSection(bytes)?.length ?? copy.length);
  for (let i = 0; i < records; i += 1) {
    while (at < copy.length && copy[at]! > 0 && copy[at]! < 0xc0) at += copy[at]! + 1;
    at += (copy[at] ?? 0) >= 0xc0 ? 2 : 1;
    if (at + 10 > copy.length) break;
    // In OPT (RFC 6891) these four bytes are flags.
    if (copy.readUInt16BE(at) !== 41) copy.writeUInt32BE(timeToLive, at + 4);
    at += 10 + copy.readUInt16BE(at + 8);
  }
  return copy;
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

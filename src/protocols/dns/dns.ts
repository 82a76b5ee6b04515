/** DNS over UDP (RFC 1035): names as they were answered, with new ids. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';
import type { Answerer, AnswererContext, Peek, Protocol, Question } from '../protocol.ts';
import {
  type DnsMessage,
  type DnsQuery,
  dnsMessage,
  dnsResponseOf,
  queryOf,
  questionSection,
} from './message.ts';
import { DnsReader } from './reader.ts';

export const dns: Protocol = {
  name: 'dns',
  lasting: 'names',
  detect,
  reader: (head) => new DnsReader(head),
  question,
  answerer: (context) => new DnsAnswerer(context),
  explain,
};

function detect(peek: Peek) {
  if (peek.transport !== 'udp') return 'no';
  const datagram = peek.client.length > 0 ? peek.client : peek.server;
  if (datagram.length === 0) return 'more';
  // Other ports may carry look-alikes (mDNS is not answered by a resolver).
  return peek.serverPort === 53 && dnsMessage(datagram) !== null ? 'yes' : 'no';
}

function question(exchange: Exchange): Question | null {
  const query = queryOf(exchange);
  if (query === null || dnsResponseOf(exchange) === null || exchange.end !== 'complete')
    return null;
  return questionFrom(query, exchange);
}

function questionFrom(
  { name, type }: DnsQuery,
  to: Pick<Question, 'server' | 'serverName'>,
): Question {
  const plain = name.toLowerCase().replace(/\.$/, '');
  return {
    protocol: 'dns',
    transport: 'udp',
    server: to.server,
    serverName: null,
    exactKey: `dns ${type} ${name}`,
    // Names are the same in any case (RFC 1035 section 2.3.3); some resolvers mix it on purpose.
    normalisedKey: `dns ${type} ${plain}`,
    formKey: `dns ${type}`,
    effect: 'read',
    title: `DNS ${type} ${name}`,
    fields: { name: plain, type },
    meaning: { name, type },
  };
}

function explain(exchange: Exchange): string[] {
  const response = dnsResponseOf(exchange);
  const answers = response?.answers ?? [];
  return [
    exchange.title,
    ...answers.map(({ name, type, data }) => {
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      return `< ${name} ${type} ${text}`;
    }),
  ];
}

/** Each call of `receive` takes one datagram, and each piece it returns is one. */
class DnsAnswerer implements Answerer {
  readonly #context: AnswererContext;
  readonly closing = false;

  constructor(context: AnswererContext) {
    this.#context = context;
  }

  open(): Uint8Array[] {
    return [];
  }

  receive(bytes: Uint8Array): Uint8Array[] {
    const asked = dnsMessage(bytes);
    const section = asked === null || asked.isResponse ? null : questionSection(bytes);
    if (asked === null || section === null) return [];
    if (asked.query.type === 'AAAA' && this.#wasIpv4Only(asked.query.name)) {
      this.#context.synthesised(`DNS AAAA ${asked.query.name}: the instance used IPv4 only`);
      return [withoutRecords(bytes, section, 0)];
    }
    const reply = this.#context.ask(questionFrom(asked.query, this.#context.head));
    const recorded = reply.kind === 'recorded' ? dnsResponseOf(reply.exchange) : null;
    if (recorded === null) return [withoutRecords(bytes, section, nameError)];
    return [readdressed(Buffer.from(recorded.raw, 'base64'), asked, bytes, section)];
  }

  /**
   * Where a machine has no IPv6 address, resolvers ask for A alone (AI_ADDRCONFIG, RFC 3493
   * section 6.1); the sandbox has both families. That there is no AAAA carries no data.
   */
  #wasIpv4Only(name: string): boolean {
    const plain = (text: string) => text.toLowerCase().replace(/\.$/, '');
    const asked = this.#context.recorded.flatMap((exchange) => queryOf(exchange) ?? []);
    const types = asked.filter((query) => plain(query.name) === plain(name));
    return types.some(({ type }) => type === 'A') && types.every(({ type }) => type !== 'AAAA');
  }
}

/** The recorded answer with the id of the new question, and its name as it was spelled now. */
function readdressed(
  recorded: Buffer,
  asked: DnsMessage,
  query: Uint8Array,
  section: Uint8Array,
): Uint8Array {
  const answer = Buffer.from(recorded);
  answer.writeUInt16BE(asked.id, 0);
  // RD is copied from the question (RFC 1035 section 4.1.1).
  answer[2] = (answer[2]! & 0xfe) | (query[2]! & 0x01);
  const old = questionSection(answer);
  if (old?.length === section.length) answer.set(section, 12);
  return answer;
}

/**
 * NXDOMAIN is a definite answer, at once. SERVFAIL or silence would make the app's resolver ask
 * again and again, and wait; an error in the app is what a name that was never recorded is.
 */
const nameError = 3;

/** An answer of the question alone, with a response code (RFC 1035 section 4.1.1). */
function withoutRecords(query: Uint8Array, section: Uint8Array, rcode: number): Uint8Array {
  const answer = Buffer.alloc(12 + section.length);
  answer.set(query.subarray(0, 2), 0);
  answer[2] = 0x80 | (query[2]! & 0x01);
  answer[3] = 0x80 | rcode;
  answer.writeUInt16BE(1, 4);
  answer.set(section, 12);
  return answer;
}

/** HTTP/1.1 (RFC 9110, RFC 9112) as one of the protocols that Fixpoint reads and answers. */
import { Buffer } from 'node:buffer';
import type { Exchange } from '../../domain/exchange.ts';
import type { Detection, Peek, Protocol } from '../protocol.ts';
import { Http1Answerer } from './answerer.ts';
import type { HttpBody } from './message.ts';
import { requestOf, responseOf } from './message.ts';
import { questionOf } from './question.ts';
import { Http1Reader } from './reader.ts';

export const http1: Protocol = {
  name: 'http1',
  detect,
  reader: (head, options) => new Http1Reader(head, options),
  question: questionOf,
  answerer: (context) => new Http1Answerer(context),
  explain,
};

/** A request line, or, when the client's side is not held, a status line. */
function detect(peek: Peek): Detection {
  if (peek.transport !== 'tcp') return 'no';
  const asked = Buffer.from(peek.client.subarray(0, 8192)).toString('latin1');
  const text = asked.replace(/^[\r\n]+/, '');
  if (text === '') {
    const answered = Buffer.from(peek.server.subarray(0, 9)).toString('latin1');
    if (/^HTTP\/1\.[01] /.test(answered)) return 'yes';
    return 'HTTP/1.1 '.startsWith(answered) ? 'more' : 'no';
  }
  if (/^[A-Z][A-Z-]{0,19} [^\s]+ HTTP\/1\.[01]\r?\n/.test(text)) return 'yes';
  const begun = /^[A-Z][A-Z-]{0,19}( ([^\s]+( (H(T(T(P(\/(1(\.([01]\r?)?)?)?)?)?)?)?)?)?)?)?$/;
  return text.length < 8192 && begun.test(text) ? 'more' : 'no';
}

function explain(exchange: Exchange): string[] {
  const request = requestOf(exchange);
  const response = responseOf(exchange);
  const lines = [exchange.title];
  if (request !== null) {
    lines.push(`> ${request.method} ${request.target} HTTP/${request.version}`);
    lines.push(...request.headers.map(([name, value]) => `> ${name}: ${value}`));
    lines.push(...bodyLines(request.body, '>'));
  }
  if (response !== null) {
    lines.push(`< HTTP/${response.version} ${response.status} ${response.reason}`);
    lines.push(...response.headers.map(([name, value]) => `< ${name}: ${value}`));
    lines.push(...bodyLines(response.body, '<'));
  }
  if (exchange.end !== 'complete') lines.push(`(${exchange.end})`);
  return lines;
}

function bodyLines(body: HttpBody | null, mark: string): string[] {
  if (body === null) return [`${mark} (body not held)`];
  if (body.bytes === 0) return [];
  if (body.encoding === 'base64') return [`${mark} (${body.bytes} bytes, not text)`];
  return body.data.split('\n').map((line) => `${mark} ${line}`);
}

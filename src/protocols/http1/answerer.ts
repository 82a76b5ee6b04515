/** The server half of HTTP/1.1 in a replay: answers each request with what was recorded for it. */
import { Buffer } from 'node:buffer';
import type { Answerer, AnswererContext } from '../protocol.ts';
import { assumedResponse } from './assume.ts';
import { encodeResponse } from './encode.ts';
import { bodyOf, type HttpRequest, type HttpResponse, responseOf, tokensOf } from './message.ts';
import { MessageParser, type RequestHead } from './parser.ts';
import { questionFrom } from './question.ts';

/** Largest request body that is held in order to look it up. */
const bodyBytesMax = 64 << 20;

export class Http1Answerer implements Answerer {
  readonly #context: AnswererContext;
  #parser: MessageParser;
  #head: RequestHead | null = null;
  #pieces: Uint8Array[] = [];
  #bodyBytes = 0;
  #pos = 0;
  #answers: Uint8Array[] = [];
  #closing = false;

  constructor(context: AnswererContext) {
    this.#context = context;
    this.#parser = this.#newParser();
  }

  get closing(): boolean {
    return this.#closing;
  }

  open(): Uint8Array[] {
    return [];
  }

  receive(bytes: Uint8Array): Uint8Array[] {
    if (!this.#closing && this.#parser.feed(bytes, this.#pos) === null) {
      this.#context.synthesised('400 for bytes that are not HTTP/1.1');
      this.#send(plain(400, 'Bad Request', { error: 'not an HTTP/1.1 request' }), 'GET', false);
      this.#closing = true;
    }
    this.#pos += bytes.length;
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  #newParser(): MessageParser {
    return new MessageParser('request', {
      head: (head) => {
        this.#head = head as RequestHead;
        this.#pieces = [];
        this.#bodyBytes = 0;
        if (tokensOf(head.headers, 'expect').includes('100-continue') && head.version !== '1.0') {
          this.#context.synthesised('100 Continue');
          this.#answers.push(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
        }
        return this.#head.method === 'CONNECT';
      },
      body: (bytes) => {
        this.#bodyBytes += bytes.length;
        if (this.#bodyBytes <= bodyBytesMax) this.#pieces.push(new Uint8Array(bytes));
        else this.#pieces = [];
      },
      end: (trailers) => this.#answer(trailers),
    });
  }

  #answer(trailers: [string, string][]): void {
    if (this.#closing) return;
    const body = bodyOf(Buffer.concat(this.#pieces));
    const request: HttpRequest = { ...this.#head!, trailers, body };
    const { method, headers, version } = request;
    const tooLarge = `the request's body is larger than ${bodyBytesMax} bytes`;
    const response = this.#bodyBytes > bodyBytesMax ? divergence(tooLarge) : this.#lookUp(request);
    this.#send(response, method, version === '1.0');
    const asked = tokensOf(headers, 'connection');
    if (version === '1.0' ? !asked.includes('keep-alive') : asked.includes('close')) {
      this.#closing = true;
    }
  }

  #lookUp(request: HttpRequest): HttpResponse {
    const reply = this.#context.ask(questionFrom(request, this.#context.head));
    if (reply.kind === 'none') return divergence(reply.explanation);
    if (reply.kind === 'recorded') {
      const recorded = responseOf(reply.exchange);
      return recorded?.body ? recorded : this.#unusable('the recorded answer is not whole');
    }
    const made = assumedResponse(request, reply.examples);
    if (made === null) return this.#unusable('recorded answers of this form differ in shape');
    this.#context.assumed(made.madeUp);
    return made.response;
  }

  #unusable(explanation: string): HttpResponse {
    this.#context.unusable?.(explanation);
    return divergence(explanation);
  }

  #send(response: HttpResponse, method: string, http10: boolean): void {
    for (const interim of response.interim) {
      if (interim.status === 100 || http10) continue;
      const head = { ...response, ...interim, trailers: [], body: null, interim: [] };
      this.#answers.push(encodeResponse(head, { method, http10 }).bytes);
    }
    const { bytes, closes } = encodeResponse(response, { method, http10 });
    this.#answers.push(bytes);
    if (closes) this.#closing = true;
  }
}

/** What the app gets for a question that the recording does not hold. */
function divergence(explanation: string): HttpResponse {
  const error = 'fixpoint: not in the recording';
  const response = plain(502, 'Bad Gateway', { error, explanation });
  response.headers.push(['Fixpoint-Divergence', 'not in the recording']);
  return response;
}

function plain(status: number, reason: string, json: Record<string, string>): HttpResponse {
  const body = bodyOf(new TextEncoder().encode(JSON.stringify(json)));
  const headers: [string, string][] = [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.bytes)],
  ];
  return { version: '1.1', status, reason, headers, trailers: [], body, interim: [] };
}

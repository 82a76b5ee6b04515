/** Reads one response as the client that sent the request: for whoever replays a request. */
import { bodyOf, type HttpResponse } from './message.ts';
import { isInterim, MessageParser, type ResponseHead } from './parser.ts';

/** What a client makes of the bytes so far. */
export type ResponseState =
  | { kind: 'reading' }
  /** `rest`: bytes after it, which belong to whatever follows (an upgraded protocol). */
  | { kind: 'done'; response: HttpResponse; rest: Uint8Array }
  /** What came is not a whole HTTP/1 response. */
  | { kind: 'broken'; reason: string };

export interface ResponseReader {
  /** The next bytes of the server, cut anywhere. */
  feed(bytes: Uint8Array): ResponseState;
  /** The server closed the connection. */
  close(): ResponseState;
}

/**
 * An incremental reader of the response to a request with this method: 1xx answers, bodies by
 * length, by chunks and until the close. At most `bodyBytesMax` of body are held.
 */
export function readResponse(
  method: string,
  options: { bodyBytesMax: number } = { bodyBytesMax: 64 << 20 },
): ResponseReader {
  return new IncrementalResponse(method, options.bodyBytesMax);
}

class IncrementalResponse implements ResponseReader {
  readonly #parser: MessageParser;
  readonly #interim: ResponseHead[] = [];
  readonly #pieces: Uint8Array[] = [];
  #head: ResponseHead | null = null;
  #bodyBytes = 0;
  #pos = 0;
  #rest: Uint8Array = new Uint8Array(0);
  #state: ResponseState = { kind: 'reading' };

  constructor(method: string, bodyBytesMax: number) {
    this.#parser = new MessageParser('response', {
      head: (head) => {
        this.#head = head as ResponseHead;
        const { status } = this.#head;
        const tunnel = method === 'CONNECT' && status < 300;
        return method === 'HEAD' || tunnel || status < 200 || status === 204 || status === 304;
      },
      body: (bytes) => {
        this.#bodyBytes += bytes.length;
        if (this.#bodyBytes > bodyBytesMax) this.#fail(`body above ${bodyBytesMax} bytes`);
        else this.#pieces.push(new Uint8Array(bytes));
      },
      end: (trailers) => this.#end(trailers),
    });
  }

  feed(bytes: Uint8Array): ResponseState {
    if (this.#state.kind !== 'reading') return this.#state;
    const read = this.#parser.feed(bytes, this.#pos);
    this.#pos += bytes.length;
    if (read === null) this.#fail('not an HTTP/1 response');
    else this.#rest = new Uint8Array(bytes.subarray(read));
    return this.#result();
  }

  close(): ResponseState {
    this.#parser.finish();
    const after = this.#head === null ? 'before the response' : 'inside the response';
    if (this.#state.kind === 'reading') this.#fail(`connection closed ${after}`);
    return this.#result();
  }

  #result(): ResponseState {
    const state = this.#state;
    return state.kind === 'done' ? { ...state, rest: this.#rest } : state;
  }

  #end(trailers: [string, string][]): void {
    const head = this.#head!;
    if (isInterim(head.status)) {
      this.#interim.push(head);
      this.#head = null;
      return;
    }
    this.#parser.stop();
    if (this.#state.kind !== 'reading') return;
    const { version, status, reason, headers } = head;
    const body = bodyOf(concatenated(this.#pieces, this.#bodyBytes));
    const interim = this.#interim.map((one) => ({ ...one }));
    const response = { version, status, reason, headers, trailers, body, interim };
    this.#state = { kind: 'done', response, rest: this.#rest };
  }

  #fail(reason: string): void {
    if (this.#state.kind === 'reading') this.#state = { kind: 'broken', reason };
  }
}

function concatenated(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

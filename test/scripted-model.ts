/**
 * A scripted model: no language model at all, but a local server that speaks the wire formats of
 * three APIs and says what a test tells it to say, including everything that can go wrong.
 * Formats: docs.anthropic.com/en/api/messages, platform.openai.com/docs/api-reference/chat and
 * .../responses.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is said to one request. */
export type Line =
  | { kind: 'says'; text: string }
  /** As above, ended by the limit on output tokens. */
  | { kind: 'cut-off'; text: string }
  | { kind: 'error'; status: number; retryAfterMs?: number }
  /** HTTP 200 with a body that is not of the format. */
  | { kind: 'malformed' }
  /** Never answers. */
  | { kind: 'silent' }
  /** Closes the connection in the middle. */
  | { kind: 'hangs-up' };

export interface Heard {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
}

export interface ScriptedModel {
  /** `http://127.0.0.1:PORT/v1`. */
  url: string;
  heard: Heard[];
  /** Lines for the next requests, in order; the last one is repeated. */
  script(...lines: Line[]): void;
  /** Asked for each request instead of the script, with what was heard. */
  answer(how: (heard: Heard) => Line): void;
  close(): Promise<void>;
}

export async function startScriptedModel(): Promise<ScriptedModel> {
  const heard: Heard[] = [];
  let lines: Line[] = [{ kind: 'says', text: '' }];
  let how: ((heard: Heard) => Line) | null = null;
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const entry = { path: request.url ?? '', headers: request.headers, body };
      heard.push(entry);
      const line = how?.(entry) ?? (lines.length > 1 ? lines.shift() : lines[0]);
      if (line !== undefined) say(response, entry, line);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    heard,
    script(...given) {
      lines = given;
      how = null;
    },
    answer(given) {
      how = given;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}');
}

function say(response: ServerResponse, heard: Heard, line: Line): void {
  switch (line.kind) {
    case 'silent':
      return;
    case 'hangs-up':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"id":');
      response.destroy();
      return;
    case 'malformed':
      send(response, 200, { surprise: true });
      return;
    case 'error':
      if (line.retryAfterMs !== undefined) {
        response.setHeader('retry-after-ms', String(line.retryAfterMs));
      }
      send(response, line.status, errorBody(heard.path, line.status));
      return;
    default:
      send(response, 200, messageBody(heard, line));
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function errorBody(path: string, status: number): unknown {
  const message = `scripted status ${status}`;
  if (path.endsWith('/messages')) {
    const type = status === 429 ? 'rate_limit_error' : 'api_error';
    return { type: 'error', error: { type, message } };
  }
  return { error: { message, type: 'scripted', param: null, code: String(status) } };
}

/** Four characters are taken for a token, as a rough model of a tokeniser. */
function messageBody(heard: Heard, line: { kind: 'says' | 'cut-off'; text: string }): unknown {
  const model = String(heard.body.model);
  const input = Math.ceil(JSON.stringify(heard.body).length / 4);
  const output = Math.ceil(line.text.length / 4);
  const cut = line.kind === 'cut-off';
  if (heard.path.endsWith('/messages')) {
    return {
      id: 'msg_scripted',
      type: 'message',
      role: 'assistant',
      model,
      content: [{ type: 'text', text: line.text }],
      stop_reason: cut ? 'max_tokens' : 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: input, output_tokens: output },
    };
  }
  if (heard.path.endsWith('/responses')) {
    const content = [{ type: 'output_text', text: line.text, annotations: [] }];
    return {
      id: 'resp_scripted',
      object: 'response',
      created_at: 1_700_000_000,
      status: cut ? 'incomplete' : 'completed',
      incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
      error: null,
      model,
      output: [{ type: 'message', id: 'msg_1', status: 'completed', role: 'assistant', content }],
      usage: { input_tokens: input, output_tokens: output, total_tokens: input + output },
    };
  }
  const message = { role: 'assistant', content: line.text };
  return {
    id: 'chatcmpl-scripted',
    object: 'chat.completion',
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, message, finish_reason: cut ? 'length' : 'stop', logprobs: null }],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  };
}

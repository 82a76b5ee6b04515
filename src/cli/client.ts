/** Talks to the server: finds it and its token, reads answers and streams, and names what fails. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What a command ends with; scripts rely on them. */
export const exitCodes = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** Ends the command with a message and an exit status. */
export class CommandError extends Error {
  readonly exitCode: number;
  /** The server's word for it, `not-found` say. */
  readonly code: string;
  constructor(message: string, exitCode: number, code: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.code = code;
  }
}

export interface ClientOptions {
  url?: string | undefined;
  token?: string | undefined;
  data?: string | undefined;
}

/** A line of a stream, by kind; see the contract. */
export interface StreamHandlers {
  progress?: (text: string) => void;
  log?: (line: { at: number; stream: string; text: string }) => void;
}

export interface Client {
  readonly url: string;
  readonly token: string;
  get<T>(path: string): Promise<T>;
  send<T>(method: 'POST' | 'PATCH', path: string, body?: object): Promise<T>;
  /** The body of an answer as it is. */
  bytes(path: string): Promise<Uint8Array>;
  /** Sends a file as it is. */
  upload<T>(path: string, file: Uint8Array): Promise<T>;
  /** Resolves with the result; throws what the server says went wrong. */
  stream<T>(
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    options: { body?: object; signal?: AbortSignal } & StreamHandlers,
  ): Promise<T>;
}

/**
 * A client by the options, else by FIXPOINT_URL and FIXPOINT_TOKEN, else by the token of the data
 * directory on this machine.
 */
export async function connect(options: ClientOptions): Promise<Client> {
  const url = (options.url ?? process.env.FIXPOINT_URL ?? 'http://127.0.0.1:7070').replace(
    /\/$/,
    '',
  );
  const token = options.token ?? process.env.FIXPOINT_TOKEN ?? (await tokenFile(options.data));
  const ask = (method: string, path: string, body?: object | Uint8Array, signal?: AbortSignal) =>
    request(`${url}/api/v1${path}`, { method, token, body, signal });
  return {
    url,
    token,
    get: async <T>(path: string) => (await ask('GET', path)).json() as Promise<T>,
    send: async <T>(method: string, path: string, body = {}) =>
      (await ask(method, path, body)).json() as Promise<T>,
    bytes: async (path: string) => new Uint8Array(await (await ask('GET', path)).arrayBuffer()),
    upload: async <T>(path: string, file: Uint8Array) =>
      (await ask('POST', path, file)).json() as Promise<T>,
    stream: async <T>(
      method: string,
      path: string,
      { body, signal, ...handlers }: Parameters<Client['stream']>[2],
    ) => {
      const sent = method === 'GET' ? undefined : (body ?? {});
      return readStream<T>(await ask(method, path, sent, signal), handlers);
    },
  };
}

/** Where the data directory is, as the server's own default says. */
export function dataDirOf(data: string | undefined): string {
  const folder = data ?? process.env.FIXPOINT_DATA ?? '~/.fixpoint';
  return folder.replace(/^~(?=\/|$)/, homedir());
}

async function tokenFile(data: string | undefined): Promise<string> {
  const path = join(dataDirOf(data), 'token');
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`;
    const text =
      `No token: ${path} ${why}. Start the server with "fixpoint up", name its data directory ` +
      'with --data or FIXPOINT_DATA, or set FIXPOINT_TOKEN.';
    throw new CommandError(text, exitCodes.unreachable, 'no-token', { cause: error });
  }
}

async function request(
  url: string,
  options: {
    method: string;
    token: string;
    body: object | Uint8Array | undefined;
    signal: AbortSignal | undefined;
  },
): Promise<Response> {
  const { method, token, body, signal } = options;
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  const isFile = body instanceof Uint8Array;
  if (body) headers['content-type'] = isFile ? 'application/octet-stream' : 'application/json';
  let response: Response;
  try {
    const init = { method, headers, signal: signal ?? null };
    const sent = isFile ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body);
    response = await fetch(url, body ? { ...init, body: sent } : init);
  } catch (error) {
    if (signal?.aborted) throw error;
    const { cause, message } = error as Error & { cause?: Error & { code?: string } };
    const why = cause?.code ?? cause?.message ?? message;
    const text = `No server answers at ${new URL(url).origin} (${why}). Is "fixpoint up" running?`;
    throw new CommandError(text, exitCodes.unreachable, 'unreachable', { cause: error });
  }
  if (response.ok) return response;
  const answer = (await response.json().catch(() => null)) as {
    error?: { code: string; message: string };
  } | null;
  const code = answer?.error?.code ?? String(response.status);
  const text = answer?.error?.message ?? `The server answered ${response.status}.`;
  throw new CommandError(text, code === 'invalid' ? exitCodes.usage : exitCodes.failed, code);
}

async function readStream<T>(response: Response, handlers: StreamHandlers): Promise<T> {
  for await (const line of linesOf(response)) {
    if (line.kind === 'progress') handlers.progress?.(line.text);
    if (line.kind === 'log') handlers.log?.(line.line);
    if (line.kind === 'result') return line.result as T;
    if (line.kind === 'error') {
      throw new CommandError(line.error.message, exitCodes.failed, line.error.code);
    }
  }
  const text = 'The server went away before it was done. Its work goes on when it is back.';
  throw new CommandError(text, exitCodes.unreachable, 'unreachable');
}

type StreamLine =
  | { kind: 'progress'; text: string }
  | { kind: 'log'; line: { at: number; stream: string; text: string } }
  | { kind: 'result'; result: unknown }
  | { kind: 'error'; error: { code: string; message: string } }
  | { kind: 'alive' };

async function* linesOf(response: Response): AsyncGenerator<StreamLine> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield JSON.parse(line);
    }
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    // Broken off: the caller says so.
  }
}

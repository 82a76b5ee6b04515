/** HTTP to the engine over its socket: version negotiation, errors in words, upgrades. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type EngineAddress, engineAddressText } from './address.ts';
import { EngineError } from './engine.ts';

/** Oldest API that has everything used here (19.03), and the newest one it was written for. */
export const apiVersionMin = '1.40';
export const apiVersionMax = '1.47';

export interface EngineCall {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the version, `/containers/json`. */
  path: string;
  query?: Record<string, string | number | boolean | string[] | undefined>;
  json?: unknown;
  /** Sent as it is, as a tar. */
  tar?: Readable | Uint8Array;
  /** What it is about, for the error: `container 4f2a`. */
  about: string;
  /** Until the answer's head is there; none when null. */
  timeoutMs?: number | null;
  signal?: AbortSignal;
}

export interface EngineClient {
  readonly addressText: string;
  /** Asks the engine which version it speaks, once. */
  version(): Promise<{ version: string; apiVersion: string }>;
  /** The answer's head, its body unread. Throws EngineError for a status of 400 and above. */
  stream(call: EngineCall): Promise<IncomingMessage>;
  /** The whole answer as JSON; undefined when it is empty. */
  json<T>(call: EngineCall): Promise<T>;
  /** A raw connection in both directions, after the engine agreed to hand it over. */
  upgrade(call: EngineCall): Promise<{ socket: Socket; head: Buffer }>;
}

const answerTimeoutMs = 120_000;
const answerBytesMax = 64 << 20;

export function engineClient(address: EngineAddress): EngineClient {
  const addressText = engineAddressText(address);
  let negotiated: Promise<{ version: string; apiVersion: string }> | null = null;

  async function negotiate() {
    const ping = await send({ method: 'GET', path: '/_ping', about: 'the engine' }, '');
    ping.resume();
    const theirs = String(ping.headers['api-version'] ?? apiVersionMin);
    const apiVersion = chooseApiVersion(theirs);
    const call: EngineCall = { method: 'GET', path: '/version', about: 'the engine' };
    const body = await readJson<{ Version?: string }>(await send(call, `/v${apiVersion}`));
    return { version: String(body?.Version ?? 'unknown'), apiVersion };
  }

  function version() {
    negotiated ??= negotiate().catch((error: unknown) => {
      negotiated = null;
      throw error;
    });
    return negotiated;
  }

  function open(call: EngineCall, prefix: string, headers: Record<string, string>): ClientRequest {
    return httpRequest({
      ...address,
      agent: false,
      method: call.method,
      path: `${prefix}${call.path}${queryText(call.query)}`,
      headers: { host: 'docker', ...headers },
      signal: call.signal,
    });
  }

  function send(call: EngineCall, prefix: string): Promise<IncomingMessage> {
    const { headers, body } = bodyOf(call);
    return new Promise((resolve, reject) => {
      const request = open(call, prefix, headers);
      const timer = startTimer(request, call);
      let answered = false;
      const fail = (error: unknown) => {
        clearTimeout(timer);
        if (!answered) reject(unreachable(error, call, addressText));
      };
      request.on('error', fail);
      request.on('response', (response) => {
        answered = true;
        clearTimeout(timer);
        if ((response.statusCode ?? 0) < 400) return resolve(response);
        refusal(response, call).then(reject, reject);
      });
      // An engine may answer (with a refusal) before it has taken the whole body.
      if (body) pipeline(body, request).catch(fail);
      else request.end();
    });
  }

  return {
    addressText,
    version,
    async stream(call) {
      const { apiVersion } = await version();
      return await send(call, `/v${apiVersion}`);
    },
    async json<T>(call: EngineCall) {
      const { apiVersion } = await version();
      return await readJson<T>(await send(call, `/v${apiVersion}`));
    },
    async upgrade(call) {
      const { apiVersion } = await version();
      const { headers, body } = bodyOf(call);
      return await new Promise((resolve, reject) => {
        const upgrading = { ...headers, connection: 'Upgrade', upgrade: 'tcp' };
        const request = open(call, `/v${apiVersion}`, upgrading);
        const timer = startTimer(request, call);
        request.on('upgrade', (_response, socket, head) => {
          clearTimeout(timer);
          resolve({ socket: socket as Socket, head });
        });
        request.on('response', (response) => {
          clearTimeout(timer);
          refusal(response, call).then(reject, reject);
        });
        request.on('error', (error) => {
          clearTimeout(timer);
          reject(unreachable(error, call, addressText));
        });
        if (body) pipeline(body, request).catch(() => undefined);
        else request.end();
      });
    },
  };
}

/** The newest version that both sides speak. Throws when the engine is too old. */
export function chooseApiVersion(theirs: string): string {
  if (compareVersions(theirs, apiVersionMin) < 0) {
    throw new EngineError(
      `the engine speaks API ${theirs}, and ${apiVersionMin} or newer is needed: upgrade it`,
      { status: 0 },
    );
  }
  return compareVersions(theirs, apiVersionMax) > 0 ? apiVersionMax : theirs;
}

/** The text after a path: `?a=1&b=true`, arrays repeated, without what is undefined. */
export function queryText(query: EngineCall['query']): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  return search.size === 0 ? '' : `?${search}`;
}

/** Reads a body whole, up to `bytesMax`; throws above. */
export async function readAll(stream: AsyncIterable<Uint8Array>, bytesMax: number) {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > bytesMax) throw new Error(`the engine sent more than ${bytesMax} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split('.').map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}

function bodyOf(call: EngineCall): { headers: Record<string, string>; body: Readable | null } {
  if (call.tar !== undefined) {
    const headers: Record<string, string> = { 'content-type': 'application/x-tar' };
    if (!(call.tar instanceof Uint8Array)) return { headers, body: call.tar };
    headers['content-length'] = String(call.tar.length);
    return { headers, body: Readable.from([call.tar]) };
  }
  if (call.json === undefined) return { headers: {}, body: null };
  const text = Buffer.from(JSON.stringify(call.json));
  const headers = { 'content-type': 'application/json', 'content-length': String(text.length) };
  return { headers, body: Readable.from([text]) };
}

function startTimer(request: ClientRequest, call: EngineCall): NodeJS.Timeout | undefined {
  if (call.timeoutMs === null) return undefined;
  const timeoutMs = call.timeoutMs ?? answerTimeoutMs;
  const late = () => request.destroy(new Error(`no answer within ${timeoutMs} ms`));
  return setTimeout(late, timeoutMs);
}

async function readJson<T>(response: IncomingMessage): Promise<T> {
  const text = (await readAll(response, answerBytesMax)).toString('utf8');
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function refusal(response: IncomingMessage, call: EngineCall): Promise<EngineError> {
  const status = response.statusCode ?? 0;
  const text = (await readAll(response, 1 << 20).catch(() => Buffer.alloc(0))).toString('utf8');
  return new EngineError(`${call.about}: ${engineWords(text) || `HTTP ${status}`}`, { status });
}

function engineWords(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message.trim();
  } catch {
    // Not JSON: what it says is shown as it is.
  }
  return text.trim();
}

function unreachable(error: unknown, call: EngineCall, addressText: string): Error {
  if (call.signal?.aborted) return error as Error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const words = (error as Error).message;
  if (['ENOENT', 'ECONNREFUSED', 'EACCES', 'EPERM', 'ENOTFOUND'].includes(code)) {
    const cure =
      code === 'EACCES' || code === 'EPERM'
        ? 'run as root or join the group that owns the socket'
        : 'start it, or say with DOCKER_HOST where it is';
    const message = `no container engine answers at ${addressText} (${code}): ${cure}`;
    return new EngineError(message, { status: 0, cause: error });
  }
  return new EngineError(`${call.about}: ${words}`, { status: 0, cause: error });
}

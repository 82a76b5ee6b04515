/** Builds an image: BuildKit where the engine has it, else the classic builder. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { BuildTrace } from './build-trace.ts';
import type { EngineCall, EngineClient } from './client.ts';
import { type BuildOptions, type BuildResult, EngineError, type Labels } from './engine.ts';

export const buildTimeoutMs = 15 * 60_000;
export const buildLogLinesMax = 2000;

type Builder = '1' | '2';

/** Remembers, per engine, that BuildKit was refused. */
export interface BuilderMemory {
  builder: Builder;
}

export async function build(
  client: EngineClient,
  memory: BuilderMemory,
  options: BuildOptions,
): Promise<BuildResult> {
  const timeoutMs = options.timeoutMs ?? buildTimeoutMs;
  const late = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, late]) : late;
  const log: string[] = [];
  const say = (line: string) => {
    if (log.push(line) > buildLogLinesMax) log.shift();
    options.onLine?.(line);
  };
  const id = randomUUID();
  try {
    const response = await start(client, memory, { options, signal, id });
    return await result(response, say, log);
  } catch (error) {
    if (!signal.aborted) return failedByRequest(error, log);
    // The engine stops a build whose client hangs up; BuildKit wants to be told, too.
    await cancel(client, id);
    const reason = late.aborted ? `the build took longer than ${timeoutMs} ms` : 'cancelled';
    return { kind: 'failed', reason, log, late: late.aborted };
  }
}

/** The query of `POST /build`. */
export function buildQuery(
  options: Pick<BuildOptions, 'dockerfile' | 'target' | 'buildArgs' | 'network' | 'tags'> & {
    labels: Labels;
  },
  builder: Builder,
  id: string,
): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {
    version: builder,
    dockerfile: options.dockerfile,
    labels: JSON.stringify(options.labels),
    rm: 'true',
    forcerm: 'true',
  };
  if (builder === '2') query.buildid = id;
  if (options.tags) query.t = options.tags;
  if (options.target) query.target = options.target;
  if (options.buildArgs) query.buildargs = JSON.stringify(options.buildArgs);
  if (options.network === 'none') query.networkmode = 'none';
  return query;
}

async function start(
  client: EngineClient,
  memory: BuilderMemory,
  { options, signal, id }: { options: BuildOptions; signal: AbortSignal; id: string },
): Promise<IncomingMessage> {
  const call = (): EngineCall => ({
    method: 'POST',
    path: '/build',
    query: buildQuery(options, memory.builder, id),
    tar: contextOf(options),
    about: 'build',
    timeoutMs: null,
    signal,
  });
  try {
    return await client.stream(call());
  } catch (error) {
    if (memory.builder !== '2' || !refusesBuildKit(error)) throw error;
    memory.builder = '1';
    if (options.context instanceof Readable) {
      throw new EngineError(
        'the engine has no BuildKit, and this build context can be read only once: try again',
        { status: 400, cause: error },
      );
    }
    return await client.stream(call());
  }
}

function contextOf({ context }: BuildOptions): Readable | Uint8Array {
  return typeof context === 'function' ? context() : context;
}

function refusesBuildKit(error: unknown): boolean {
  if (!(error instanceof EngineError) || error.status < 400) return false;
  return /buildkit|build(er)? version|unsupported version/i.test(error.message);
}

/** A message of the build's stream: one JSON object a line. */
interface BuildMessage {
  id?: string;
  stream?: string;
  status?: string;
  error?: string;
  errorDetail?: { message?: string };
  aux?: string | { ID?: string };
}

async function result(
  response: IncomingMessage,
  say: (line: string) => void,
  log: string[],
): Promise<BuildResult> {
  let imageId = '';
  let failure: string | null = null;
  const trace = new BuildTrace(say);
  const classic = new TextLines(say);
  for await (const message of messagesOf(response)) {
    if (message.error !== undefined) failure = message.errorDetail?.message ?? message.error;
    else if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string') {
      trace.message(Buffer.from(message.aux, 'base64'));
    } else if (typeof message.aux === 'object' && message.aux?.ID) imageId = message.aux.ID;
    else if (message.stream !== undefined) classic.feed(message.stream);
    else if (message.status !== undefined && !message.id) say(message.status);
  }
  trace.end();
  classic.end();
  if (failure !== null) return { kind: 'failed', reason: failure, log };
  if (imageId === '') return { kind: 'failed', reason: 'the engine ended without an image', log };
  return { kind: 'built', imageId };
}

async function* messagesOf(response: IncomingMessage): AsyncGenerator<BuildMessage> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const text of response) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as BuildMessage;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as BuildMessage;
}

/** The classic builder writes text in pieces that end anywhere. */
class TextLines {
  readonly #say: (line: string) => void;
  #rest = '';

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  feed(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#say(line.replace(/\r+$/, ''));
  }

  end(): void {
    if (this.#rest.trim() !== '') this.#say(this.#rest);
  }
}

function failedByRequest(error: unknown, log: string[]): BuildResult {
  // A Dockerfile that cannot be read, say, is an expected outcome; a dead engine is not.
  if (error instanceof EngineError && error.status >= 400) {
    return { kind: 'failed', reason: error.message, log };
  }
  throw error;
}

async function cancel(client: EngineClient, id: string): Promise<void> {
  const call = { method: 'POST', path: '/build/cancel', query: { id }, about: 'build' } as const;
  await client.json(call).catch(() => undefined);
}

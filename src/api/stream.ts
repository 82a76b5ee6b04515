/** Long work over HTTP: lines of JSON, the last of which is the result. */
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { LogLine } from '../domain/app.ts';
import type { Logger } from '../domain/logger.ts';
import { redactValue } from '../domain/redact.ts';
import { type apiError, failed, logEntry, progress, resultOf } from './contract.ts';
import type { Refusal, Say } from './platform.ts';
import { isRefusal } from './platform.ts';

const aliveEveryMs = 15_000;

export interface Line {
  say: Say;
  log: (line: LogLine) => void;
  /** Aborted when whoever asked has gone. */
  gone: AbortSignal;
}

/**
 * Runs `work` and writes what it says as it goes. The work is not broken off when the connection
 * is: it may look at `gone` where that makes sense.
 */
export async function stream<S extends z.ZodType>(
  reply: FastifyReply,
  options: { result: S; logger: Logger },
  work: (line: Line) => Promise<z.output<S> | Refusal>,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  const gone = new AbortController();
  raw.on('close', () => gone.abort());
  raw.on('error', () => gone.abort());
  raw.writeHead(200, {
    'content-type': 'application/x-ndjson; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  const write = (schema: z.ZodType, line: unknown) => {
    if (!gone.signal.aborted) raw.write(`${JSON.stringify(redactValue(schema.parse(line)))}\n`);
  };
  const timer = setInterval(() => raw.write('{"kind":"alive"}\n'), aliveEveryMs);
  const fail = (error: z.output<typeof apiError>['error']) =>
    write(failed, { kind: 'error', error });
  try {
    const answer = await work({
      say: (text) => write(progress, { kind: 'progress', text }),
      log: (line) => write(logEntry, { kind: 'log', line }),
      gone: gone.signal,
    });
    if (isRefusal(answer)) fail({ code: answer.code, message: answer.reason });
    else write(resultOf(options.result), { kind: 'result', result: answer });
  } catch (error) {
    const { message } = error as Error;
    options.logger.error('A long request failed', { error: message });
    fail({ code: 'internal', message: `The server failed: ${message}` });
  } finally {
    clearInterval(timer);
    raw.end();
  }
}

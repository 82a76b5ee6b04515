/** Where the server's own words go: standard error, as JSON, without secrets whoever wrote them. */
import { pino } from 'pino';
import type { Config } from '../config.ts';
import type { Logger } from '../domain/logger.ts';
import { redact, redactValue } from '../domain/redact.ts';

export function loggerOf({ logLevel }: Pick<Config, 'logLevel'>): Logger {
  const log = pino({ level: logLevel }, pino.destination({ fd: 2, sync: true }));
  return {
    info: (message, fields = {}) => log.info(loggable(fields), redact(message)),
    warn: (message, fields = {}) => log.warn(loggable(fields), redact(message)),
    error: (message, fields = {}) => log.error(loggable(fields), redact(message)),
  };
}

/** Nobody means to log what was recorded; messages of errors may hold it all the same. */
export function loggable(fields: Record<string, unknown>): Record<string, unknown> {
  const said = Object.entries(fields).map(([name, value]) => [name, wordsOf(value)]);
  return redactValue(Object.fromEntries(said) as Record<string, unknown>);
}

/** Errors have no members of their own that JSON would show. */
function wordsOf(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const cause = value.cause === undefined ? '' : `\ncaused by ${String(wordsOf(value.cause))}`;
  return `${value.stack ?? value.message}${cause}`;
}

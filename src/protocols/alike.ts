/** Whether two recorded answers say the same: only then may one stand for the other. */
import type { Exchange } from '../domain/exchange.ts';
import { responseOf } from './http1/message.ts';

/**
 * Headers that differ from one answer to the next without saying anything about what was asked:
 * when it was made, by whom, how long it took, and what the connection does.
 */
const volatileHeaders: readonly string[] = [
  'age',
  'connection',
  'date',
  'expires',
  'keep-alive',
  'request-id',
  'server-timing',
  'traceparent',
  'tracestate',
  'x-amzn-requestid',
  'x-amzn-trace-id',
  'x-correlation-id',
  'x-request-id',
  'x-response-time',
  'x-runtime',
  'x-trace-id',
];

/** Equal for answers that say the same. An absent answer is alike only to another absent one. */
export function answerKey(exchange: Exchange): string {
  const http = responseOf(exchange);
  if (http !== null) {
    const headers = http.headers
      .map(([name, value]) => [name.toLowerCase(), value])
      .filter(([name]) => !volatileHeaders.includes(name!))
      .sort(([a], [b]) => (a! < b! ? -1 : 1));
    return JSON.stringify([http.status, headers, http.body, http.trailers]);
  }
  return JSON.stringify([exchange.response?.meaning ?? null, exchange.error]);
}

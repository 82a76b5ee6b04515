/** Whether a recording can be replayed at all, said before anything is run. */
import type { Exchange } from '../domain/exchange.ts';
import type { Instant } from '../domain/time.ts';
import { type Connection, endpointText } from '../domain/wire.ts';
import { protocolOf, rawBytes } from '../protocols/exchanges.ts';
import { isLoopback, outboundOf } from './directory.ts';
import type { Recorded } from './entry.ts';

/** Null when the trigger can be replayed, else the reason why not. */
export function whyNotReplayable(recorded: Recorded): string | null {
  const { recording, exchanges } = recorded;
  if (recording.triggerExchangeId === null) return null;
  const trigger = exchanges.find((exchange) => exchange.id === recording.triggerExchangeId);
  if (trigger === undefined) return 'the recording does not hold the request that failed';
  if (trigger.protocol !== 'http1') {
    return `the request that failed is ${trigger.protocol}, which cannot be sent again yet`;
  }
  if (requestBytesOf(recorded, trigger.id) === null) {
    return 'bytes of the request that failed are missing in the recording';
  }
  if (recording.causality !== 'exact') return null;
  return whyCallsNotWhole(recorded, trigger);
}

/** The raw bytes of a recorded request; null when some of them are not held. */
export function requestBytesOf(recorded: Recorded, exchangeId: string): Uint8Array | null {
  const exchange = recorded.exchanges.find((one) => one.id === exchangeId);
  const connection = recorded.recording.connections.find((c) => c.id === exchange?.connectionId);
  if (exchange?.request == null || connection === undefined) return null;
  return rawBytes(connection, { from: 'client', ...exchange.request.range });
}

function whyCallsNotWhole(recorded: Recorded, trigger: Exchange): string | null {
  const { recording, exchanges } = recorded;
  const calls = new Set(recording.callExchangeIds);
  const held = new Set(exchanges.map((exchange) => exchange.id));
  const missing = recording.callExchangeIds.find((id) => !held.has(id));
  if (missing !== undefined) return `a call is not held as a whole: ${missing}`;
  for (const call of exchanges) {
    if (!calls.has(call.id)) continue;
    const title = `${call.title} to ${call.serverName ?? endpointText(call.server)}`;
    if (call.protocol === 'opaque') return `a call is in no protocol that can be read: ${title}`;
    if (call.end !== 'complete' && call.end !== 'unanswered') {
      return `a call is not held as a whole (${call.end}): ${title}`;
    }
  }
  const from = trigger.request!.startedAt;
  const to = trigger.response?.endedAt ?? recording.to;
  const opaque = outboundOf(recording).find(
    (c) => !isLoopback(c.server.address) && isOpaque(c) && hasBytesIn(c, from, to),
  );
  if (opaque === undefined) return null;
  const text = endpointText(opaque.server);
  return `it talked to ${text} in no protocol that can be read (encrypted, perhaps)`;
}

function isOpaque(connection: Connection): boolean {
  const isEncrypted = connection.gaps.some((gap) => gap.reason === 'tls');
  return isEncrypted || protocolOf(connection).name === 'opaque';
}

function hasBytesIn(connection: Connection, from: Instant, to: Instant): boolean {
  const within = connection.chunks.some((chunk) => chunk.at >= from && chunk.at <= to);
  return within || (connection.gaps.length > 0 && connection.openedAt <= to);
}

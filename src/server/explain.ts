/** A recording in words: its exchanges, sorted by the part that they play. */
import type { Exchange as ExchangeText } from '../api/contract.ts';
import type { Explained } from '../api/platform.ts';
import type { Exchange } from '../domain/exchange.ts';
import type { Recording } from '../domain/recording.ts';
import { endpointText } from '../domain/wire.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { protocols } from '../protocols/protocols.ts';

/** Never throws: bytes that say nothing are shown as what they are. */
export function explain(recording: Recording, boot: Recording | null): Explained {
  const exchanges = exchangesOf(recording, { namesFrom: boot?.connections ?? [] });
  const calls = new Set(recording.callExchangeIds);
  const texts = exchanges.map((exchange) => ({ exchange, text: textOf(exchange) }));
  const isTrigger = (exchange: Exchange) => exchange.id === recording.triggerExchangeId;
  return {
    trigger: texts.find(({ exchange }) => isTrigger(exchange))?.text ?? null,
    calls: texts.filter(({ exchange }) => calls.has(exchange.id)).map(({ text }) => text),
    others: texts
      .filter(({ exchange }) => !isTrigger(exchange) && !calls.has(exchange.id))
      .map(({ text }) => text),
  };
}

function textOf(exchange: Exchange): ExchangeText {
  const protocol = protocols.find((candidate) => candidate.name === exchange.protocol);
  const { request, response, serverName, server } = exchange;
  return {
    id: exchange.id,
    direction: exchange.direction,
    protocol: exchange.protocol,
    server: serverName === null ? endpointText(server) : `${serverName}:${server.port}`,
    title: exchange.title,
    startedAt: request?.startedAt ?? response?.startedAt ?? null,
    endedAt: response?.endedAt ?? null,
    end: exchange.end,
    error: exchange.error,
    lines: protocol?.explain(exchange) ?? [],
  };
}

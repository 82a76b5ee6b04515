/** What proposers look at in recordings: the request, its calls, and siblings' answers. */

import type { Recording } from '../domain/recording.ts';
import { redact } from '../domain/redact.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { jsonOf, responseOf } from '../protocols/http1/message.ts';
import { protocols } from '../protocols/protocols.ts';
import type { SiblingAnswer } from './need.ts';

/** Readable lines, redacted and cut; still hostile text. */
export interface Told {
  request: string[];
  calls: string[];
}

export interface EvidenceLimits {
  callsMax: number;
  linesPerExchangeMax: number;
  lineCharsMax: number;
}

export const evidenceLimits: EvidenceLimits = {
  callsMax: 20,
  linesPerExchangeMax: 30,
  lineCharsMax: 400,
};

/** What successful requests of the route were answered. */
export function siblingAnswersOf(siblings: readonly Recording[]): SiblingAnswer[] {
  return siblings.flatMap((recording) => {
    const exchanges = exchangesOf(recording);
    const trigger = exchanges.find((exchange) => exchange.id === recording.triggerExchangeId);
    const response = trigger === undefined ? null : responseOf(trigger);
    if (response === null) return [];
    return [{ status: response.status, body: jsonOf(response) ?? response.body?.data ?? null }];
  });
}

/** The trigger and its outgoing calls in words. */
export function toldOf(recording: Recording, limits: EvidenceLimits = evidenceLimits): Told {
  const exchanges = exchangesOf(recording);
  const calls = new Set(recording.callExchangeIds);
  const explained = (ids: (id: string) => boolean) =>
    exchanges
      .filter((exchange) => ids(exchange.id))
      .slice(0, limits.callsMax)
      .flatMap((exchange) => {
        const protocol = protocols.find((candidate) => candidate.name === exchange.protocol);
        const lines = protocol?.explain(exchange) ?? [exchange.title];
        return lines.slice(0, limits.linesPerExchangeMax);
      })
      .map((line) => redact(line).slice(0, limits.lineCharsMax));
  return {
    request: explained((id) => id === recording.triggerExchangeId),
    calls: explained((id) => calls.has(id)),
  };
}

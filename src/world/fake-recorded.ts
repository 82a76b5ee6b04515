/** A tiny protocol and recordings of it for tests: questions with fields, answers that are words. */
import type { Exchange } from '../domain/exchange.ts';
import type { AnswerSource } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Endpoint } from '../domain/wire.ts';
import type { Protocol, Question } from '../protocols/protocol.ts';
import { type Recorded, recordedOf } from './entry.ts';

export const database: Endpoint = { address: '10.0.0.2', port: 5432 };

/** What the fake protocol asks; `noise` is what normalisation takes out. */
export interface Ask {
  verb: string;
  table: string;
  value: string;
  noise?: string;
  effect?: Exchange['effect'];
  server?: Endpoint;
  serverName?: string | null;
}

/** A recorded call: what was asked, what was answered (null: never), at which second. */
export interface Call {
  ask: Ask;
  answer: string | null;
  at: number;
  own?: boolean;
  end?: Exchange['end'];
  error?: string | null;
}

export function question(ask: Ask): Question {
  const { verb, table, value, noise = '' } = ask;
  return {
    protocol: 'fake',
    transport: 'tcp',
    server: ask.server ?? database,
    serverName: ask.serverName ?? null,
    exactKey: JSON.stringify([verb, table, value, noise]),
    normalisedKey: JSON.stringify([verb, table, value]),
    formKey: `${verb} ${table}`,
    effect: ask.effect ?? 'read',
    title: `${verb} ${table}`,
    fields: { verb, table, value, noise },
    meaning: ask,
  };
}

export const fakeProtocol: Protocol = {
  name: 'fake',
  detect: () => 'no',
  reader: () => {
    throw new Error('not used');
  },
  question: (exchange) => question(exchange.request!.meaning as Ask),
  answerer: () => {
    throw new Error('not used');
  },
  explain: () => [],
};

/** A recording whose trigger was asked at second 100 and answered at 200. */
export function recorded(source: AnswerSource, calls: readonly Call[], more = {}): Recorded {
  const exchanges = calls.map((call, index) => exchangeOf(`${source}/${index + 1}`, call));
  const trigger = exchangeOf('inbound/1', {
    ask: { verb: 'trigger', table: '', value: '' },
    ...{ answer: 'failed', at: 100 },
  });
  trigger.direction = 'inbound';
  trigger.response!.endedAt = 200;
  const recording: Recording = {
    id: source,
    kind: source === 'boot' ? 'boot' : 'failure',
    app: 'app',
    releaseNumber: 1,
    instanceId: 'instance',
    from: 0,
    to: 1000,
    connections: [],
    triggerExchangeId: source === 'boot' ? null : trigger.id,
    callExchangeIds: exchanges.filter((_, i) => calls[i]!.own ?? true).map((e) => e.id),
    causality: 'exact',
    prefixExchangeIds: [],
    log: [],
    exit: null,
    route: null,
    completeness: { seenBytes: 0, totalBytes: 0, reasons: [] },
    ...more,
  };
  const all = source === 'boot' ? exchanges : [trigger, ...exchanges];
  return recordedOf({ recording, exchanges: all, protocols: [fakeProtocol], source });
}

function exchangeOf(id: string, call: Call): Exchange {
  const { ask, answer, at } = call;
  const range = { start: 0, end: 1 };
  return {
    id,
    connectionId: id.split('/')[0]!,
    ordinal: Number(id.split('/')[1]),
    direction: 'outbound',
    protocol: 'fake',
    server: ask.server ?? database,
    serverName: ask.serverName ?? null,
    request: { range, startedAt: at, endedAt: at, meaning: ask },
    response: answer === null ? null : { range, startedAt: at, endedAt: at + 0.5, meaning: answer },
    end: call.end ?? (answer === null ? 'unanswered' : 'complete'),
    effect: ask.effect ?? 'read',
    error: call.error ?? null,
    title: `${ask.verb} ${ask.table}`,
  };
}

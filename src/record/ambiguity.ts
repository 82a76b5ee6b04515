// Among the calls of several requests, a replay tells by content which to answer with. That fails
// where two ask the same and were answered differently: whose answer is whose cannot be told.
import type { Exchange } from '../domain/exchange.ts';
import type { Causality } from '../domain/recording.ts';
import { answerKey } from '../protocols/alike.ts';
import { protocols } from '../protocols/protocols.ts';

/** Calls that are compared; of more than so many nobody knows, so they are in doubt. */
const comparedMax = 5000;

/** What a set of calls is that holds those of others too. */
export function superset(calls: readonly Exchange[]): Exclude<Causality, 'exact'> {
  if (calls.length > comparedMax) return 'ambiguous';
  const answers = new Map<string, string>();
  for (const call of calls) {
    const question = protocols.find(({ name }) => name === call.protocol)?.question(call);
    if (!question) continue;
    const { protocol, server, exactKey } = question;
    const key = JSON.stringify([protocol, server.address, server.port, exactKey]);
    const answer = answerKey(call);
    const before = answers.get(key);
    if (before !== undefined && before !== answer) return 'ambiguous';
    answers.set(key, answer);
  }
  return 'candidates';
}

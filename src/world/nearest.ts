/** For a question that nothing recorded answers: the nearest recorded one and what differs. */
import type { Divergence } from '../domain/outcome.ts';
import type { Question } from '../protocols/protocol.ts';
import type { Entry } from './entry.ts';
import { sameServer } from './server-identity.ts';

const valueCharsMax = 120;

/**
 * Nearest: of the same protocol, then of the same server, then of the same form, then with the
 * fewest fields that differ. Null when the protocol was never spoken.
 */
export function nearestOf(question: Question, entries: readonly Entry[]): Divergence['nearest'] {
  let best: { entry: Entry; score: number } | null = null;
  for (const entry of entries) {
    if (entry.question.protocol !== question.protocol) continue;
    const score =
      (sameServer(entry.question, question) ? 0 : 1_000_000) +
      (entry.question.formKey === question.formKey ? 0 : 1000) +
      differingFields(question, entry.question).length;
    if (best === null || score < best.score) best = { entry, score };
  }
  if (best === null) return null;
  return {
    exchangeId: best.entry.exchange.id,
    title: best.entry.exchange.title,
    difference: differenceText(question, best.entry.question),
  };
}

/** `query: recorded "a", asked "b"` for each field that differs, the most telling ones first. */
export function differenceText(asked: Question, recorded: Question): string {
  const differences = differingFields(asked, recorded)
    .slice(0, 3)
    .map((name) => {
      const [was, is] = cutAround(recorded.fields[name] ?? null, asked.fields[name] ?? null);
      return `${name}: recorded ${was}, asked ${is}`;
    });
  if (!sameServer(asked, recorded)) {
    const text = (q: Question) => `${q.serverName ?? q.server.address}:${q.server.port}`;
    differences.unshift(`server: recorded ${text(recorded)}, asked ${text(asked)}`);
  }
  return differences.length > 0 ? differences.join('; ') : 'the same question';
}

function differingFields(a: Question, b: Question): string[] {
  const names = new Set([...Object.keys(a.fields), ...Object.keys(b.fields)]);
  return [...names].filter((name) => a.fields[name] !== b.fields[name]);
}

/** Both values, quoted; long ones from a little before the place where they begin to differ. */
function cutAround(was: string | null, is: string | null): [string, string] {
  let same = 0;
  if (was !== null && is !== null) {
    while (same < was.length && same < is.length && was[same] === is[same]) same++;
  }
  const longest = Math.max(was?.length ?? 0, is?.length ?? 0);
  const from = longest <= valueCharsMax ? 0 : Math.max(0, same - 30);
  const quote = (value: string | null) => {
    if (value === null) return 'nothing';
    const part = value.slice(from, from + valueCharsMax);
    const [before, after] = [from > 0 ? '…' : '', from + valueCharsMax < value.length ? '…' : ''];
    return JSON.stringify(before + part + after);
  };
  return [quote(was), quote(is)];
}

/** Check 6: successful requests get the same answers and make the same calls as before. */
import type { Observed, Served } from '../domain/outcome.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';
import type { Build } from './build.ts';
import { callsOf, identity } from './calls.ts';
import { differences } from './noise.ts';
import { replayPatched } from './replays.ts';
import { sampleOfObserved } from './samples.ts';
import { replayTogether, steady } from './together.ts';
import { isEnding } from './transactions.ts';
import type { Evidence, Verification } from './verify.ts';

/**
 * Replays each recording of the corpus on the old code twice, to learn what differs by itself
 * (ids, times), and once on the patched. Whatever else differs fails.
 */
export async function judgeCorpus(state: Verification, build: Build): Promise<Answer> {
  const corpus = spread(state.options.corpus, state.limits.corpusMax);
  const alike = new Set<Evidence>();
  for (const [evidence, old, patched] of await replayTogether(state, build, corpus)) {
    if (differs(old, patched).kind === 'equal') alike.add(evidence);
  }
  let equal = alike.size;
  for (const evidence of corpus.filter((each) => !alike.has(each))) {
    const old = await baselineOf(state, evidence);
    if (old === null) continue;
    const outcome = await replayPatched(state, build, evidence);
    const route = evidence.recording.route ?? 'a request';
    const { exit, divergences } = 'observed' in outcome ? outcome.observed : old[0];
    if (outcome.kind === 'not-ready' && exit === null && divergences.length === 0) {
      // It was ready several times before: the machine is slow, and who asked tries again.
      throw new Error(`the patched app was not ready: ${outcome.reason}`);
    }
    if (outcome.kind === 'failed' || outcome.kind === 'not-ready') {
      return fail(`${route} worked before and now fails`);
    }
    if (outcome.kind !== 'succeeded') continue;
    const found = differs(old, outcome.observed);
    if (found.kind === 'other') return fail(`${route} is answered differently: ${found.says}`);
    if (found.kind === 'equal') equal++;
  }
  if (equal === 0) return unknown('no successful request could be replayed on the old code');
  return pass(`${equal} recorded successes get the same answers and make the same calls`);
}

/** Exported for its test: one of each route in turn, the routes in their given order. */
export function spread(corpus: readonly Evidence[], max: number): Evidence[] {
  const turns = new Map<string | null, number>();
  const ranked = corpus.map((evidence) => {
    const { route } = evidence.recording;
    const turn = turns.get(route) ?? 0;
    turns.set(route, turn + 1);
    return { evidence, turn };
  });
  return ranked
    .sort((a, b) => a.turn - b.turn)
    .slice(0, max)
    .map(({ evidence }) => evidence);
}

/** Two replays of old code, or null when it does not succeed alike both times. */
async function baselineOf(
  state: Verification,
  evidence: Evidence,
): Promise<[Observed, Observed] | null> {
  const { baselines, release } = state.options;
  const known = baselines.get(evidence.recording.id);
  if (known !== undefined) return known;
  const old: Build = { commit: release.commit, imageId: release.imageId };
  const first = await replayPatched(state, old, evidence);
  const second = first.kind === 'succeeded' ? await replayPatched(state, old, evidence) : first;
  const pair = steady(first, second);
  baselines.set(evidence.recording.id, pair);
  return pair;
}

/** What differs, in words; exported for its test. `unsteady`: old code differs by itself. */
export function differs(
  old: readonly [Observed, Observed],
  patched: Observed,
): { kind: 'equal' } | { kind: 'other'; says: string } | { kind: 'unsteady' } {
  const other = (says: string) => ({ kind: 'other', says }) as const;
  const [first, second, now] = [...old, patched].map((seen) => sampleOfObserved(seen, null));
  if (first == null || second == null || now == null) return other('it is not answered');
  if (first.status !== now.status) return other(`status ${now.status} instead of ${first.status}`);
  const headers = [...old, patched].map(({ answer }) => headersOf(answer?.headers ?? []));
  const [difference] = [
    ...differences(headers[0], headers[1], headers[2], 'header'),
    ...differences(first.body, second.body, now.body),
  ];
  if (difference !== undefined) return other(difference);
  const stray = patched.divergences.find((found) => !found.duringBoot);
  if (stray !== undefined) return other(`it asks what was never asked: ${stray.title}`);
  // Where what is asked differs by itself (times, ids), its form need not.
  for (const nameOf of [identity, (call: Served) => `${call.protocol} ${call.formKey}`]) {
    const [a, b, c] = [...old, patched].map((seen) => callNames(seen, nameOf));
    if (a === b) return a === c ? { kind: 'equal' } : other('it makes other calls');
  }
  return { kind: 'unsteady' };
}

function callNames({ served }: Observed, nameOf: (call: Served) => string): string {
  const endings = served.filter((call) => !call.duringBoot && isEnding(call));
  return [...callsOf(served), ...endings].map(nameOf).sort().join('\n');
}

/** Headers that decide what a client does with an answer; others differ from time to time. */
const telling: readonly string[] = [
  ...['location', 'content-type', 'content-encoding', 'content-disposition', 'cache-control'],
  ...['www-authenticate', 'access-control-allow-origin', 'access-control-allow-credentials'],
];

function headersOf(headers: readonly [string, string][]): Record<string, string> {
  const found: [string, string][] = [];
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (telling.includes(key)) found.push([key, value]);
    // Their values are often random, and some say when they end.
    const [cookie, ...attributes] = key === 'set-cookie' ? value.split(';') : [''];
    if (cookie === '') continue;
    const lasting = attributes.map((text) => text.trim()).filter((text) => !/^expires/i.test(text));
    found.push([`set-cookie ${cookie!.split('=')[0]}`, lasting.sort().join('; ').toLowerCase()]);
  }
  return Object.fromEntries(found);
}

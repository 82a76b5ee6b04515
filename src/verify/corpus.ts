/** Check 6: successful requests get the same answers and make the same calls as before. */
import type { Observed } from '../domain/outcome.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';
import type { Build } from './build.ts';
import { callsOf } from './calls.ts';
import { differences, noiseBetween } from './noise.ts';
import { replayPatched } from './replays.ts';
import { sampleOfObserved } from './samples.ts';
import type { Evidence, Verification } from './verify.ts';

/**
 * Replays each recording of the corpus on the old code twice, to learn what differs by itself
 * (ids, times), and once on the patched. Whatever else differs fails.
 */
export async function judgeCorpus(state: Verification, build: Build): Promise<Answer> {
  const corpus = spread(state.options.corpus, state.limits.corpusMax);
  let equal = 0;
  for (const evidence of corpus) {
    const old = await baselineOf(state, evidence);
    if (old === null) continue;
    const outcome = await replayPatched(state, build, evidence);
    const route = evidence.recording.route ?? 'a request';
    if (outcome.kind === 'failed' || outcome.kind === 'not-ready') {
      return fail(`${route} worked before and now fails`);
    }
    if (outcome.kind !== 'succeeded') continue;
    const found = differs(old, outcome.observed);
    if (found !== null) return fail(`${route} is answered differently: ${found}`);
    equal++;
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
  const steady =
    first.kind === 'succeeded' &&
    second.kind === 'succeeded' &&
    first.observed.answer?.status === second.observed.answer?.status &&
    first.observed.divergences.length === 0 &&
    second.observed.divergences.length === 0;
  const pair: [Observed, Observed] | null = steady ? [first.observed, second.observed] : null;
  baselines.set(evidence.recording.id, pair);
  return pair;
}

function differs(old: [Observed, Observed], patched: Observed): string | null {
  const [first, second, now] = [...old, patched].map((seen) => sampleOfObserved(seen, null));
  if (first == null || second == null || now == null) return 'it is not answered';
  if (first.status !== now.status) return `status ${now.status} instead of ${first.status}`;
  const noise = noiseBetween(first.body, second.body);
  const [difference] = differences(first.body, now.body, noise);
  if (difference !== undefined) return difference;
  const unsteadyCalls = callNames(old[0]).join('\n') !== callNames(old[1]).join('\n');
  if (unsteadyCalls || callNames(old[0]).join('\n') === callNames(patched).join('\n')) return null;
  return 'it makes other calls';
}

function callNames(observed: Observed): string[] {
  return callsOf(observed.served)
    .map((call) => `${call.protocol} ${call.key}`)
    .sort();
}

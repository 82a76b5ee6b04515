/**
 * Check 6 the quick way: the corpus is sent to one process of each code, which boots once. Only
 * what comes out equal counts; everything else is asked again, each with a boot of its own.
 */
import type { Observed, Outcome } from '../domain/outcome.ts';
import type { ManyReplayer } from '../replay/replay.ts';
import type { Build } from './build.ts';
import type { Evidence, Verification } from './verify.ts';

/** A replayer that may be able to send many requests to one process. */
export type CorpusReplayer = Pick<ManyReplayer, 'replay'> & Partial<ManyReplayer>;

/** What old code (twice) and patched code did with one recording, all of it well. */
export type Compared = [evidence: Evidence, old: [Observed, Observed], patched: Observed];

/** Those of the corpus that succeed on both codes in one process each, alike on the old one. */
export async function replayTogether(
  state: Verification,
  build: Build,
  corpus: readonly Evidence[],
): Promise<Compared[]> {
  const compared: Compared[] = [];
  for (const group of byBoot(corpus)) {
    const old: Build = {
      commit: state.options.release.commit,
      imageId: state.options.release.imageId,
    };
    if (group.some(({ recording }) => !state.options.baselines.has(keyOf(recording.id)))) {
      const first = await sendAll(state, old, group);
      const second = await sendAll(state, old, group);
      group.forEach(({ recording }, at) => {
        state.options.baselines.set(keyOf(recording.id), steady(first[at], second[at]));
      });
    }
    const patched = await sendAll(state, build, group);
    group.forEach((evidence, at) => {
      const pair = state.options.baselines.get(keyOf(evidence.recording.id)) ?? null;
      const outcome = patched[at];
      if (pair !== null && outcome?.kind === 'succeeded') {
        compared.push([evidence, pair, outcome.observed]);
      }
    });
  }
  return compared;
}

/** Two good replays of old code, or null when it does not succeed alike both times. */
export function steady(
  first: Outcome | undefined,
  second: Outcome | undefined,
): [Observed, Observed] | null {
  if (first?.kind !== 'succeeded' || second?.kind !== 'succeeded') return null;
  const pair: [Observed, Observed] = [first.observed, second.observed];
  const [a, b] = pair.map(({ answer }) => answer?.status);
  return a === b && pair.every(({ divergences }) => divergences.length === 0) ? pair : null;
}

async function sendAll(
  state: Verification,
  build: Build,
  group: readonly Evidence[],
): Promise<Outcome[]> {
  const { options } = state;
  const boot = group[0]?.boot;
  if (options.replayer.replayMany === undefined || boot === undefined) return [];
  const process = {
    release: options.release,
    imageId: build.imageId,
    env: options.env,
    boot,
    locate: options.locatorFor(build),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const requests = group.map(({ recording }) => {
    return { trigger: recording, siblings: options.siblings, prefix: [] };
  });
  return options.replayer.replayMany(process, requests);
}

function byBoot(corpus: readonly Evidence[]): Evidence[][] {
  const groups = Map.groupBy(corpus, ({ boot }) => boot.id);
  return [...groups.values()].filter((group) => group.length > 1);
}

/** In the map of baselines, apart from what a boot of its own gave. */
function keyOf(recordingId: string): string {
  return `together ${recordingId}`;
}

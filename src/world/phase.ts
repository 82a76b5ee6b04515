/** Whose answers are whose: the places to look for them in each part of a replay, in order. */
import type { Instant } from '../domain/time.ts';
import type { Entry, Recorded } from './entry.ts';
import { type Tier, tierOf } from './tier.ts';

/** What is being replayed. */
export type Phase =
  | { kind: 'boot' }
  /** An earlier inbound exchange, sent for its effects. */
  | { kind: 'prefix'; exchangeId: string }
  | { kind: 'trigger' };

export interface PhaseRecordings {
  boot: Recorded | null;
  trigger: Recorded | null;
  siblings: readonly Recorded[];
  /** Changes of earlier phases that were not made yet. */
  leftover: ReadonlySet<Entry>;
}

/** The first is the phase's own. */
export function tiersOf(phase: Phase, recordings: PhaseRecordings): Tier[] {
  const { trigger, siblings } = recordings;
  const boot = recordings.boot?.entries ?? [];
  const window = trigger?.entries ?? [];
  if (phase.kind === 'boot') {
    const { from, to } = recordings.boot?.recording ?? { from: 0, to: 0 };
    return [
      tierOf({ kind: 'own', entries: boot, at: from }),
      tierOf({ kind: 'elsewhen', entries: window, at: to }),
    ];
  }
  const span = spanOf(trigger, phase);
  const at = span.from;
  const own = ownOf(trigger, phase, span);
  const isOwn = new Set(own);
  const others = window.filter((entry) => !isOwn.has(entry));
  const mixed = phase.kind === 'prefix' || trigger?.recording.causality !== 'exact';
  const leftover = [...recordings.leftover].filter((entry) => !isOwn.has(entry));
  const late = others.filter((entry) => entry.startedAt >= at);
  const elsewhen = [...boot, ...others].sort((a, b) => a.startedAt - b.startedAt);
  return [
    tierOf({ kind: 'own', entries: own, at, mixed }),
    tierOf({ kind: 'leftover', entries: leftover, at }),
    tierOf({ kind: 'late', entries: late, at, mixed: true, among: [...own, ...late] }),
    tierOf({ kind: 'elsewhen', entries: elsewhen, at, among: [...boot, ...window] }),
    tierOf({ kind: 'sibling', entries: siblings.flatMap(ownEntries), at }),
  ];
}

/** The calls that belong to a recording's trigger. */
export function ownEntries(recorded: Recorded): readonly Entry[] {
  const calls = new Set(recorded.recording.callExchangeIds);
  return recorded.entries.filter((entry) => calls.has(entry.exchange.id));
}

interface Span {
  from: Instant;
  to: Instant;
}

function ownOf(trigger: Recorded | null, phase: Phase, span: Span): readonly Entry[] {
  if (trigger === null) return [];
  if (phase.kind === 'trigger') return ownEntries(trigger);
  return trigger.entries.filter(
    (entry) => entry.startedAt >= span.from && entry.startedAt <= span.to,
  );
}

/** From the request of the phase to its answer, or to the end of the recording. */
function spanOf(trigger: Recorded | null, phase: Phase): Span {
  const id =
    phase.kind === 'prefix' ? phase.exchangeId : (trigger?.recording.triggerExchangeId ?? null);
  const exchange = trigger?.exchanges.find((one) => one.id === id);
  if (exchange?.request == null) return { from: 0, to: 0 };
  const { startedAt } = exchange.request;
  return { from: startedAt, to: exchange.response?.endedAt ?? trigger!.recording.to };
}

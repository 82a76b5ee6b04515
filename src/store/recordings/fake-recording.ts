// Recordings for tests, made of a seed.
import type { Recording } from '../../domain/recording.ts';
import type { Chunk, Connection, GapReason } from '../../domain/wire.ts';

export type Random = (below: number) => number;

/** A linear congruential generator (Numerical Recipes): the same seed, the same recording. */
export function randomOf(seed: number): Random {
  let state = seed * 2_654_435_761;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Any recording, with odd texts and extreme numbers. */
export function makeRecording(random: Random): Recording {
  const text = () => makeText(random);
  const log = Array.from({ length: random(8) === 0 ? 5000 : random(6) }, (_, index) => ({
    at: 1_700_000_000_000_000 + index,
    stream: random(2) === 0 ? ('stdout' as const) : ('stderr' as const),
    text: text(),
  }));
  return {
    id: `r${random(1000)}`,
    kind: (['boot', 'failure', 'sample'] as const)[random(3)]!,
    app: 'app',
    releaseNumber: random(100),
    instanceId: text(),
    from: 1_700_000_000_000_000,
    to: Number.MAX_SAFE_INTEGER,
    connections: Array.from({ length: random(5) }, () => makeConnection(random)),
    triggerExchangeId: random(2) === 0 ? null : text(),
    callExchangeIds: [text(), text()],
    causality: random(2) === 0 ? 'exact' : 'candidates',
    prefixExchangeIds: [],
    log,
    exit: random(2) === 0 ? null : { at: 3, code: null, signal: 9, oomKilled: true },
    route: random(2) === 0 ? null : text(),
    completeness: { seenBytes: random(1e6), totalBytes: random(1e6), reasons: [text()] },
  };
}

export function makeConnection(random: Random): Connection {
  const chunk = (): Chunk => ({
    from: random(2) === 0 ? 'client' : 'server',
    pos: random(3) === 0 ? Number.MAX_SAFE_INTEGER : random(1e9),
    at: random(2 ** 31),
    bytes: Uint8Array.from({ length: random(4) === 0 ? 0 : random(4000) }, () => random(256)),
  });
  const gap = { from: 'client' as const, pos: 7, length: 3, reason: 'ring-full' as GapReason };
  return {
    id: makeText(random),
    direction: random(2) === 0 ? 'inbound' : 'outbound',
    transport: random(2) === 0 ? 'tcp' : 'udp',
    client: { address: '::1', port: random(65_536) },
    server: { address: '10.0.0.1', port: 5432 },
    openedAt: 0,
    closedAt: random(2) === 0 ? null : 5,
    protocol: random(2) === 0 ? null : 'http1',
    chunks: Array.from({ length: random(12) }, chunk),
    gaps: Array.from({ length: random(2) }, () => gap),
    carried: Array.from({ length: random(3) }, chunk),
  };
}

function makeText(random: Random): string {
  const units = Array.from({ length: random(20) }, () =>
    random(3) === 0 ? random(65_536) : random(128),
  );
  return String.fromCharCode(...units);
}

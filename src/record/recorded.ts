// One instance that is recorded: its flight, its log, what is suspected of it, and its bounds.
import type { ProcessExit } from '../domain/app.ts';
import type { Recording } from '../domain/recording.ts';
import type { Instant } from '../domain/time.ts';
import { protocols } from '../protocols/protocols.ts';
import { isFailure } from '../symptoms/failures.ts';
import type { Suspicion } from '../symptoms/symptoms.ts';
import { bootEvidence, type Source } from './evidence.ts';
import { Flight } from './flight.ts';
import { LogWindow } from './log-window.ts';
import type { Losses } from './losses.ts';
import { type Corpus, Samples } from './samples.ts';
import type { SensorEvent } from './sensor/types.ts';
import type { SlabPool } from './slab.ts';
import { Suspects } from './suspects.ts';
import type { Keeping, RecordLimits, Watched } from './types.ts';

/** A window is made of at least so many slabs in time, so that it ages in small steps. */
const slabsInTime = 8;
/** The oldest part of a full window: what is needed of it is cut before it is given up. */
const endangered = 0.25;

export class Recorded {
  readonly instance: Watched;
  readonly number: number;
  readonly flight: Flight;
  readonly log: LogWindow;
  readonly #source: Source;
  readonly #limits: RecordLimits;
  readonly #suspects: Suspects;
  readonly #samples: Samples;
  #booting: boolean;
  #bootExit: { exit: ProcessExit; seenAt: Instant } | null = null;

  constructor(options: {
    instance: Watched;
    number: number;
    pool: SlabPool;
    losses: Losses;
    limits: RecordLimits;
    corpus: Corpus;
    recordings: Keeping;
  }) {
    const { instance, number, pool, losses, limits, corpus, recordings } = options;
    this.instance = instance;
    this.number = number;
    this.#booting = instance.booted !== true;
    this.#limits = limits;
    this.log = new LogWindow(limits.logBytesMax);
    const { bodyBytesMax } = limits;
    this.flight = new Flight({
      ...{ instance, pool, protocols, bodyBytesMax },
      hooks: {
        failingAnswer: (tracked, answer) => {
          if (this.#booting) return;
          this.#suspects.answered({ tracked, ...answer, sequence: tracked.turnSequence });
        },
        turn: (tracked) => {
          if (!this.#booting) this.#samples.turn(tracked);
        },
      },
    });
    const source = { flight: this.flight, log: this.log, losses, limits };
    this.#source = source;
    this.#suspects = new Suspects(source);
    this.#samples = new Samples({ source, corpus, recordings });
  }

  get pending(): boolean {
    if (this.#booting) return this.#bootExit !== null;
    return this.#suspects.pending || this.#samples.pending;
  }

  /** Since when something failed that nobody was told of yet; infinite when nothing did. */
  get pendingSince(): Instant {
    if (this.#booting) return this.#bootExit?.exit.at ?? Number.POSITIVE_INFINITY;
    return this.#suspects.pendingSince;
  }

  /** Events that are not data. */
  event(event: SensorEvent, at: Instant): void {
    if (event.kind === 'open') this.flight.open(event, at);
    else if (event.kind === 'close') this.flight.close(event, at);
    else if (event.kind === 'upgrade') this.flight.upgrade(event.connection, at);
    else if (event.kind === 'opaque' && event.reason === 'io_uring') this.flight.usesIoUring = true;
    else if (event.kind === 'opaque') {
      this.flight.degradations.note('program-32-bit', at);
      this.flight.caveats.add('a process runs a 32-bit program: its bytes cannot be recorded');
    }
  }

  /** The start is over: returns its recording. */
  boot(at: Instant): Recording {
    const recording = bootEvidence(this.#source, at);
    this.#booting = false;
    this.#suspects.clear();
    this.bound();
    return recording;
  }

  exited(exit: ProcessExit, seenAt: Instant): void {
    if (!isFailure(exit)) return;
    if (this.#booting) this.#bootExit = { exit, seenAt };
    else this.#suspects.exited(exit, seenAt);
  }

  due(at: Instant, all: boolean): Suspicion[] {
    if (!this.#booting) return this.#suspects.due(at, all);
    const ended = this.#bootExit;
    if (ended === null || (!all && at < ended.seenAt + 2 * this.#limits.graceMs * 1000)) return [];
    this.#bootExit = null;
    const { exit } = ended;
    const { app, releaseNumber, id: instanceId } = this.instance;
    const recording = { ...bootEvidence(this.#source, at), exit };
    const symptoms = { at: exit.at, status: null, route: null, log: recording.log, exit };
    return [{ app, releaseNumber, instanceId, symptoms, recording, repeats: 0 }];
  }

  async sample(at: Instant, all: boolean): Promise<void> {
    await this.#samples.due(at, all);
  }

  /** Keeps the bound in bytes; called after every batch. */
  bound(): void {
    const { windowBytesMax, bootBytesMax } = this.#limits;
    const bytesMax = this.#booting ? bootBytesMax : windowBytesMax;
    if (this.flight.heldBytes <= bytesMax) return;
    const sequence = this.flight.window.sequenceAt(endangered);
    this.#suspects.secure(sequence);
    this.#samples.secure(sequence);
    this.flight.evict({ bytesMax, notBefore: 0, slabMs: Number.POSITIVE_INFINITY });
  }

  /** Keeps the bound in time. */
  age(at: Instant): void {
    if (this.#booting) return;
    const { windowMs, windowBytesMax: bytesMax } = this.#limits;
    const notBefore = at - windowMs * 1000;
    this.flight.evict({ bytesMax, notBefore, slabMs: windowMs / slabsInTime });
  }

  /** Gives up so many bytes, oldest first. */
  shrink(bytes: number): void {
    const bytesMax = Math.max(0, this.flight.heldBytes - bytes);
    this.flight.evict({ bytesMax, notBefore: 0, slabMs: Number.POSITIVE_INFINITY });
  }

  close(): void {
    this.flight.window.clear();
  }
}

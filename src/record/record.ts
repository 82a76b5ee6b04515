/** From what the sensor sees to recordings: boot, failing triggers with their window, samples. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Degradation } from '../domain/degradation.ts';
import type { RecordingSummary } from '../domain/recording.ts';
import { type Instant, now } from '../domain/time.ts';
import type { Suspicion } from '../symptoms/symptoms.ts';
import { merged } from './degradations.ts';
import { Losses } from './losses.ts';
import { Recorded } from './recorded.ts';
import { Corpus } from './samples.ts';
import type { EventBatch, Loss } from './sensor/types.ts';
import { SlabPool } from './slab.ts';
import {
  type Recorder,
  type RecorderStatus,
  type RecordLimits,
  type RecordOptions,
  recordLimits,
  type Watched,
} from './types.ts';

/** How often it looks for what is due. */
const tickMs = 100;
const flushTimeoutMs = 2000;
/** How long the sensor's events and the lines of a log are on their way, at most, in health. */
const underWayUs = 500_000;
const slabBytesMax = 256 * 1024;
/** A window is at least so many slabs, so that giving one up loses little. */
const slabsMin = 8;
const spareSlabs = 8;

/** The stage `record`: see docs/recording.md for what is kept and how loss is declared. */
export function record(options: RecordOptions): Recorder {
  return new FlightRecorder(options);
}

class FlightRecorder implements Recorder {
  readonly #options: RecordOptions;
  readonly #limits: RecordLimits;
  readonly #pool: SlabPool;
  readonly #losses = new Losses();
  /** By the number under which the sensor knows them. */
  readonly #watched = new Map<number, Recorded>();
  readonly #corpora = new Map<string, Promise<Corpus>>();
  readonly #timer: NodeJS.Timeout;
  #listener: (suspicion: Suspicion) => Promise<void> = async () => {};
  /** Everything that is not the hot path happens one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #ticking = false;
  /** Of the suspicion that is being handed on; infinite when none is. */
  #handingAt: Instant = Number.POSITIVE_INFINITY;
  #number = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#limits = { ...recordLimits, ...options.limits };
    const { windowBytesMax } = this.#limits;
    const slabBytes = Math.min(slabBytesMax, Math.ceil(windowBytesMax / slabsMin));
    this.#pool = new SlabPool({ slabBytes, spareMax: spareSlabs });
    options.sensor.onEvents((batch) => this.#take(batch));
    options.sensor.onLoss((loss) => this.#lost(loss));
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  async watch(instance: Watched): Promise<void> {
    const number = ++this.#number;
    const recorded = new Recorded({
      instance,
      number,
      pool: this.#pool,
      losses: this.#losses,
      limits: this.#limits,
      corpus: await this.#corpusOf(instance),
      recordings: this.#options.store.recordings,
    });
    this.#watched.set(number, recorded);
    try {
      await this.#options.sensor.watch(instance.netns, number);
    } catch (cause) {
      this.#watched.delete(number);
      throw new Error(`instance ${instance.id} cannot be recorded`, { cause });
    }
  }

  async healthy(instanceId: string): Promise<RecordingSummary> {
    const recorded = this.#of(instanceId);
    if (recorded === null) throw new Error(`instance ${instanceId} is not watched`);
    const at = now();
    await this.#flush();
    return this.#options.store.recordings.keep(recorded.boot(at));
  }

  log(instanceId: string, line: Parameters<Recorder['log']>[1]): void {
    this.#of(instanceId)?.log.add(line);
  }

  exited(instanceId: string, exit: Parameters<Recorder['exited']>[1]): void {
    this.#of(instanceId)?.exited(exit, now());
  }

  async unwatch(instanceId: string): Promise<void> {
    const recorded = this.#of(instanceId);
    if (recorded === null) return;
    await this.settle();
    await this.#options.sensor.unwatch(recorded.instance.netns);
    this.#watched.delete(recorded.number);
    recorded.close();
  }

  onFailure(listener: (suspicion: Suspicion) => Promise<void>): void {
    this.#listener = listener;
  }

  async settle(): Promise<void> {
    await this.#flush();
    if ([...this.#watched.values()].some((each) => each.pending)) {
      await sleep(this.#limits.graceMs);
      await this.#flush();
    }
    await this.#enqueue(() => this.#look(now(), true));
  }

  status(): RecorderStatus {
    const all = [...this.#watched.values()];
    const lostBytes: Record<string, number> = {};
    for (const { flight } of all) {
      for (const [reason, bytes] of Object.entries(flight.degradations.lostBytes)) {
        lostBytes[reason] = (lostBytes[reason] ?? 0) + bytes;
      }
    }
    return {
      instances: all.length,
      heldBytes: all.reduce((sum, each) => sum + each.flight.heldBytes, 0),
      events: all.reduce((sum, each) => sum + each.flight.events, 0),
      handledUntil: Math.min(
        now() - underWayUs,
        this.#handingAt,
        ...all.map((each) => each.pendingSince),
      ),
      lostBytes,
    };
  }

  degradations(app: string): Degradation[] {
    const own = [...this.#watched.values()].filter(({ instance }) => instance.app === app);
    return merged(own.map(({ flight }) => flight.degradations.list()));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.settle();
    for (const recorded of this.#watched.values()) recorded.close();
    this.#watched.clear();
  }

  /** The hot path. */
  #take(batch: EventBatch): void {
    const offsetUs = this.#options.sensor.wallOffsetMs * 1000;
    let recorded: Recorded | undefined;
    let number = -1;
    while (batch.next()) {
      if (batch.watch !== number) {
        recorded?.bound();
        number = batch.watch;
        recorded = this.#watched.get(number);
      }
      if (recorded === undefined) continue;
      const at = Math.round(batch.timeNs / 1000 + offsetUs);
      if (batch.kind === 'data') recorded.flight.data(batch, at);
      else recorded.event(batch.event(), at);
    }
    recorded?.bound();
    if (this.#pool.heldBytes > this.#limits.totalBytesMax) this.#shrink();
  }

  /** Takes in what the kernel saw until now; a sensor that is being restarted is not waited for. */
  async #flush(): Promise<void> {
    const flushed = this.#options.sensor.flush().catch(() => {});
    await Promise.race([flushed, sleep(flushTimeoutMs, undefined, { ref: false })]);
  }

  /** The fullest window gives way until all of them together keep the bound. */
  #shrink(): void {
    while (this.#pool.heldBytes > this.#limits.totalBytesMax) {
      const all = [...this.#watched.values()];
      const fullest = all.sort((a, b) => b.flight.heldBytes - a.flight.heldBytes)[0];
      const before = this.#pool.heldBytes;
      fullest?.shrink(before - this.#limits.totalBytesMax);
      if (this.#pool.heldBytes === before) return;
    }
  }

  #lost(loss: Loss): void {
    const at = now();
    if (loss.kind === 'dropped') {
      const { events, reason } = loss;
      const text = `${events} events of some instance were dropped: ${reason}`;
      // Bytes that could not be read have their gap; the other reasons leave no place behind.
      if (reason !== 'unreadable') this.#losses.dropped({ at, seconds: 5, text });
      return;
    }
    const from = Math.round(loss.fromMs * 1000);
    if (loss.kind === 'stopped') {
      this.#options.logger.error('the sensor stopped: nothing is recorded', { why: loss.reason });
      if (this.#losses.stopped(from, loss.reason)) this.#interrupted(from, null, loss.reason);
      return;
    }
    const range = { from, to: Math.round(loss.toMs * 1000) };
    this.#losses.interval(range, loss.reason);
    for (const { flight } of this.#watched.values()) flight.interrupted(range.to);
    this.#options.logger.warn('recording goes on after an interruption', { ...range });
    this.#interrupted(range.from, range.to, loss.reason);
  }

  #interrupted(from: Instant, to: Instant | null, reason: string): void {
    const { store, logger } = this.#options;
    this.#enqueue(() => store.interruptions.add({ from, to, reason })).catch((error: unknown) => {
      logger.error('an interruption was not stored', { reason: String(error) });
    });
  }

  #tick(): void {
    const at = now();
    for (const recorded of this.#watched.values()) recorded.age(at);
    if (this.#ticking || ![...this.#watched.values()].some((each) => each.pending)) return;
    this.#ticking = true;
    this.#enqueue(async () => {
      await this.#flush();
      await this.#look(now(), false);
    })
      .catch(() => {})
      .finally(() => {
        this.#ticking = false;
      });
  }

  async #look(at: Instant, all: boolean): Promise<void> {
    for (const recorded of this.#watched.values()) {
      const suspicions = recorded.due(at, all);
      for (const [index, suspicion] of suspicions.entries()) {
        const left = suspicions.slice(index).map(({ symptoms }) => symptoms.at);
        this.#handingAt = Math.min(...left);
        await this.#handOn(suspicion);
      }
      this.#handingAt = Number.POSITIVE_INFINITY;
      await this.#sample(recorded, at, all);
    }
  }

  /** A sample that cannot be stored (a full disk) must not keep the failures of others waiting. */
  async #sample(recorded: Recorded, at: Instant, all: boolean): Promise<void> {
    try {
      await recorded.sample(at, all);
    } catch (error) {
      const { app, id } = recorded.instance;
      recorded.flight.degradations.note('not-stored', at);
      this.#options.logger.error('a sample could not be stored', { app, instanceId: id, error });
    }
  }

  async #handOn(suspicion: Suspicion): Promise<void> {
    try {
      await this.#listener(suspicion);
    } catch (error) {
      const { app, instanceId } = suspicion;
      this.#options.logger.error('a failure could not be filed', { app, instanceId, error });
    }
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    this.#queue = done.catch((error: unknown) => {
      this.#options.logger.error('recording failed', { error });
    });
    return done;
  }

  #corpusOf({ app, releaseNumber }: Watched): Promise<Corpus> {
    const key = `${app} ${releaseNumber}`;
    const known = this.#corpora.get(key);
    if (known !== undefined) return known;
    const made = this.#options.store.recordings
      .list({ app, releaseNumber, kind: 'sample', limit: 10_000 })
      .then((before) => new Corpus(this.#limits, before));
    this.#corpora.set(key, made);
    made.catch(() => this.#corpora.delete(key));
    return made;
  }

  #of(instanceId: string): Recorded | null {
    for (const recorded of this.#watched.values()) {
      if (recorded.instance.id === instanceId) return recorded;
    }
    return null;
  }
}

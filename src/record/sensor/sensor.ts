/** Exists to keep the sensor running: what is watched stays watched, and every gap is told. */
import { fileURLToPath } from 'node:url';
import type { Batch } from './events.ts';
import {
  type Control,
  type ProcessOptions,
  type SensorProcess,
  startProcess,
} from './sensor-process.ts';
import type { EventBatch, Loss, Sensor, StatsEvent } from './types.ts';

export interface SensorOptions extends Partial<ProcessOptions> {
  /** First pause before the sensor is started again; doubles up to the second. */
  readonly restartMs?: number;
  readonly restartMsMax?: number;
}

const DEFAULTS = {
  executable: fileURLToPath(new URL('../../../sensor/build/fixpoint-sensor', import.meta.url)),
  ringMib: 64,
  drainMs: 10,
  statsMs: 1000,
  connectionsMax: 65536,
  startTimeoutMs: 10_000,
  stopTimeoutMs: 3000,
  restartMs: 100,
  restartMsMax: 5000,
};

/** A run that lasted so long was a good one: the next pause is the first again. */
const GOOD_RUN_MS = 10_000;

/** Rejects if the sensor cannot run here; later deaths are told by onLoss and mended. */
export async function startSensor(options: SensorOptions = {}): Promise<KeptSensor> {
  const sensor = new KeptSensor({ ...DEFAULTS, ...options });
  await sensor.start();
  return sensor;
}

interface Question {
  readonly control: Omit<Control, 'sequence'>;
  resolve(): void;
  reject(error: Error): void;
}

export class KeptSensor implements Sensor {
  wallOffsetMs = 0;
  readonly #options: typeof DEFAULTS;
  readonly #listeners: ((batch: EventBatch) => void)[] = [];
  readonly #lossListeners: ((loss: Loss) => void)[] = [];
  readonly #watches = new Map<number, number>();
  readonly #questions = new Map<number, Question>();
  #process: SensorProcess | undefined;
  #stats: StatsEvent | undefined;
  #sequence = 0;
  /** Everything up to here (sensor's clock) was delivered. */
  #deliveredNs = 0;
  #isClosing = false;
  #pause: { timer: NodeJS.Timeout; wake(): void } | undefined;

  constructor(options: typeof DEFAULTS) {
    this.#options = options;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** The last totals of the running sensor. */
  get stats(): StatsEvent | undefined {
    return this.#stats;
  }

  async start(): Promise<void> {
    this.#process = await startProcess(this.#options, (batch) => this.#deliver(batch));
    await this.flush(); // the hello came
    void this.#keep(this.#process);
  }

  watch(netns: number, id: number): Promise<void> {
    this.#watches.set(netns, id);
    return this.#ask({ kind: 'watch', netns, watch: id });
  }

  unwatch(netns: number): Promise<void> {
    this.#watches.delete(netns);
    return this.#ask({ kind: 'unwatch', netns, watch: 0 });
  }

  flush(): Promise<void> {
    return this.#ask({ kind: 'ping', netns: 0, watch: 0 });
  }

  onEvents(listener: (batch: EventBatch) => void): void {
    this.#listeners.push(listener);
  }

  onLoss(listener: (loss: Loss) => void): void {
    this.#lossListeners.push(listener);
  }

  /** Stops reading: the ring fills, and what it cannot hold is dropped and declared. */
  pause(): void {
    this.#process?.pause();
  }

  resume(): void {
    this.#process?.resume();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#pause?.wake();
    await this.#process?.stop();
    for (const question of this.#questions.values()) question.reject(new Error('sensor closed'));
    this.#questions.clear();
  }

  #ask(control: Omit<Control, 'sequence'>): Promise<void> {
    if (this.#isClosing) return Promise.reject(new Error('sensor closed'));
    return new Promise((resolve, reject) => {
      const sequence = ++this.#sequence;
      this.#questions.set(sequence, { control, resolve, reject });
      this.#process?.send({ ...control, sequence });
    });
  }

  #deliver(batch: Batch): void {
    if (batch.lastNs > this.#deliveredNs) this.#deliveredNs = batch.lastNs;
    if (batch.hasOwn) {
      const own = batch.again();
      while (own.next()) {
        const { kind } = own;
        if (kind === 'hello' || kind === 'answer' || kind === 'stats') this.#hear(own);
      }
    }
    for (const listener of this.#listeners) listener(batch.again());
  }

  #hear(batch: EventBatch): void {
    const event = batch.event();
    if (event.kind === 'hello') this.wallOffsetMs = event.wallOffsetMs;
    if (event.kind === 'stats') this.#tellDrops(event);
    if (event.kind !== 'answer') return;
    const question = this.#questions.get(event.sequence);
    this.#questions.delete(event.sequence);
    const { errno } = event;
    // Not watched (any more) is what an unwatch wants.
    if (errno === 0 || question?.control.kind === 'unwatch') question?.resolve();
    else question?.reject(new Error(`sensor refused ${question.control.kind}: errno ${errno}`));
  }

  #tellDrops(stats: StatsEvent): void {
    for (const reason of Object.keys(stats.drops) as (keyof StatsEvent['drops'])[]) {
      const before = this.#stats?.drops[reason] ?? { events: 0, bytes: 0 };
      const events = stats.drops[reason].events - before.events;
      const bytes = stats.drops[reason].bytes - before.bytes;
      if (events > 0) this.#tell({ kind: 'dropped', reason, events, bytes });
    }
    this.#stats = stats;
  }

  #tell(loss: Loss): void {
    for (const listener of this.#lossListeners) listener(loss);
  }

  async #keep(first: SensorProcess): Promise<void> {
    let process = first;
    let pauseMs = this.#options.restartMs;
    for (;;) {
      const startedAtMs = Date.now();
      const reason = await process.gone;
      if (this.#isClosing) return;
      const fromMs = this.#deliveredNs / 1e6 + this.wallOffsetMs;
      this.#process = undefined;
      this.#stats = undefined;
      this.#tell({ kind: 'stopped', fromMs, reason });
      if (Date.now() - startedAtMs > GOOD_RUN_MS) pauseMs = this.#options.restartMs;
      const next = await this.#restart(pauseMs);
      if (!next) return;
      process = next;
      await this.#watchAgain(process);
      this.#tell({ kind: 'interval', fromMs, toMs: Date.now(), reason });
      pauseMs = Math.min(2 * pauseMs, this.#options.restartMsMax);
    }
  }

  /** Tries until it runs; undefined if the sensor was closed in between. */
  async #restart(firstPauseMs: number): Promise<SensorProcess | undefined> {
    for (
      let pauseMs = firstPauseMs;
      ;
      pauseMs = Math.min(2 * pauseMs, this.#options.restartMsMax)
    ) {
      await new Promise<void>((wake) => {
        this.#pause = { timer: setTimeout(wake, pauseMs), wake };
      });
      clearTimeout(this.#pause?.timer);
      if (this.#isClosing) return undefined;
      try {
        const process = await startProcess(this.#options, (batch) => this.#deliver(batch));
        if (this.#isClosing) await process.stop();
        return this.#isClosing ? undefined : process;
      } catch (cause) {
        this.#tell({ kind: 'stopped', fromMs: Date.now(), reason: String(cause) });
      }
    }
  }

  /** Asks the new process everything again that the old one took with it. */
  async #watchAgain(process: SensorProcess): Promise<void> {
    const open = [...this.#questions.values()];
    this.#questions.clear();
    this.#process = process;
    const watches = [...this.#watches].map(([netns, id]) => this.watch(netns, id));
    await Promise.race([Promise.allSettled([...watches, this.flush()]), process.gone]);
    for (const question of open) question.resolve();
  }
}

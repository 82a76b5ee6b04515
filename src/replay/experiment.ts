/** One process in one sandbox: boots it, sends it requests, and says what came of each. */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Observed, Outcome } from '../domain/outcome.ts';
import { type Instant, now } from '../domain/time.ts';
import { type Engine, EngineError } from '../engine/engine.ts';
import { failuresOf } from '../symptoms/failures.ts';
import type { SendResult } from '../world/messages.ts';
import { appContainer } from './app-container.ts';
import type { Assets } from './assets.ts';
import { ExceptionWatch } from './exception-watch.ts';
import type { ImageRuntime } from './image-runtime.ts';
import { noAnswerOf, silentFailures } from './no-answer.ts';
import type { ManyOptions, ManyRequest, ReplayLimits } from './replay.ts';
import { hostsText, type Sandbox } from './sandbox.ts';
import { Scopes } from './scope.ts';
import { Watching } from './watching.ts';

export interface ExperimentOptions extends ManyOptions {
  engine: Engine;
  assets: Assets;
  sandbox: Sandbox;
  runtime: ImageRuntime;
  limits: ReplayLimits;
  /** How long from start to trigger, by experience, for setting the clock. */
  expectedBootMs: number;
  cpus: number;
  bodyBytesMax: number;
}

interface Sent {
  request: ManyRequest | null;
  from: Instant;
  result: SendResult | null;
  caveats: string[];
  /** How many exceptions had been raised before. */
  raisedBefore: number;
}

/** How long the engine may take to tell of a death that shows already. */
const exitAfterHangUpMs = 5000;
const firstProbeTimeoutMs = 1000;
const probeTimeoutMs = 8000;
const stuck = 'the app does not react to anything any more';
/** How long the clock may be off before it is said. */
const clockToleranceMs = 60_000;

export class Experiment {
  readonly #options: ExperimentOptions;
  readonly #watching: Watching;
  readonly #scopes: Scopes;
  readonly #caveats: string[] = [];
  #startedAt: Instant = 0;
  #clockOffsetMs: number | null = null;
  #bootMs = 0;
  #watch: ExceptionWatch | null = null;
  #watched = false;
  /** It hangs up on who hangs up, by which its reactions can be told. */
  #hangsUp = false;
  /** It is there and does not react any more: an endless loop, say. */
  #isStuck = false;

  constructor(options: ExperimentOptions) {
    this.#options = options;
    this.#watching = new Watching(options.sandbox.link);
    this.#scopes = new Scopes(options.sandbox.link);
  }

  /** From the start of the container until it could be sent a request. */
  get bootMs(): number {
    return this.#bootMs;
  }

  /** Whether the process ended by itself. */
  get isOver(): boolean {
    return this.#watching.exit !== null;
  }

  /**
   * Starts the process and waits until it is ready. Null when it is; else the outcome. `first`
   * is the request that the clock is set for.
   */
  async boot(first: ManyRequest | null): Promise<Outcome | null> {
    const { sandbox, release, boot, limits, bodyBytesMax } = this.#options;
    const { link } = sandbox;
    await link.call('begin', { appPort: release.config.port, boot, bodyBytesMax });
    const { notReplayable, triggerAt } = await this.#scopes.open(first);
    if (notReplayable !== null) return { kind: 'not-replayable', reason: notReplayable };
    const refused = await this.#start(triggerAt ?? boot.from);
    if (refused !== null) return this.#notReady(refused);
    const ready = await Promise.race([
      link.call('ready', { timeoutMs: limits.bootTimeoutMs }),
      this.#watching.ended,
    ]);
    this.#bootMs = (now() - this.#startedAt) / 1000;
    if ('code' in ready) {
      await this.#watching.untilLogEnded();
      const how = ready.signal === null ? `code ${ready.code}` : `signal ${ready.signal}`;
      const memory = ready.oomKilled ? ', out of memory' : '';
      return this.#notReady(`the app ended with ${how}${memory} while it started`);
    }
    if (ready.kind === 'timeout') {
      const waited = `not ready after ${limits.bootTimeoutMs / 1000} s`;
      return this.#notReady(`${waited}: ${ready.reason}`);
    }
    this.#hangsUp = (await link.call('probe', { timeoutMs: firstProbeTimeoutMs })) === 'alive';
    this.#watched = (await this.#watch?.untilWatched()) ?? false;
    if (this.#watch !== null && !this.#watched) {
      this.#caveats.push('exceptions could not be watched: it is not a Node that allows it');
    }
    return null;
  }

  /** What the start alone came to, when nothing is sent. */
  async outcomeOfBoot(): Promise<Outcome> {
    await this.#settle(null);
    const from = this.#startedAt;
    const sent = { request: null, from, result: null, caveats: [], raisedBefore: 0 };
    return this.#outcomeOf(sent, { end: now(), isOnly: true });
  }

  /** Sends requests one after the other; stops, with fewer outcomes, when the process ends. */
  async send(requests: readonly ManyRequest[]): Promise<Outcome[]> {
    const all: (Sent | Outcome)[] = [];
    for (const [index, request] of requests.entries()) {
      this.#options.signal?.throwIfAborted();
      const sent = await this.#sendOne(request, requests[index + 1] ?? null);
      all.push(sent);
      if ('kind' in sent) continue;
      const isLast = index === requests.length - 1;
      if (isLast || sent.result?.answer == null) await this.#settle(sent.result);
      if (this.isOver) break;
    }
    const end = now();
    const outcomes: Outcome[] = [];
    for (const [index, sent] of all.entries()) {
      if ('kind' in sent) {
        outcomes.push(sent);
        continue;
      }
      const next = all.slice(index + 1).find((one) => !('kind' in one)) as Sent | undefined;
      outcomes.push(await this.#outcomeOf(sent, { next, end, isOnly: requests.length === 1 }));
    }
    return outcomes;
  }

  stop(): void {
    this.#watching.stop();
  }

  async #start(aimAt: Instant): Promise<string | null> {
    const { engine, sandbox, expectedBootMs, limits, watchExceptions } = this.#options;
    this.#clockOffsetMs = Math.round((aimAt - now()) / 1000 - expectedBootMs);
    if (watchExceptions) this.#watch = await ExceptionWatch.prepare(sandbox.directory);
    await writeFile(sandbox.hostsPath, hostsText(sandbox.anchorId, this.#options.boot.hosts));
    const { spec, caveats } = appContainer({
      ...this.#options,
      anchorId: sandbox.anchorId,
      labels: sandbox.labels,
      hostsPath: sandbox.hostsPath,
      watchPath: this.#watch?.path ?? null,
      clockOffsetMs: this.#clockOffsetMs,
    });
    this.#caveats.push(...caveats);
    const [id] = await Promise.all([
      engine.create(spec),
      sandbox.link.call('clock', { offsetMs: this.#clockOffsetMs }),
    ]);
    sandbox.apps.push(id);
    this.#startedAt = now();
    try {
      await engine.start(id);
    } catch (error) {
      // The engine blames the command or the image for it: that is the app's affair.
      if (error instanceof EngineError && [400, 404].includes(error.status)) return error.message;
      throw error;
    }
    await this.#watching.follow(engine, id, limits.logBytesMax);
    return null;
  }

  /** The recordings of the `next` one are told while this one is under way. */
  async #sendOne(request: ManyRequest, next: ManyRequest | null): Promise<Sent | Outcome> {
    const { sandbox, limits } = this.#options;
    const { trigger, prefix = [], requestOverride = null } = request;
    const { link } = sandbox;
    const scope = await this.#scopes.open(request);
    if (scope.notReplayable !== null) {
      return { kind: 'not-replayable', reason: scope.notReplayable };
    }
    const from = now();
    const caveats: string[] = [];
    const raisedBefore = (await this.#watch?.count()) ?? 0;
    if (trigger.triggerExchangeId === null) {
      return { request, from, result: null, caveats, raisedBefore };
    }
    const timing = { timeoutMs: limits.answerTimeoutMs, quietMs: 1, quietTimeoutMs: 50 };
    for (const exchangeId of prefix) {
      const call = { exchangeId, role: 'prefix' as const, override: null, ...timing };
      await this.#orEnded(link.call('send', call));
    }
    const offMs = (now() - (scope.triggerAt ?? 0)) / 1000 + (this.#clockOffsetMs ?? 0);
    if (Math.abs(offMs) > clockToleranceMs) {
      caveats.push(`the clock was ${Math.round(offMs / 1000)} s away from the recorded time`);
    }
    const call = { role: 'trigger' as const, override: requestOverride, ...timing };
    const sent = link.call('send', { exchangeId: trigger.triggerExchangeId, ...call });
    if (next !== null) void this.#scopes.open(next).catch(() => {});
    const result = await this.#orEnded(sent);
    if (result?.caveat) caveats.push(result.caveat);
    return { request, from, result, caveats, raisedBefore };
  }

  /** The result, or null when the process ends and there is none soon. */
  async #orEnded<T>(result: Promise<T>): Promise<T | null> {
    result.catch(() => {});
    const ended = this.#watching.ended.then(() => sleep(exitAfterHangUpMs, null, { ref: false }));
    return Promise.race([result, ended]);
  }

  /** Late calls, log lines and deaths are waited for. */
  async #settle(result: SendResult | null): Promise<void> {
    const { sandbox, limits } = this.#options;
    const { ended } = this.#watching;
    const quiet = { quietMs: limits.settleMs, timeoutMs: limits.settleMs * 3 };
    await Promise.race([sandbox.link.call('settle', quiet), ended]);
    if (!this.isOver && this.#hangsUp) {
      const probing = sandbox.link.call('probe', { timeoutMs: probeTimeoutMs });
      const liveness = await Promise.race([probing, ended]);
      this.#isStuck = liveness === 'busy';
      if (liveness === 'dead') await this.#orEnded(sleep(exitAfterHangUpMs, null, { ref: false }));
    }
    if (this.isOver) await this.#watching.untilLogEnded();
    else if ((result?.answer?.status ?? 0) >= 500) await this.#watching.untilLogged(result!.sentAt);
  }

  async #notReady(reason: string): Promise<Outcome> {
    const range = { from: this.#startedAt, until: now(), raisedFrom: 0, raisedUntil: Infinity };
    const observed = await this.#observed(null, range);
    const first = observed.divergences[0];
    const asked = first === undefined ? '' : `; it asked for what is not recorded: ${first.title}`;
    return { kind: 'not-ready', reason: `${reason}${asked}`, observed };
  }

  async #outcomeOf(
    sent: Sent,
    place: { next?: Sent | undefined; end: Instant; isOnly: boolean },
  ): Promise<Outcome> {
    const { next, end, isOnly } = place;
    const observed = await this.#observed(sent, {
      // The only request answers for the start as well; of many the start is nobody's.
      from: isOnly ? this.#startedAt : sent.from,
      until: next?.from ?? end,
      raisedFrom: isOnly ? 0 : sent.raisedBefore,
      raisedUntil: next?.raisedBefore ?? Number.POSITIVE_INFINITY,
    });
    const route = sent.request?.trigger.route ?? null;
    const failures = await failuresOf({
      at: sent.result?.sentAt ?? sent.from,
      status: observed.answer?.status ?? null,
      route,
      log: observed.log.filter((line) => line.at >= sent.from),
      exit: observed.exit,
      locate: this.#options.locate,
    });
    const isLast = place.next === undefined;
    const noAnswer = this.#isStuck && isLast ? stuck : observed.noAnswer;
    const silent = sent.result === null ? null : noAnswer;
    const unsaid = { at: sent.from, noAnswer: silent, exit: observed.exit, route };
    if (failures.length === 0) failures.push(...silentFailures(unsaid));
    if (failures.length > 0) return { kind: 'failed', failures, observed };
    return { kind: 'succeeded', observed };
  }

  async #observed(
    sent: Sent | null,
    range: { from: Instant; until: Instant; raisedFrom: number; raisedUntil: number },
  ): Promise<Observed> {
    const { from, until } = range;
    const { locate } = this.#options;
    const watching = this.#watching;
    const result = sent?.result ?? null;
    const isLast = until >= (watching.exit?.at ?? Number.POSITIVE_INFINITY);
    const exit = isLast ? watching.exit : null;
    const caveats = [...this.#caveats, ...(sent?.caveats ?? [])];
    if (watching.logWasCut) caveats.push('the log was longer than what is kept of it');
    return {
      answer: result?.answer ?? null,
      noAnswer: result?.answer ? null : noAnswerOf(result, exit !== null),
      ...watching.between(from, until),
      exit,
      raised: (await this.#watch?.between(range.raisedFrom, range.raisedUntil, locate)) ?? [],
      watched: this.#watched && ((await this.#watch?.isWhole()) ?? false),
      caveats,
      bootMs: this.#bootMs,
      tookMs: (now() - this.#startedAt) / 1000,
    };
  }
}

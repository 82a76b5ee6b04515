/**
 * Follows both sides of a PostgreSQL connection. The server answers in the order in which it was
 * asked, so what the client waits for is a queue, and every answer belongs to its front.
 */
import type { Asker, Raw, Step } from './asker.ts';
import type { BackendMessage } from './backend.ts';
import type { Expectation } from './frames.ts';
import type { FrontendMessage } from './frontend.ts';
import type { PgError, PgValue } from './meaning.ts';
import { OpenExchange, type Place, type Subject } from './open.ts';
import { resultMessage } from './results.ts';
import { descriptionOf, openPrepare, setAside, setError } from './subjects.ts';

const stepsMax = 10_000;

export type OpenEnd = 'complete' | 'unanswered' | 'gap' | 'malformed';

export interface ConversationOptions {
  /** Bytes of rows and COPY data that are held of one query. */
  dataBytesMax: number;
  /** Called in order of requests. */
  ended(open: OpenExchange, end: OpenEnd): void;
}

export class Conversation {
  readonly asker: Asker;
  readonly #options: ConversationOptions;
  #steps: Step[] = [];
  /** After an error the server ignores everything up to the next Sync. */
  #discarding = false;
  /** Nothing more is to be understood: TLS, replication, the end. */
  over = false;

  constructor(asker: Asker, options: ConversationOptions) {
    this.asker = asker;
    this.#options = options;
  }

  /** Whether nothing is asked that is not answered. */
  get quiet(): boolean {
    return this.#steps.length === 0 && this.asker.quiet && !this.#discarding;
  }

  /** Whether the client goes on although a whole cycle still waits for its answer. */
  get ahead(): boolean {
    const cycles = this.#steps.filter((step) => step.kind === 'sync' || step.kind === 'query');
    const last = this.#steps.at(-1)?.kind;
    return cycles.length > 1 || (cycles.length === 1 && last !== 'sync' && last !== 'query');
  }

  get expectsOfClient(): Expectation {
    return this.asker.started ? 'typed' : 'untyped';
  }

  get expectsOfServer(): Expectation {
    return this.#steps[0]?.kind === 'ssl' ? 'byte' : 'typed';
  }

  /** False when the message makes no sense here. */
  client(message: FrontendMessage, place: Place, raw: Raw): boolean {
    if (message.name === 'cancel') {
      this.over = true;
      this.#options.ended(new OpenExchange({ kind: 'cancel' }).asked(place), 'complete');
      return true;
    }
    if (this.#discarding && message.name !== 'sync') return true;
    if (this.#steps.length > stepsMax) return false;
    if (message.name === 'sync') this.#discarding = false;
    if (message.name === 'copyData') return this.#copied(message.data, place);
    if (message.name === 'password') return this.#steps[0]?.kind === 'start';
    const step = this.asker.step(message, place, raw);
    if (step === 'wrong') return false;
    if (step !== null) this.#steps.push(step);
    return true;
  }

  /** A message whose payload is not held. False when the rest makes no sense without it. */
  clientHole(type: string, place: Place, raw: Raw): boolean {
    if (type === 'd') this.#answering()?.drop();
    if (type === 'd' || this.#discarding) return true;
    if (type === 'Q') this.#steps.push(this.asker.ask(null, place, raw));
    else if (type === 'B') this.#steps.push(this.asker.bindHole(place));
    else return false;
    return true;
  }

  /** False when the message answers nothing that was asked. */
  server(message: BackendMessage, place: Place, raw: Raw): boolean {
    const step = this.#steps[0];
    const open = step !== undefined && 'open' in step ? step.open : null;
    if (message.name === 'notification') {
      const { channel, payload } = message;
      const response = { kind: 'notification', channel, payload };
      this.#unasked({ response, error: null, title: `NOTIFY ${channel}` }, place);
      return true;
    }
    if (message.name === 'notice' || message.name === 'setting') {
      if (open !== null) setAside(open.subject, message);
      return true;
    }
    if (message.name === 'error') return this.#failed(message.error, place);
    if (step === undefined) return false;
    open?.answered(place);
    switch (step.kind) {
      case 'ssl':
        return this.#encryption(message, place);
      case 'start':
        return this.#starting(step.open, message);
      case 'sync':
        return message.name === 'ready' && this.#shift();
      case 'close':
        return message.name === 'closed' && this.#shift();
      case 'parse':
        return message.name === 'parsed' && this.#shift();
      case 'bind':
        return message.name === 'bound' && this.#shift();
      case 'describe':
        return this.#described(step, message, raw);
      default:
        return this.#result(step, message);
    }
  }

  serverHole(type: string, place: Place): boolean {
    const step = this.#steps[0];
    if (type === 'N' || type === 'S') return true;
    if (step === undefined || !('open' in step) || step.open === null) return false;
    if (!['D', 'd', 'T', 'E', 'V'].includes(type)) return false;
    step.open.answered(place).drop();
    if (type !== 'E') return true;
    const message = '(not held)';
    return this.#failed({ severity: 'ERROR', sqlstate: '', message, fields: [] }, place);
  }

  endAll(end: OpenEnd): void {
    for (const step of this.#steps) {
      if (!('open' in step) || step.open === null) continue;
      if (end === 'gap') step.open.drop();
      this.#options.ended(step.open, end);
    }
    this.#steps = [];
  }

  #answering(): OpenExchange | null {
    const step = this.#steps[0];
    return step?.kind === 'query' || step?.kind === 'execute' ? step.open : null;
  }

  #copied(data: PgValue, place: Place): boolean {
    const open = this.#answering();
    if (open === null) return this.#steps.length > 0;
    open.asked(place);
    const copy = open.subject.kind === 'query' ? open.subject.answer.results.at(-1)?.copy : null;
    if (open.takes(place.end - place.start, this.#options.dataBytesMax)) copy?.data.push(data);
    return true;
  }

  #shift(): true {
    this.#steps.shift();
    return true;
  }

  #end(open: OpenExchange): true {
    this.#options.ended(open, 'complete');
    return this.#shift();
  }

  #unasked(what: { response: unknown; error: PgError | null; title: string }, place: Place): void {
    const open = new OpenExchange({ kind: 'unasked', ...what }).answered(place);
    this.#options.ended(open, 'complete');
  }

  #encryption(message: BackendMessage, place: Place): boolean {
    if (message.name !== 'byte' || !'NSG'.includes(message.byte)) return false;
    this.#shift();
    if (message.byte === 'N') return true;
    const open = new OpenExchange({ kind: 'tls' }).asked({ ...place, start: 0, end: 8 });
    open.handedOver = true;
    this.#options.ended(open.answered(place), 'complete');
    this.over = true;
    return true;
  }

  #starting(open: OpenExchange, message: BackendMessage): boolean {
    const { started } = open.subject as Extract<Subject, { kind: 'start' }>;
    if (message.name === 'ready') return this.#end(open);
    if (message.name === 'authentication') {
      const { method } = message;
      if (method !== 'ok' && method !== 'continued') started.authentication = method;
    } else if (message.name === 'keyData') {
      started.processId = message.processId;
      started.secretKey = message.secretKey;
    } else return message.name === 'versions';
    return true;
  }

  #described(
    step: Extract<Step, { kind: 'describe' }>,
    message: BackendMessage,
    raw: Raw,
  ): boolean {
    const { prepared, portal, open } = step;
    // Described again, it says the same again.
    if (open !== null && prepared?.columns === 'unknown') prepared.carried.push(raw());
    if (message.name === 'parameters' && open !== null) {
      if (prepared !== null) prepared.parameterTypes = message.types;
      descriptionOf(open).parameterTypes = message.types;
      return true;
    }
    if (message.name !== 'columns' && message.name !== 'noData') return false;
    const columns = message.name === 'columns' ? message.columns : 'none';
    if (portal !== null) portal.columns = columns;
    if (prepared !== null) prepared.columns = columns;
    if (open === null) return this.#shift();
    descriptionOf(open).columns = columns;
    return this.#end(open);
  }

  #result(step: Extract<Step, { kind: 'execute' | 'query' }>, message: BackendMessage): boolean {
    if (message.name === 'copyBoth') {
      step.open.handedOver = true;
      this.over = true;
      return this.#end(step.open);
    }
    const result = resultMessage(step, message, this.#options.dataBytesMax);
    return result === 'ended' ? this.#end(step.open) : result === 'going-on';
  }

  /** An ErrorResponse: a simple query goes on to its ReadyForQuery, a batch to its Sync. */
  #failed(error: PgError, place: Place): boolean {
    const step = this.#steps[0];
    if (step === undefined || step.kind === 'sync' || step.kind === 'ssl') {
      const title = `${error.severity} ${error.sqlstate}`;
      this.#unasked({ response: { error }, error, title }, place);
      return true;
    }
    if (step.kind === 'query' || step.kind === 'start') {
      step.open.answered(place);
      setError(step.open.subject, error);
      return step.kind === 'query' || this.#end(step.open);
    }
    const sync = this.#steps.findIndex((one) => one.kind === 'sync');
    const batch = this.#steps.splice(0, sync < 0 ? this.#steps.length : sync);
    if (sync < 0) {
      this.#discarding = true;
      this.asker.endUnit();
    }
    this.#blame(batch, error, place);
    return true;
  }

  /** The first execution of a failed batch gets the error; without one, the preparation does. */
  #blame(batch: Step[], error: PgError, place: Place): void {
    const opens = batch.flatMap((one) => ('open' in one && one.open !== null ? [one.open] : []));
    const { statements } = this.asker.session;
    for (const one of batch) if (one.kind === 'parse') statements.delete(one.name);
    let blamed = opens.find((open) => open.subject.kind === 'query') ?? opens[0];
    if (blamed === undefined) {
      const failing = batch.find((one) => one.kind === 'parse' || one.kind === 'bind');
      if (failing === undefined || !('place' in failing)) return;
      blamed = openPrepare(failing.prepared).asked(failing.place);
      opens.push(blamed);
    }
    setError(blamed.answered(place).subject, error);
    for (const open of opens)
      this.#options.ended(open, open === blamed ? 'complete' : 'unanswered');
  }
}

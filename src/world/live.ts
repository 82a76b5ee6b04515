/** One connection (or datagram flow) of the app during a replay: from its bytes to our answers. */
import { now } from '../domain/time.ts';
import type { Endpoint, Transport } from '../domain/wire.ts';
import type { Answerer, Protocol, Question, Reply } from '../protocols/protocol.ts';
import type { Book } from './book.ts';
import type { Directory } from './directory.ts';
import type { Notebook } from './notebook.ts';

export interface LiveContext {
  book: Book;
  directory: Directory;
  notebook: Notebook;
  protocols: readonly Protocol[];
}

/** What to do after bytes were taken. */
export interface Step {
  send: Uint8Array[];
  /** `end`: close after sending. `reset`: what was said is in no protocol that we speak. */
  next: 'go-on' | 'end' | 'reset';
}

const undecidedBytesMax = 64 * 1024;

/** The server side of one connection, without its socket. */
export class Live {
  readonly #context: LiveContext;
  readonly #head: Parameters<Protocol['reader']>[0];
  readonly #candidates: readonly Protocol[];
  #answerer: Answerer | null = null;
  #undecided: Uint8Array[] = [];
  #unanswered: 'closed' | 'silent' | null = null;

  constructor(
    context: LiveContext,
    socket: { id: string; transport: Transport; client: Endpoint; server: Endpoint },
  ) {
    this.#context = context;
    const { directory, notebook, protocols } = context;
    const serverName = directory.nameOf(socket.server.address);
    this.#head = { ...socket, direction: 'outbound', serverName };
    const known = directory.protocolsAt(socket.transport, socket.server);
    this.#candidates =
      known === null ? protocols : protocols.filter((protocol) => known.has(protocol.name));
    if (known === null && socket.transport === 'tcp') {
      const title = 'connection to a server that is not recorded';
      notebook.stray({ ...socket, serverName, protocol: 'tcp', title });
    }
    if (known !== null && this.#candidates.length === 1) this.#choose(this.#candidates[0]!);
  }

  /** Where this connection goes, for saying what happened on it. */
  get where(): Parameters<Notebook['stray']>[0] {
    const { transport, server, serverName } = this.#head;
    const protocol = this.#candidates.length === 1 ? this.#candidates[0]!.name : 'opaque';
    return { transport, server, serverName, protocol, title: '' };
  }

  /** What to send before the app says anything. */
  open(): Step {
    return this.#stepOf(this.#answerer?.open() ?? []);
  }

  receive(bytes: Uint8Array): Step {
    this.#context.notebook.active();
    if (this.#answerer !== null) return this.#stepOf(this.#answerer.receive(bytes));
    this.#undecided.push(bytes);
    const all = Buffer.concat(this.#undecided);
    const protocol = this.#detect(all);
    if (protocol === 'more' && all.length < undecidedBytesMax) return { send: [], next: 'go-on' };
    if (protocol === 'more' || protocol === null) return this.#unknown(all.length);
    this.#choose(protocol);
    this.#undecided = [];
    const opened = this.#answerer!.open();
    return this.#stepOf([...opened, ...this.#answerer!.receive(all)]);
  }

  #detect(client: Uint8Array): Protocol | 'more' | null {
    for (const protocol of this.#candidates) {
      const { transport, server } = this.#head;
      const detection = protocol.detect({
        ...{ transport, serverPort: server.port, client, server: new Uint8Array() },
      });
      if (detection !== 'no') return detection === 'yes' ? protocol : 'more';
    }
    return null;
  }

  #unknown(bytes: number): Step {
    const { transport, server, serverName } = this.#head;
    const title = `${bytes} bytes in no protocol that was recorded there`;
    this.#context.notebook.stray({ transport, server, serverName, protocol: 'opaque', title });
    return { send: [], next: 'reset' };
  }

  #choose(protocol: Protocol): void {
    const { book, notebook } = this.#context;
    const { transport, server, serverName } = this.#head;
    const where = { protocol: protocol.name, transport, server, serverName };
    this.#answerer = protocol.answerer({
      head: this.#head,
      recorded: book.exchangesWith(where),
      ask: (question) => this.#ask(question),
      synthesised: (title) => notebook.synthesised(where, title),
      assumed: (names) => notebook.assumed(names),
      unusable: (explanation) => notebook.unusable(explanation),
    });
  }

  #ask(question: Question): Reply {
    const decision = this.#context.book.ask(question, now());
    this.#context.notebook.asked(question, decision);
    this.#unanswered ??= decision.unanswered;
    return decision.reply;
  }

  #stepOf(send: Uint8Array[]): Step {
    // A question that was never answered is not answered now, nor is anything after it.
    if (this.#unanswered === 'silent') return { send: [], next: 'go-on' };
    if (this.#unanswered === 'closed') return { send: [], next: 'end' };
    return { send, next: this.#answerer?.closing ? 'end' : 'go-on' };
  }
}

// Tells a connection's protocol from its first bytes, once; afterwards nobody looks again.
import type { Detection, Protocol } from '../protocols/protocol.ts';
import type { Tracked } from './connection.ts';

/** First bytes of each side that are kept while the protocol is not known. */
const peekBytesMax = 4096;
/** Messages after which an undecided connection is left alone. */
const looksMax = 16;

export class Detector {
  readonly #protocols: readonly Protocol[];
  readonly #first = new WeakMap<Tracked, { client: Uint8Array; server: Uint8Array }>();

  readonly #onTls: (tracked: Tracked) => void;

  /** `onTls`: a connection begins with a TLS handshake. */
  constructor(protocols: readonly Protocol[], onTls: (tracked: Tracked) => void) {
    this.#protocols = protocols;
    this.#onTls = onTls;
  }

  /** Looks at a chunk of a connection whose protocol is not known yet. */
  look(tracked: Tracked, fromClient: boolean, payload: Uint8Array): void {
    if (tracked.looks >= looksMax) return;
    tracked.looks++;
    const first = this.#first.get(tracked) ?? { client: empty, server: empty };
    this.#first.set(tracked, first);
    const side = fromClient ? 'client' : 'server';
    if (first[side].length < peekBytesMax) {
      const more = payload.subarray(0, peekBytesMax - first[side].length);
      first[side] = Buffer.concat([first[side], more]);
    }
    const tls = startsTls(first.client);
    if (tls === 'more') return;
    if (tls === 'yes' && !tracked.speaksTls) {
      tracked.speaksTls = true;
      this.#onTls(tracked);
    }
    const peek = { transport: tracked.transport, serverPort: tracked.server.port, ...first };
    for (const protocol of this.#protocols) {
      const answer = protocol.detect(peek);
      if (answer === 'no') continue;
      if (answer === 'yes') tracked.protocol = protocol;
      break;
    }
    if (tracked.protocol !== null || tracked.looks >= looksMax) this.#first.delete(tracked);
  }
}

/** Whether bytes begin with a TLS record of a handshake (RFC 8446, 5.1). */
function startsTls(bytes: Uint8Array): Detection {
  if (bytes[0] !== 22) return 'no';
  if (bytes.length === 1) return 'more';
  return bytes[1] === 3 ? 'yes' : 'no';
}

const empty = new Uint8Array();

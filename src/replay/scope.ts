/** Tells a world the recordings that it answers from, each of them only once. */
import type { Recording } from '../domain/recording.ts';
import type { Replayable } from '../world/messages.ts';
import type { ManyRequest } from './replay.ts';
import type { WorldLink } from './world-link.ts';

export class Scopes {
  readonly #link: WorldLink;
  #held = new Map<Recording, number>();
  #last = 0;
  #open: { request: ManyRequest | null; replayable: Promise<Replayable> } | null = null;

  constructor(link: WorldLink) {
    this.#link = link;
  }

  /** After what it was told before, the world answers from the request's recordings. */
  open(request: ManyRequest | null): Promise<Replayable> {
    if (this.#open?.request === request) return this.#open.replayable;
    const held = this.#held;
    const fresh: { number: number; recording: Recording }[] = [];
    const wanted = new Map<Recording, number>();
    const numberOf = (recording: Recording) => {
      let number = wanted.get(recording) ?? held.get(recording);
      if (number === undefined) {
        number = ++this.#last;
        fresh.push({ number, recording });
      }
      wanted.set(recording, number);
      return number;
    };
    const trigger = request === null ? null : numberOf(request.trigger);
    const siblings = (request?.siblings ?? []).map(numberOf);
    const replayable = this.#link.call('scope', { trigger, siblings, fresh });
    this.#held = wanted;
    this.#open = { request, replayable };
    return replayable;
  }
}

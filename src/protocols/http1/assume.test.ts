// What is said to be made up, by how many examples there are.
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import type { Exchange } from '../../domain/exchange.ts';
import { assumedResponse } from './assume.ts';
import { bodyOf, type HttpRequest } from './message.ts';

const headers: [string, string][] = [['Content-Type', 'application/json']];
const message = (value: unknown) => ({
  ...{ version: '1.1', headers, trailers: [], body: bodyOf(Buffer.from(JSON.stringify(value))) },
});
const asked = (value: unknown): HttpRequest =>
  ({ method: 'POST', target: '/orders', ...message(value) }) as never;
const example = (request: unknown, answer: unknown): Exchange =>
  ({
    protocol: 'http1',
    request: { meaning: asked(request) },
    response: { meaning: { status: 201, reason: 'Created', interim: [], ...message(answer) } },
  }) as never;

const one = example({ item: 'x' }, { id: 1, item: 'x', state: 'new', note: null });
const two = example({ item: 'y' }, { id: 2, item: 'y', state: 'new', note: null });

function made(examples: Exchange[]) {
  const result = assumedResponse(asked({ item: 'z' }), examples)!;
  return { ...result, body: JSON.parse(result.response.body!.data) };
}

it('is known where examples agree on what is constant and what is an echo', () => {
  expect(made([one, two])).toMatchObject({
    body: { id: 3, item: 'z', state: 'new', note: null },
    madeUp: ['body.id'],
  });
});

it('is all said to be made up where there is one example only', () => {
  expect(made([one])).toMatchObject({
    body: { id: 1, item: 'z', state: 'new', note: null },
    madeUp: ['body.id', 'body.item', 'body.state'],
  });
});

// The three wire formats against a scripted server: answers, and everything that goes wrong.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ScriptedModel, startScriptedModel } from '../../test/scripted-model.ts';
import { type ModelOptions, modelOf } from './models.ts';

let server: ScriptedModel;
beforeEach(async () => {
  server = await startScriptedModel();
});
afterEach(() => server.close());

const limits = { outputTokensMax: 100, timeoutMs: 20_000, temperature: 0.2 };
const prompt = { system: 'the rules', user: 'the question' };

function model(provider: ModelOptions['provider'], more: Partial<ModelOptions> = {}) {
  const options = { provider, name: 'm-1', baseUrl: server.url, apiKey: 'secret-key', ...more };
  return modelOf({ retriesMax: 1, ...options });
}

const providers = [
  ['anthropic', '/v1/messages', 'x-api-key'],
  ['openai', '/v1/responses', 'authorization'],
  ['openai-compatible', '/v1/chat/completions', 'authorization'],
] as const;

describe.each(providers)('%s', (provider, path, header) => {
  it('sends both parts of the prompt and reads text and usage', async () => {
    server.script({ kind: 'says', text: 'an answer' });
    const priceUsd = { inputPerMillion: 3_000_000, outputPerMillion: 0 };
    const result = await model(provider, { priceUsd }).complete(prompt, limits);
    expect(result).toMatchObject({ kind: 'answer', text: 'an answer', outputTokens: 3 });
    if (result.kind !== 'answer') throw new Error('no answer');
    expect(result.inputTokens).toBeGreaterThan(0);
    expect(result.costUsd).toBe(result.inputTokens * 3);
    const heard = server.heard[0]!;
    expect(heard.path).toBe(path);
    expect(String(heard.headers[header])).toContain('secret-key');
    expect(heard.body.model).toBe('m-1');
    const said = JSON.stringify(heard.body);
    expect(said).toContain('the rules');
    expect(said).toContain('the question');
    expect(said).toContain('100');
  });

  it('does not know a cost when it is told no price', async () => {
    server.script({ kind: 'says', text: 'x' });
    expect(await model(provider).complete(prompt, limits)).toMatchObject({ costUsd: null });
  });

  it('tries again after 429, and not for ever', async () => {
    server.script({ kind: 'error', status: 429, retryAfterMs: 1 }, { kind: 'says', text: 'late' });
    expect(await model(provider).complete(prompt, limits)).toMatchObject({ text: 'late' });
    server.script({ kind: 'error', status: 500, retryAfterMs: 1 });
    const result = await model(provider).complete(prompt, limits);
    expect(result).toEqual({
      kind: 'unavailable',
      reason: 'the provider answered 500, after 2 tries',
    });
    expect(server.heard).toHaveLength(4);
  });

  it('does not repeat a refused key, and never says what the key or the prompt was', async () => {
    server.script({ kind: 'error', status: 401 });
    const result = await model(provider).complete(prompt, limits);
    expect(result).toEqual({ kind: 'unavailable', reason: 'the provider answered 401' });
    expect(server.heard).toHaveLength(1);
  });

  it('gives up on silence', async () => {
    server.script({ kind: 'silent' });
    const result = await model(provider).complete(prompt, { ...limits, timeoutMs: 200 });
    expect(result).toEqual({ kind: 'unavailable', reason: 'no answer within 200 ms' });
  });

  it.each(['malformed', 'hangs-up'] as const)('says so when the answer is %s', async (kind) => {
    server.script({ kind });
    const result = await model(provider).complete(prompt, limits);
    expect(result.kind).toBe('unavailable');
  });

  it('passes on what was cut off, for the reader of edits to refuse', async () => {
    server.script({ kind: 'cut-off', text: 'half an ans' });
    expect(await model(provider).complete(prompt, limits)).toMatchObject({ text: 'half an ans' });
  });
});

describe('settings', () => {
  it('names what is missing', () => {
    const none = { name: 'm', baseUrl: null, apiKey: null };
    expect(() => modelOf({ provider: 'anthropic', ...none })).toThrow('FIXPOINT_MODEL_API_KEY');
    expect(() => modelOf({ provider: 'openai-compatible', ...none })).toThrow('model.baseUrl');
  });

  it('asks no key of a server that wants none', async () => {
    server.script({ kind: 'says', text: 'local' });
    const result = await model('openai-compatible', { apiKey: null }).complete(prompt, limits);
    expect(result).toMatchObject({ text: 'local' });
    expect(server.heard[0]!.headers.authorization).toBeUndefined();
  });

  it('says that nobody is there', async () => {
    const { url } = server;
    await server.close();
    const result = await model('openai-compatible', { baseUrl: url }).complete(prompt, limits);
    expect(result).toMatchObject({ kind: 'unavailable' });
    server = await startScriptedModel();
  });
});

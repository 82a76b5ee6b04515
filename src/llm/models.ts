/** Language models through the AI SDK: Anthropic, OpenAI, and whatever speaks OpenAI's format. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, type LanguageModel, RetryError } from 'ai';
import type { Model, ModelResult, Prompt } from './llm.ts';

// The SDK would print its advice (a temperature that a model ignores) on the server's own output.
globalThis.AI_SDK_LOG_WARNINGS = false;

export interface ModelOptions {
  provider: 'anthropic' | 'openai' | 'openai-compatible';
  /** As the provider writes it. */
  name: string;
  /** `/v1` included; required for `openai-compatible`, else the provider's own. */
  baseUrl: string | null;
  /** Null for servers that ask for none (Ollama, vLLM). */
  apiKey: string | null;
  /** What a million tokens cost; null when it is not known, and costs are then not reported. */
  priceUsd?: { inputPerMillion: number; outputPerMillion: number } | null;
  /** How often a request is sent again after 429, 5xx or a broken connection. */
  retriesMax?: number;
}

/** @throws an Error that names the missing setting. */
export function modelOf(options: ModelOptions): Model {
  const { provider, name, priceUsd = null, retriesMax = 2 } = options;
  const model = languageModel(options);
  return {
    provider,
    name,
    complete: (prompt, limits) => complete({ model, prompt, limits, priceUsd, retriesMax }),
  };
}

interface Completion {
  model: LanguageModel;
  prompt: Prompt;
  limits: { outputTokensMax: number; timeoutMs: number; temperature: number };
  priceUsd: { inputPerMillion: number; outputPerMillion: number } | null;
  retriesMax: number;
}

/** Never throws for what a provider does: whatever goes wrong there is a reason in words. */
async function complete(completion: Completion): Promise<ModelResult> {
  const { model, prompt, limits, priceUsd, retriesMax } = completion;
  const signal = AbortSignal.timeout(limits.timeoutMs);
  try {
    const { text, usage } = await generateText({
      model,
      instructions: prompt.system,
      prompt: prompt.user,
      maxOutputTokens: limits.outputTokensMax,
      temperature: limits.temperature,
      maxRetries: retriesMax,
      abortSignal: signal,
    });
    const inputTokens = usage.inputTokens ?? 0;
    const outputTokens = usage.outputTokens ?? 0;
    const costUsd =
      priceUsd === null
        ? null
        : (inputTokens * priceUsd.inputPerMillion + outputTokens * priceUsd.outputPerMillion) / 1e6;
    return { kind: 'answer', text, inputTokens, outputTokens, costUsd };
  } catch (error) {
    if (signal.aborted) {
      return { kind: 'unavailable', reason: `no answer within ${limits.timeoutMs} ms` };
    }
    return { kind: 'unavailable', reason: reasonOf(error) };
  }
}

/** Status and kind of the error; never the body, which may repeat the prompt or the key. */
function reasonOf(error: unknown): string {
  if (RetryError.isInstance(error)) {
    return `${reasonOf(error.lastError)}, after ${error.errors.length} tries`;
  }
  if (APICallError.isInstance(error)) {
    const { statusCode } = error;
    if (statusCode === undefined) return 'the provider cannot be reached';
    const malformed = statusCode < 400 ? 'an answer that is not in its own format' : '';
    return `the provider answered ${malformed || statusCode}`;
  }
  return error instanceof Error ? `the provider's answer is unusable: ${error.name}` : 'unknown';
}

/** Provider instances only: a model id given as text would go to a gateway of the SDK's maker. */
function languageModel({ provider, name, baseUrl, apiKey }: ModelOptions): LanguageModel {
  if (provider !== 'openai-compatible' && apiKey === null) {
    throw new Error(`model.provider is ${provider}, but FIXPOINT_MODEL_API_KEY is not set`);
  }
  const baseURL = baseUrl ?? undefined;
  const key = apiKey ?? undefined;
  if (provider === 'anthropic') return createAnthropic({ baseURL, apiKey: key })(name);
  if (provider === 'openai') return createOpenAI({ baseURL, apiKey: key }).responses(name);
  if (baseURL === undefined) {
    throw new Error('model.provider is openai-compatible, but model.baseUrl is not set');
  }
  return createOpenAICompatible({ name: 'openai-compatible', baseURL, apiKey: key })(name);
}

/** Asks a language model for patches, one shot each, within a budget, and trusts none of it. */
import type { Candidate, Provenance } from '../domain/fix.ts';
import type { GuardrailRules } from '../domain/guardrails.ts';
import type { Logger } from '../domain/logger.ts';
import type { Model, ModelResult } from '../llm/llm.ts';
import { applyEdits, readAnswer, type Said } from './edits.ts';
import { type PromptInput, promptFor } from './prompt.ts';

/** What the model may cost for one issue. */
export interface ModelBudget {
  samplesMax: number;
  outputTokensMax: number;
  timeoutMs: number;
  costUsdMax: number;
}

export const modelBudget: ModelBudget = {
  samplesMax: 3,
  outputTokensMax: 8192,
  timeoutMs: 120_000,
  costUsdMax: 1,
};

/** Taken for the price of a model whose price is not known, so that the budget still ends. */
const assumedUsdPerMillion = { input: 15, output: 75 };
const firstTemperature = 0.2;
const laterTemperature = 0.8;

export interface ModelOptions {
  model: Model;
  budget: ModelBudget;
  rules: GuardrailRules;
  logger: Logger;
  /** What the attempts before this have cost already. */
  spentUsd: number;
  read: (path: string) => Promise<string | null>;
  /** Asked anew before each sample, so that later ones know what became of earlier ones. */
  input: () => Promise<PromptInput>;
}

/** Candidates in the order of asking; answers without a usable patch carry their refusal. */
export async function* modelCandidates(options: ModelOptions): AsyncGenerator<Candidate> {
  const { model, budget, rules, logger, read } = options;
  let spent = options.spentUsd;
  for (let sample = 0; sample < budget.samplesMax; sample++) {
    const prompt = promptFor(await options.input());
    const most = costOf({
      inputTokens: (prompt.system.length + prompt.user.length) / 3,
      outputTokens: budget.outputTokensMax,
    });
    if (spent + most > budget.costUsdMax) {
      logger.info('the model is not asked: the budget of the issue is spent', { spentUsd: spent });
      return;
    }
    const result = await model.complete(prompt, {
      outputTokensMax: budget.outputTokensMax,
      timeoutMs: budget.timeoutMs,
      temperature: sample === 0 ? firstTemperature : laterTemperature,
    });
    const provenance = provenanceOf(model, result);
    if (result.kind === 'unavailable') {
      logger.warn('the model gave no answer', { reason: result.reason });
      yield refused(`the model gave no answer: ${result.reason}`, provenance);
      return;
    }
    spent += result.costUsd ?? costOf(result);
    const patch = await patchIn(result.text, { read, rules });
    if (patch.kind === 'refused') {
      logger.info("the model's answer is refused", { reason: patch.reason });
      yield refused(patch.reason, provenance);
      continue;
    }
    const { explanation, rootCause } = patch.said;
    yield { diff: patch.diff, explanation, rootCause, provenance };
  }
}

type Patch = { kind: 'patch'; diff: string; said: Said } | { kind: 'refused'; reason: string };

async function patchIn(
  text: string,
  options: Pick<ModelOptions, 'read' | 'rules'>,
): Promise<Patch> {
  const answer = readAnswer(text);
  if (answer.kind === 'refused') return answer;
  const applied = await applyEdits(answer.said.edits, options);
  if (applied.kind === 'refused') return applied;
  return { kind: 'patch', diff: applied.diff, said: answer.said };
}

/** Stored like any other attempt, so that it can be read what the model was paid for. */
function refused(refusal: string, provenance: Provenance): Candidate {
  return {
    diff: '',
    explanation: 'an answer without a usable patch',
    rootCause: '',
    provenance,
    refusal,
  };
}

function provenanceOf({ provider, name }: Model, result: ModelResult): Provenance {
  const { inputTokens, outputTokens, costUsd } =
    result.kind === 'answer' ? result : { inputTokens: 0, outputTokens: 0, costUsd: null };
  return { kind: 'model', provider, model: name, costUsd, inputTokens, outputTokens };
}

/** Upper estimate in USD, for models whose price nobody told us. */
export function costOf(tokens: { inputTokens: number; outputTokens: number }): number {
  const { input, output } = assumedUsdPerMillion;
  return (tokens.inputTokens * input + tokens.outputTokens * output) / 1e6;
}

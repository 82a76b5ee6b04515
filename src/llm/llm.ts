/** The seam to language models: one shot, text in and text out, with its cost. */

export interface Prompt {
  system: string;
  user: string;
}

export interface ModelAnswer {
  kind: 'answer';
  text: string;
  inputTokens: number;
  outputTokens: number;
  costUsd: number | null;
}

export type ModelResult =
  | ModelAnswer
  /** Refused, timed out, malformed, or out of budget: the proposer goes on without it. */
  | { kind: 'unavailable'; reason: string };

export interface Model {
  readonly provider: string;
  readonly name: string;
  complete(
    prompt: Prompt,
    options: { outputTokensMax: number; timeoutMs: number; temperature: number },
  ): Promise<ModelResult>;
}

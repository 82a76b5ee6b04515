/** From the settings that users know to what each part wants to be told. */
import { createHash } from 'node:crypto';
import type { Config } from '../config.ts';
import { type DeploySettings, deploySettings } from '../deploy/context.ts';
import { guardrailRules } from '../domain/guardrails.ts';
import type { Model } from '../llm/llm.ts';
import { modelOf } from '../llm/models.ts';
import type { PipelineSettings } from '../pipeline.ts';
import type { ManyReplayer, ReplayOptions } from '../replay/replay.ts';

export function deploySettingsOf(config: Config, owner: string): DeploySettings {
  const { buildTimeoutMs, ...defaults } = config.deploy;
  const { domain, port } = config.router;
  const network = `fixpoint-${owner}`;
  return {
    ...deploySettings,
    ...{ owner, network, domain, defaults, buildTimeoutMs },
    routerPort: port,
    imagesKept: config.retention.releasesPerApp,
  };
}

export function pipelineSettings({ fix, model }: Config): PipelineSettings {
  const { filesMax, changedLinesMax } = fix;
  const { samplesMax, outputTokensMax, timeoutMs, costUsdMax } = model;
  return {
    ...fix,
    rules: { ...guardrailRules, filesMax, changedLinesMax },
    modelBudget: { samplesMax, outputTokensMax, timeoutMs, costUsdMax },
  };
}

export function modelFrom({ model, modelApiKey }: Config): Model | null {
  const { provider, name, baseUrl } = model;
  if (provider === 'none' || name === null) return null;
  return modelOf({ provider, name, baseUrl, apiKey: modelApiKey });
}

/** Identity on an engine that others use, too: the same for every server of a data directory. */
export function ownerOf(dataDir: string): string {
  return createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
}

/** What verifying makes is labelled apart, so that restoring deployments leaves it alone. */
export function candidatesOf(owner: string): string {
  return `${owner}-candidates`;
}

/** The replayer with the settings' limits, unless a replay asks for others. */
export function bounded(replayer: ManyReplayer, { replay: settings }: Config): ManyReplayer {
  const { bootTimeoutMs, answerTimeoutMs, settleMs } = settings;
  const withLimits = <T extends Pick<ReplayOptions, 'limits'>>(options: T): T => {
    const limits = { bootTimeoutMs, answerTimeoutMs, settleMs, ...options.limits };
    return { ...options, limits };
  };
  return {
    replay: (options) => replayer.replay(withLimits(options)),
    replayMany: (options, requests) => replayer.replayMany(withLimits(options), requests),
    close: () => replayer.close(),
  };
}

/** Proposes patches for a reproduced issue: templates first, as they are free, then a model. */
import type { Issue, Occurrence, Trace } from '../domain/failure.ts';
import type { Attempt, Candidate } from '../domain/fix.ts';
import { type GuardrailRules, guardrailRules, guardrails } from '../domain/guardrails.ts';
import { type Logger, silent } from '../domain/logger.ts';
import type { Raised, Reproduction } from '../domain/outcome.ts';
import type { Recording } from '../domain/recording.ts';
import type { Repository } from '../git/repository.ts';
import type { Model } from '../llm/llm.ts';
import { filesOf } from '../source/patch.ts';
import { siblingAnswersOf, toldOf } from './evidence.ts';
import { innermost } from './fault.ts';
import { costOf, type ModelBudget, modelBudget, modelCandidates } from './model.ts';
import type { PromptInput } from './prompt.ts';
import { secretsOf } from './secrets.ts';
import { templateCandidates } from './templates.ts';
import { readTree, type Tree } from './tree.ts';

export interface ProposeOptions {
  issue: Issue;
  /** The occurrence that was reproduced. */
  occurrence: Occurrence;
  reproduction: Extract<Reproduction, { kind: 'reproduced' }>;
  /** The trigger's recording; null when there is nothing to tell a model of it. */
  recording: Recording | null;
  /** The release's settings: a model never sees their values. */
  env: Readonly<Record<string, string>>;
  /** Successful recordings of the trigger's route. */
  siblings: readonly Recording[];
  repository: Repository;
  /** The release's commit, which diffs are made against. */
  commit: string;
  /** Earlier attempts; asked again before each question to the model. */
  attempts: () => Promise<readonly Attempt[]>;
  /** Null: templates only. */
  model: Model | null;
  budget?: Partial<ModelBudget>;
  rules?: GuardrailRules;
  limits?: Partial<ProposeLimits>;
  logger?: Logger;
}

export interface ProposeLimits {
  /** 0 switches templates off. */
  templatesMax: number;
  fileBytesMax: number;
}

export const proposeLimits: ProposeLimits = { templatesMax: 10, fileBytesMax: 1 << 20 };

/**
 * Yields candidates, the likeliest right one first, none that was attempted before; ends when
 * there are no more ideas or the budget is spent. Stop iterating once one is verified.
 */
export async function* propose(options: ProposeOptions): AsyncGenerator<Candidate> {
  const limits = { ...proposeLimits, ...options.limits };
  const rules = options.rules ?? guardrailRules;
  const trace = options.occurrence.failure.trace ?? traceOfRaised(options.reproduction);
  if (trace === null) return;
  const source = sourceOf(options, limits);
  const seen = new Set(
    (await options.attempts()).map(({ candidate }) => changesOf(candidate.diff)),
  );
  let count = 0;
  for await (const candidate of ideas(options, { trace, source, limits, rules })) {
    if (candidate.refusal !== undefined) {
      yield candidate;
      continue;
    }
    const changes = changesOf(candidate.diff);
    if (seen.has(changes)) continue;
    seen.add(changes);
    if (guardrails(filesOf(candidate.diff), rules).refusals.length > 0) continue;
    if (candidate.provenance.kind === 'template' && ++count > limits.templatesMax) continue;
    yield candidate;
  }
}

interface Source {
  text(path: string): Promise<string | null>;
  tree(path: string): Promise<Tree | null>;
}

interface Ideas {
  trace: Trace;
  source: Source;
  limits: ProposeLimits;
  rules: GuardrailRules;
}

async function* ideas(options: ProposeOptions, given: Ideas): AsyncGenerator<Candidate> {
  const { trace, source, limits, rules } = given;
  const { failure } = options.occurrence;
  const siblings = siblingAnswersOf(options.siblings);
  const variables = variablesOf(options.reproduction, trace);
  if (limits.templatesMax > 0) {
    const answeredStatus = failure.status;
    const read = source.tree;
    yield* await templateCandidates({ trace, read, siblings, variables, answeredStatus });
  }
  if (options.model === null) return;
  const told = options.recording === null ? { request: [], calls: [] } : toldOf(options.recording);
  const paths = (await options.repository.tree(options.commit)).map(({ path }) => path);
  const input = async (): Promise<PromptInput> => ({
    issue: options.issue,
    trace,
    sources: await sourcesOf(trace, source),
    paths,
    told,
    siblings,
    variables,
    attempts: await options.attempts(),
    secrets: secretsOf(options),
  });
  yield* modelCandidates({
    model: options.model,
    budget: { ...modelBudget, ...options.budget },
    rules,
    logger: options.logger ?? silent,
    spentUsd: spentOn(await options.attempts()),
    read: source.text,
    input,
  });
}

/** Files at the commit, each read once; what is too large to be source text is not there. */
function sourceOf({ repository, commit }: ProposeOptions, limits: ProposeLimits): Source {
  const texts = new Map<string, Promise<string | null>>();
  const trees = new Map<string, Promise<Tree | null>>();
  const read = async (path: string): Promise<string | null> => {
    const bytes = await repository.read(commit, path);
    if (bytes === null || bytes.length > limits.fileBytesMax) return null;
    const text = new TextDecoder().decode(bytes);
    return text.includes('\uFFFD') || text.includes('\0') ? null : text;
  };
  const text = (path: string) => remembered(texts, path, read);
  const parse = async (path: string): Promise<Tree | null> => {
    const content = await text(path);
    return content === null || !isSource(path) ? null : readTree(path, content);
  };
  return { text, tree: (path) => remembered(trees, path, parse) };
}

function isSource(path: string): boolean {
  return /\.(?:[cm]?[jt]s|[jt]sx)$/.test(path);
}

function remembered<T>(
  memory: Map<string, Promise<T>>,
  key: string,
  make: (key: string) => Promise<T>,
): Promise<T> {
  const known = memory.get(key) ?? make(key);
  memory.set(key, known);
  return known;
}

/** Files of the in-app stack lines, innermost first, each with its lines. */
async function sourcesOf(trace: Trace, source: Source): Promise<PromptInput['sources']> {
  const lines = innermost(trace).lines.filter((line) => line.inApp);
  const found: PromptInput['sources'] = [];
  for (const path of new Set(lines.map((line) => line.file))) {
    const text = await source.text(path);
    if (text === null) continue;
    found.push({ path, text, lines: lines.filter((l) => l.file === path).map((l) => l.line) });
  }
  return found;
}

/**
 * A handler may catch what happened and answer 500 without a word: the debugger saw it anyway.
 * What was raised last in the app's own code is taken for the cause; there are no callers then.
 */
function traceOfRaised({ runs }: ProposeOptions['reproduction']): Trace | null {
  const raised = runs.flatMap((run) => run.raised);
  const last = raised.findLast((one) => one.uncaught) ?? raised.at(-1);
  if (last === undefined || !isSource(last.file)) return null;
  const { type, message, file, line, function: name, uncaught } = last;
  const place = { file, function: name, line, column: 0, text: null, inApp: true };
  return { runtime: 'v8', type, message, lines: [place], causes: [], uncaught };
}

/** Variables that the debugger saw where the trace points. */
function variablesOf(
  reproduction: ProposeOptions['reproduction'],
  trace: Trace,
): Record<string, string> {
  const inner = innermost(trace);
  const top = inner.lines.find((line) => line.inApp);
  const raised: Raised[] = reproduction.runs.flatMap((run) => run.raised);
  const here = raised.find((one) => one.file === top?.file && one.line === top.line);
  return here?.variables ?? {};
}

function spentOn(attempts: readonly Attempt[]): number {
  return attempts.reduce((sum, { candidate: { provenance } }) => {
    return provenance.kind === 'model' ? sum + (provenance.costUsd ?? costOf(provenance)) : sum;
  }, 0);
}

/** What a diff changes, whoever wrote its header lines and however much context it has. */
function changesOf(diff: string): string {
  return JSON.stringify(
    filesOf(diff).map(({ path, hunks }) => [
      path,
      hunks.flatMap((hunk) => hunk.lines.filter((line) => /^[-+]/.test(line))),
    ]),
  );
}

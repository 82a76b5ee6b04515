/** The built-in proposer: known shapes of fixes, applied by syntax tree where the trace points. */
import type { Trace } from '../domain/failure.ts';
import type { Candidate } from '../domain/fix.ts';
import { type Draft, diffOf, type Scene, type Template } from './draft.ts';
import { faultOf, innermost } from './fault.ts';
import type { SiblingAnswer } from './need.ts';
import { levelsOf, originOf } from './origin.ts';
import { framesOf, type ReadTree, type Site, siteOf } from './site.ts';
import { answeredTwice } from './templates/answered-twice.ts';
import { badNumber, isBadNumber } from './templates/bad-number.ts';
import { chainDefault } from './templates/chain-default.ts';
import { earlyExit } from './templates/early-exit.ts';
import { misuse } from './templates/misuse.ts';
import { producerDefault } from './templates/producer.ts';
import { refusedArgument } from './templates/refused.ts';
import { skipStatement } from './templates/skip.ts';
import { lineOf, textOf } from './tree.ts';

const templates: readonly Template[] = [
  misuse,
  earlyExit,
  chainDefault,
  producerDefault,
  refusedArgument,
  skipStatement,
];

export interface TemplateInput {
  trace: Trace;
  read: ReadTree;
  siblings: readonly SiblingAnswer[];
  /** Variables at the throw, printed, as the debugger saw them; hostile text. */
  variables: Record<string, string>;
  /** Status that the caller had been answered with when it failed; null when there was none. */
  answeredStatus: number | null;
}

/** Candidates of all templates, the likeliest right one first, each diff once. */
export async function templateCandidates(input: TemplateInput): Promise<Candidate[]> {
  const { trace, read } = input;
  const inner = innermost(trace);
  if (faultOf(inner).kind === 'answered-twice') {
    const drafts = answeredTwice(await framesOf(inner, read));
    return candidatesOf(drafts, `A request is answered twice (${placeOf(inner)}).`);
  }
  if (isBadNumber(inner)) {
    const drafts = badNumber(inner, await framesOf(inner, read));
    const cause = `What the caller sent reaches the database unchecked (${placeOf(inner)}).`;
    return candidatesOf(drafts, cause);
  }
  const site = await siteOf(trace, read);
  if (site === null) return [];
  const scene = sceneOf(site, input);
  const drafts = templates.flatMap((template) => template(scene));
  return candidatesOf(drafts, rootCauseOf(scene));
}

function sceneOf(site: Site, input: TemplateInput): Scene {
  const status = input.answeredStatus;
  return {
    site,
    tree: site.frames[0]!.tree,
    origin: originOf(site),
    levels: levelsOf(site),
    siblings: input.siblings,
    value: valueAt(site, input.variables),
    answered: status !== null && status < 400,
  };
}

/** Null and undefined need other defaults: only the latter triggers `= default`. */
function valueAt(site: Site, variables: Record<string, string>): Scene['value'] {
  const name = textOf(site.frames[0]!.tree, site.culprit);
  const printed = Object.hasOwn(variables, name) ? variables[name]?.trim() : undefined;
  if (printed === 'undefined' || printed === 'null') return printed;
  const { kind } = site.fault;
  if (
    kind === 'not-defined' ||
    kind === 'not-callable' ||
    kind === 'refused-argument' ||
    kind === 'invalid-date'
  ) {
    return 'other';
  }
  if (kind === 'not-iterable' && printed !== undefined) return 'other';
  return /\bnull\b/.test(site.trace.message.replace(/'.*?'/g, '')) ? 'null' : 'undefined';
}

/** The innermost line of the app's own code. */
function placeOf(trace: Trace): string {
  const line = trace.lines.find((candidate) => candidate.inApp);
  return line === undefined ? 'place unknown' : `${line.file}:${line.line}`;
}

function candidatesOf(drafts: Draft[], rootCause: string): Candidate[] {
  const seen = new Set<string>();
  const candidates: Candidate[] = [];
  for (const draft of [...drafts].sort((a, b) => a.score - b.score)) {
    const diff = diffOf(draft);
    if (diff === null || diff === '' || seen.has(diff)) continue;
    seen.add(diff);
    candidates.push({
      diff,
      explanation: draft.explanation,
      rootCause,
      provenance: { kind: 'template', template: draft.template },
    });
  }
  return candidates;
}

const sources: Record<Scene['origin']['kind'], string> = {
  request: 'It comes from the request, which is not checked for it.',
  lookup: 'It is the result of a search that found nothing.',
  field: 'It is a field that is not always there.',
  unknown: 'The code takes it for given.',
};

function rootCauseOf({ site, tree, origin, value }: Scene): string {
  const line = lineOf(tree, site.access.start);
  const text = textOf(tree, site.culprit).replace(/\s+/g, ' ');
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  const what = value === 'other' ? 'is not what the code expects' : `is ${value}`;
  return `\`${short}\` ${what} at ${tree.path}:${line}. ${sources[origin.kind]}`;
}

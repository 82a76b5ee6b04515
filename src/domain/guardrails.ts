/** What no patch may touch, whoever made it, and what a person should look at twice. */

/** A file of a diff, as `source/patch.ts` reads it. */
export interface TouchedFile {
  path: string;
  /** Null for a new file. */
  oldPath: string | null;
  deleted: boolean;
  /** Lines with their leading ` `, `+` or `-`. */
  hunks: readonly { lines: readonly string[] }[];
}

export interface GuardrailRules {
  /** Folders that may be edited (`src`, `packages/api/src`); empty: wherever source text is. */
  sourceRoots: readonly string[];
  filesMax: number;
  /** Added and removed lines together. New test files do not count. */
  changedLinesMax: number;
}

export const guardrailRules: GuardrailRules = {
  sourceRoots: [],
  filesMax: 3,
  changedLinesMax: 80,
};

export interface GuardrailReport {
  /** Each one refuses the patch. */
  refusals: string[];
  /** Shown to the maintainer, refuse nothing. */
  flags: string[];
}

/** Paths that a patch must leave alone, with the word for them. First match counts. */
const protectedPaths: readonly { what: string; patterns: readonly RegExp[] }[] = [
  { what: 'outside the repository', patterns: [/^\/|(^|\/)\.\.?(\/|$)|\\|\0/] },
  { what: 'a folder of git', patterns: [/(^|\/)\.git(\/|$)/i] },
  {
    what: 'continuous integration',
    patterns: [
      /(^|\/)\.(github|gitlab|circleci|buildkite|woodpecker|gitea|forgejo|ci|husky)\//i,
      /(^|\/)\.?(gitlab-ci|travis|drone|azure-pipelines|appveyor|cloudbuild|buildspec)\.ya?ml$/i,
      /(^|\/)(bitbucket-pipelines\.yml|Jenkinsfile[^/]*)$/i,
    ],
  },
  {
    what: 'a lock file',
    patterns: [
      /(^|\/)(package-lock|npm-shrinkwrap)\.json$|(^|\/)pnpm-lock\.yaml$|(^|\/)go\.sum$/i,
      /(^|\/)(yarn|poetry|Pipfile|uv|Gemfile|Cargo|composer|bun|deno)\.lock(b|\.json)?$/i,
      /(^|\/)(bun\.lockb|composer\.lock|Gemfile\.lock)$/i,
    ],
  },
  {
    what: 'a container build',
    patterns: [
      /(^|\/)([^/]*\.)?(Dockerfile|Containerfile)(\.[^/]*)?$/i,
      /(^|\/)(docker-)?compose[^/]*\.ya?ml$|(^|\/)\.dockerignore$/i,
    ],
  },
  { what: 'a dependency', patterns: [/(^|\/)(node_modules|vendor|site-packages|\.venv)\//] },
  {
    what: 'a build product',
    patterns: [/^([^/]+\/){0,2}(dist|coverage|\.next)\/|^(build|out)\/|\.min\.js$/],
  },
  { what: 'configuration', patterns: [/(^|\/)\.[^/]+($|\/)/] },
  {
    what: 'a build or package definition',
    patterns: [
      /(^|\/)(package|tsconfig[^/]*|biome|deno)\.jsonc?$|(^|\/)Makefile$/i,
      /(^|\/)(pyproject\.toml|setup\.(py|cfg)|requirements[^/]*\.txt|go\.mod|Cargo\.toml)$/i,
      /(^|\/)(Gemfile|pom\.xml|build\.gradle(\.kts)?)$/i,
      /(^|\/)[^/]+\.(config|conf|setup|workspace)\.[cm]?[jt]s$/i,
      /(^|\/)(conftest|noxfile)\.py$|(^|\/)(gulpfile|Gruntfile|Jakefile)\.[^/]+$/i,
      /(^|\/)(setupTests?|testSetup)\.[^/]+$|(^|\/)Rakefile$|(^|\/)build\.rs$/i,
    ],
  },
];

const testPaths: readonly RegExp[] = [
  /(^|\/)(tests?|__tests__|specs?|e2e|fixtures|__snapshots__|__mocks__)\//i,
  /(^|[._/-])(tests?|specs?|e2e)\.[^/]+$|\.snap$/i,
  /(^|\/)test_[^/]+\.py$|_test\.(go|py|rb)$/i,
];

const sourcePaths: readonly RegExp[] = [
  /\.([cm]?[jt]s|[jt]sx|vue|svelte|py|rb|go|rs|java|kts?|scala|php|cs|fs|exs?|clj)$/i,
  /\.(sql|graphql|html|ejs|hbs|pug)$/i,
];

/** Whether a path is a test, by the customs of the languages we know. */
export function isTestPath(path: string): boolean {
  return testPaths.some((pattern) => pattern.test(path));
}

/** Judges a diff's files by the rules. Pure: the same for templates, models and people. */
export function guardrails(
  files: readonly TouchedFile[],
  rules: GuardrailRules = guardrailRules,
): GuardrailReport {
  const refusals: string[] = [];
  const flags: string[] = [];
  if (files.length === 0) refusals.push('the patch changes nothing');
  const counted = files.filter((file) => !(file.oldPath === null && isTestPath(file.path)));
  if (counted.length > rules.filesMax) {
    refusals.push(`${counted.length} files are changed, ${rules.filesMax} are allowed`);
  }
  const lines = counted.reduce((sum, file) => sum + changedLineCount(file), 0);
  if (lines > rules.changedLinesMax) {
    refusals.push(`${lines} lines are changed, ${rules.changedLinesMax} are allowed`);
  }
  for (const file of files) {
    const refusal = refusalOf(file, rules);
    if (refusal !== null) refusals.push(refusal);
    flags.push(...flagsOf(file));
  }
  return { refusals, flags };
}

function refusalOf(file: TouchedFile, rules: GuardrailRules): string | null {
  for (const path of new Set([file.path, file.oldPath ?? file.path])) {
    const hit = protectedPaths.find(({ patterns }) => patterns.some((p) => p.test(path)));
    if (hit !== undefined) return `${path} is protected: ${hit.what}`;
  }
  if (isTestPath(file.path) || isTestPath(file.oldPath ?? '')) {
    return file.oldPath === null ? null : `${file.path} is protected: a test that exists`;
  }
  if (file.deleted) return `${file.path} is deleted as a whole`;
  if (!sourcePaths.some((p) => p.test(file.path))) return `${file.path} is not a source file`;
  const { sourceRoots } = rules;
  const inRoot = sourceRoots.some((root) => file.path.startsWith(`${root.replace(/\/$/, '')}/`));
  if (sourceRoots.length > 0 && !inRoot) return `${file.path} is outside ${sourceRoots.join(', ')}`;
  return null;
}

/** What an added line may bring in that the text of a fix seldom needs. */
const noteworthy: readonly { what: string; pattern: RegExp }[] = [
  {
    what: 'a new import',
    pattern: /^\s*(import\b|from\s+\S+\s+import\b)|\brequire\s*\(|\bimport\s*\(/,
  },
  { what: 'a URL', pattern: /\b(?:https?|wss?|ftp|data|file):/i },
  { what: 'an IP address', pattern: /\b\d{1,3}(?:\.\d{1,3}){3}\b/ },
  { what: 'code made from text', pattern: /\beval\s*\(|\bnew\s+Function\b|\bvm\.|\bexec\s*\(/ },
  {
    what: 'another process',
    pattern: /\b(?:child_process|subprocess|os\.system)\b|\b(?:execFile|spawn|fork)(?:Sync)?\s*\(/,
  },
  { what: 'the environment', pattern: /\bprocess\.env\b|\bos\.environ\b/ },
  {
    what: 'invisible or bidirectional characters',
    pattern: /[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/,
  },
];

function flagsOf(file: TouchedFile): string[] {
  const removed = new Set(linesOf(file, '-').map((line) => line.trim()));
  const added = linesOf(file, '+').filter((line) => !removed.has(line.trim()));
  return noteworthy
    .filter(({ pattern }) => added.some((line) => pattern.test(line)))
    .map(({ what }) => `${file.path} brings in ${what}`);
}

function changedLineCount(file: TouchedFile): number {
  return linesOf(file, '+').length + linesOf(file, '-').length;
}

function linesOf(file: TouchedFile, sign: '+' | '-'): string[] {
  return file.hunks
    .flatMap((hunk) => hunk.lines)
    .filter((line) => line.startsWith(sign))
    .map((line) => line.slice(1));
}

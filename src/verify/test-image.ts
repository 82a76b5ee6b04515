/**
 * The image in which a repository's tests can run: often not the one that is deployed, because
 * that one was made small. Tried in turn: the deployed image, the stages that it copies from,
 * and the same Dockerfile with development dependencies left in.
 */
import type { Engine } from '../engine/engine.ts';
import type { Repository } from '../git/repository.ts';
import { unifiedDiff } from '../source/write.ts';
import type { OwnTestsOptions } from './own-tests.ts';
import type { TestCommand } from './test-command.ts';
import { startTestContainer } from './test-container.ts';

export type TestImage =
  | {
      kind: 'found';
      /** The image to test a commit in: its own, since tests may run what the build compiled. */
      imageOf: (commit: string) => Promise<{ id: string } | { failure: string }>;
      release: () => Promise<void>;
    }
  | { kind: 'none'; reason: string };

/** Finds an image that holds the tool of each command and the packages that they need. */
export async function findTestImage(
  options: OwnTestsOptions,
  commands: readonly TestCommand[],
): Promise<TestImage> {
  const reasons: string[] = [];
  const deployed = await lacks(options, options.imageId, commands);
  if (deployed === null) {
    const { imageId, patchedImageId, patchedCommit } = options;
    const imageOf = async (commit: string) => {
      return { id: commit === patchedCommit ? patchedImageId : imageId };
    };
    return { kind: 'found', imageOf, release: async () => {} };
  }
  reasons.push(`the deployed image lacks ${deployed}`);
  const text = await options.repository.read(options.baseCommit, options.dockerfile);
  const dockerfile = Buffer.from(text ?? []).toString('utf8');
  for (const variant of variantsOf(dockerfile)) {
    options.onProgress(`building ${variant.says} to run the tests in`);
    const built = await buildVariant(options, options.baseCommit, variant);
    if (built.kind === 'failed') {
      reasons.push(`${variant.says} does not build (${built.reason})`);
      continue;
    }
    const missing = await lacks(options, built.imageId, commands);
    if (missing === null) return variantImage(options, variant, built.imageId);
    reasons.push(`${variant.says} lacks ${missing}`);
  }
  return { kind: 'none', reason: reasons.join('; ') };
}

export interface Variant {
  says: string;
  target: string | null;
  dockerfile: string;
}

/** Exported for its test: other images that a Dockerfile can give. */
export function variantsOf(dockerfile: string): Variant[] {
  const copied = [...dockerfile.matchAll(/^\s*COPY\s+(?:--\S+\s+)*?--from=(\S+)/gim)].map(
    (found) => found[1] ?? '',
  );
  const stages = [...dockerfile.matchAll(/^\s*FROM\s+(?:--\S+\s+)*\S+\s+AS\s+(\S+)/gim)].map(
    (found) => found[1] ?? '',
  );
  const sources = [...new Set(copied.reverse())].filter((name) => stages.includes(name));
  const variants: Variant[] = sources.map((name) => ({
    says: `the stage ${name}`,
    target: name,
    dockerfile,
  }));
  const full = dockerfile
    .replace(/\s--(?:omit=dev|production|only=prod(?:uction)?)\b/g, '')
    .replace(/^(\s*ENV\s+)NODE_ENV[= ]"?production"?\s*$/gim, '$1FIXPOINT_TESTS=1');
  if (full !== dockerfile) {
    const says = 'its Dockerfile with development dependencies';
    variants.push({ says, target: null, dockerfile: full });
    for (const name of sources) variants.push({ says, target: name, dockerfile: full });
  }
  return variants;
}

function variantImage(options: OwnTestsOptions, variant: Variant, baseImage: string): TestImage {
  const made = [baseImage];
  return {
    kind: 'found',
    imageOf: async (commit) => {
      if (commit === options.baseCommit) return { id: baseImage };
      const built = await buildVariant(options, commit, variant);
      if (built.kind === 'failed') return { failure: `${variant.says}: ${built.reason}` };
      made.push(built.imageId);
      return { id: built.imageId };
    },
    release: async () => {
      for (const image of made) await options.engine.removeImage(image).catch(() => {});
    },
  };
}

async function buildVariant(options: OwnTestsOptions, base: string, variant: Variant) {
  const { repository, engine, dockerfile } = options;
  const original = await repository.read(base, dockerfile);
  const text = Buffer.from(original ?? []).toString('utf8');
  const diff = unifiedDiff([{ path: dockerfile, before: text, after: variant.dockerfile }]);
  const commit = await commitWith(repository, { base, diff });
  return engine.build({
    context: repository.archive(commit),
    dockerfile,
    labels: options.labels,
    timeoutMs: options.timeoutMs,
    ...(variant.target === null ? {} : { target: variant.target }),
  });
}

async function commitWith(
  repository: Repository,
  options: { base: string; diff: string },
): Promise<string> {
  if (options.diff === '') return options.base;
  const author = { name: 'Fixpoint', email: 'fixpoint@localhost' };
  const made = await repository.commitPatch({ ...options, message: 'To run tests in', author });
  if (made.kind === 'refused') throw new Error(`own Dockerfile edit refused: ${made.reason}`);
  return made.commit;
}

/** What an image lacks to run the commands; null when it lacks nothing. */
async function lacks(
  options: OwnTestsOptions,
  imageId: string,
  commands: readonly TestCommand[],
): Promise<string | null> {
  const { engine, workdir } = options;
  let container: string;
  try {
    container = await startTestContainer(options, imageId, options.baseCommit);
  } catch (cause) {
    return `what it takes to start (${(cause as Error).message})`;
  }
  try {
    return await missingIn(engine, container, workdir, commands);
  } finally {
    await engine.remove(container);
  }
}

async function missingIn(
  engine: Engine,
  container: string,
  workdir: string,
  commands: readonly TestCommand[],
): Promise<string | null> {
  const tools = [...new Set(commands.map((command) => command.argv[0] ?? ''))];
  for (const tool of tools) {
    const found = await engine.exec(container, ['sh', '-c', `command -v ${tool}`], { workdir });
    if (found.exitCode !== 0) return `the program ${tool}`;
  }
  for (const name of new Set(commands.flatMap((command) => command.needs))) {
    const path = `node_modules/${name}/package.json`;
    const found = await engine.exec(container, ['test', '-e', path], { workdir });
    if (found.exitCode !== 0) return `the package ${name}`;
  }
  return null;
}

/** Which commands a repository declares for its own tests, types and style. */
import type { Repository } from '../git/repository.ts';

export interface TestCommand {
  /** `test`, or the name of the script. */
  name: string;
  argv: string[];
  env: Record<string, string>;
  /** Packages that must be installed for it to run; empty when that cannot be told. */
  needs: string[];
}

const scripts = ['test', 'typecheck', 'type-check', 'check-types', 'types', 'lint'];
const placeholder = /no test specified/;

/** In the order in which they are run; empty when the repository declares none. */
export async function testCommands(repository: Repository, commit: string): Promise<TestCommand[]> {
  const manifest = await readJson(repository, commit, 'package.json');
  if (manifest !== null) return scriptCommands(manifest);
  const paths = (await repository.tree(commit)).map((entry) => entry.path);
  if (paths.includes('go.mod') && paths.some((path) => path.endsWith('_test.go'))) {
    return [command('test', ['go', 'test', '-v', './...'])];
  }
  if (paths.some((path) => /(^|\/)(test_[^/]+|[^/]+_test)\.py$/.test(path))) {
    return [command('test', ['python', '-m', 'pytest', '-v', '-p', 'no:cacheprovider'])];
  }
  return [];
}

function scriptCommands(manifest: Record<string, unknown>): TestCommand[] {
  const declared = (manifest.scripts ?? {}) as Record<string, string>;
  const needs = Object.keys((manifest.devDependencies ?? {}) as Record<string, string>);
  return scripts
    .filter((name) => typeof declared[name] === 'string' && !placeholder.test(declared[name]))
    .map((name) => ({ ...command(name, ['npm', 'run', '--silent', name]), needs }));
}

function command(name: string, argv: string[]): TestCommand {
  return { name, argv, env: {}, needs: [] };
}

async function readJson(
  repository: Repository,
  commit: string,
  path: string,
): Promise<Record<string, unknown> | null> {
  const bytes = await repository.read(commit, path);
  if (bytes === null) return null;
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Check 7: the repository's own tests, on the old code twice and then on the patched. */
import type { Engine, ExecResult } from '../engine/engine.ts';
import type { Repository } from '../git/repository.ts';
import { type Answer, fail, pass, unknown } from './answer.ts';
import { type TestCommand, testCommands } from './test-command.ts';
import { startTestContainer } from './test-container.ts';
import { findTestImage } from './test-image.ts';
import { type TestResult, testResults } from './test-output.ts';

export interface OwnTestsOptions {
  engine: Engine;
  repository: Repository;
  baseCommit: string;
  patchedCommit: string;
  /** Image of the base commit, as it was deployed. */
  imageId: string;
  /** Image of the patched commit, built the same way. */
  patchedImageId: string;
  workdir: string;
  dockerfile: string;
  labels: Record<string, string>;
  timeoutMs: number;
  memoryBytesMax: number;
  onProgress: (text: string) => void;
}

/** One run of all commands at one commit. */
interface Run {
  results: Map<string, TestResult>;
  /** Exit status by command name. */
  exits: Map<string, number>;
  timedOut: boolean;
  tail: string;
}

/**
 * Runs tests, type checks and linters that the repository declares, in the image that the code
 * was built in, without network. Nothing declared passes, and says so.
 */
export async function judgeOwnTests(options: OwnTestsOptions): Promise<Answer> {
  const { repository, baseCommit, patchedCommit } = options;
  const commands = await testCommands(repository, baseCommit);
  if (commands.length === 0) return pass('the repository has no tests of its own to run');
  const image = await findTestImage(options, commands);
  if (image.kind === 'none') return unknown(`its tests cannot be run here: ${image.reason}`);
  try {
    options.onProgress('running the tests on the old code, twice');
    const old = await image.imageOf(baseCommit);
    if ('failure' in old) return unknown(`its tests cannot be run here: ${old.failure}`);
    const first = await runAll(options, old.id, baseCommit, commands);
    const second = await runAll(options, old.id, baseCommit, commands);
    options.onProgress('running the tests on the patched code');
    const renewed = await image.imageOf(patchedCommit);
    if ('failure' in renewed) return unknown(`its tests cannot be built: ${renewed.failure}`);
    const patched = await runAll(options, renewed.id, patchedCommit, commands);
    return compare([first, second], patched);
  } finally {
    await image.release();
  }
}

/** Exported for its test: what two runs of old code and one of new add up to. */
export function compare(old: [Run, Run], patched: Run): Answer {
  if (old.some((run) => run.timedOut)) return unknown('the tests of the old code do not end');
  // A loaded machine is slow, too; either way nothing is proven.
  if (patched.timedOut) return unknown('the tests of the patched code do not end in time');
  const [first, second] = old;
  const steady = [...first.results].filter(([name, result]) => second.results.get(name) === result);
  const flaky = first.results.size - steady.length;
  for (const [name, result] of steady) {
    const now = patched.results.get(name);
    if (result !== 'pass' || now === 'pass') continue;
    if (now === undefined) return fail(`a test vanished: ${quoted(name)}`);
    return fail(
      `a test that passed now ${now === 'fail' ? 'fails' : 'is skipped'}: ${quoted(name)}`,
    );
  }
  for (const [command, exit] of first.exits) {
    if (exit !== 0 || second.exits.get(command) !== 0) continue;
    const now = patched.exits.get(command);
    if (now !== 0) return fail(`${command} passed before and now ends with status ${now}`);
  }
  const broken = [...first.exits].filter(([, exit]) => exit !== 0).map(([command]) => command);
  const passing = steady.filter(([, result]) => result === 'pass').length;
  if (passing === 0 && broken.length > 0) {
    return unknown(`${broken.join(' and ')} fails on the old code already: ${quoted(first.tail)}`);
  }
  const said = [passing === 1 ? '1 test passes as before' : `${passing} tests pass as before`];
  if (flaky > 0) said.push(`${flaky} unsteady ones left out`);
  if (broken.length > 0) said.push(`${broken.join(' and ')} fails as before`);
  const others = [...first.exits.keys()].filter((name) => name !== 'test');
  if (others.length > 0) said.push(`${others.join(', ')} no worse`);
  return pass(said.join(', '));
}

async function runAll(
  options: OwnTestsOptions,
  imageId: string,
  commit: string,
  commands: readonly TestCommand[],
): Promise<Run> {
  const { engine } = options;
  const container = await startTestContainer(options, imageId, commit);
  try {
    const run: Run = { results: new Map(), exits: new Map(), timedOut: false, tail: '' };
    for (const command of commands) {
      const result = await execute(options, container, command);
      run.exits.set(command.name, result.exitCode);
      run.timedOut ||= result.timedOut;
      const output = `${result.stdout}\n${result.stderr}`;
      if (command.name === 'test') run.results = testResults(output);
      if (result.exitCode !== 0) run.tail = output.trim().split('\n').slice(-3).join(' | ');
    }
    return run;
  } finally {
    await engine.remove(container);
  }
}

function execute(
  options: OwnTestsOptions,
  container: string,
  command: TestCommand,
): Promise<ExecResult> {
  return options.engine.exec(container, command.argv, {
    workdir: options.workdir,
    env: { CI: 'true', NO_COLOR: '1', NODE_ENV: 'test', ...command.env },
    timeoutMs: options.timeoutMs,
    outputBytesMax: 4 << 20,
  });
}

function quoted(text: string): string {
  return `"${text.replace(/\s+/g, ' ').slice(0, 120)}"`;
}

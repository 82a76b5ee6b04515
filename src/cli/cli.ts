/** The command line: what users and scripts type. docs/cli.md documents every command. */
import { realpathSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CommandError, exitCodes } from './client.ts';
import { appCommands } from './commands/apps.ts';
import { changeCommands } from './commands/changes.ts';
import { issueCommands } from './commands/issues.ts';
import { recordingCommands } from './commands/recordings.ts';
import { serverCommands } from './commands/server.ts';
import type { LocalCommands } from './context.ts';
import { contextOf } from './context.ts';
import { clean, jsonText } from './terminal.ts';

export type { LocalCommands } from './context.ts';

/**
 * Runs one command; resolves with the exit status: 0 done, 1 the asked thing failed, 2 usage,
 * 3 no server. `argv` begins with the command. `local` is what main.ts adds.
 */
export async function runCli(argv: string[], local: LocalCommands | null = null): Promise<number> {
  const program = programOf(local);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? exitCodes.done);
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    }
    if (!(error instanceof CommandError)) throw error;
    const { code, message } = error;
    const { json } = program.opts<{ json?: boolean }>();
    if (json) process.stdout.write(`${jsonText({ error: { code, message } })}\n`);
    process.stderr.write(`fixpoint: ${clean(message)}\n`);
    return error.exitCode;
  }
}

function programOf(local: LocalCommands | null): Command {
  const program = new Command('fixpoint')
    .description('Deploys apps, and proposes bugfixes that it can prove.')
    .option('--json', 'answer with JSON, for scripts')
    .option('--url <url>', 'where the server is (FIXPOINT_URL)')
    .option('--token <token>', 'authenticates (FIXPOINT_TOKEN)')
    .option('--data <folder>', "the server's data directory on this machine (FIXPOINT_DATA)")
    .exitOverride()
    .configureHelp({ helpWidth: 100, showGlobalOptions: false })
    .showSuggestionAfterError(true)
    .showHelpAfterError('(fixpoint --help lists the commands)');
  const context = contextOf(program, local);
  serverCommands(program, context);
  appCommands(program, context);
  issueCommands(program, context);
  changeCommands(program, context);
  recordingCommands(program, context);
  for (const command of allOf(program)) acceptGlobals(command);
  return program;
}

/** `fixpoint issues --json` and `fixpoint --json issues` are the same. */
function acceptGlobals(command: Command): void {
  command.exitOverride();
  for (const option of command.parent ? rootOf(command).options : []) {
    if (!command.options.some((own) => own.long === option.long)) {
      command.addOption(Object.assign(Object.create(option), { hidden: true }));
    }
  }
  command.hook('preAction', (_, acting) => {
    const root = rootOf(acting);
    for (const [name, value] of Object.entries(acting.opts())) {
      if (root.options.some((option) => option.attributeName() === name)) {
        root.setOptionValue(name, value);
      }
    }
  });
}

function rootOf(command: Command): Command {
  return command.parent ? rootOf(command.parent) : command;
}

function allOf(command: Command): Command[] {
  return command.commands.flatMap((inner) => [inner, ...allOf(inner)]);
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === import.meta.filename) {
  process.exitCode = await runCli(process.argv.slice(2));
}

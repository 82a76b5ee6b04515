/** Commands about the server itself: up, status, doctor, token. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Diagnosis, Status } from '../../api/contract.ts';
import { isoOf, nearest } from '../../api/contract.ts';
import { CommandError, dataDirOf, exitCodes } from '../client.ts';
import type { Context, LocalCommands } from '../context.ts';
import { ago, duration, paint, table } from '../terminal.ts';

export function serverCommands(program: Command, context: Context): void {
  program
    .command('up')
    .description('start the server here; every setting of docs/operations.md is an option')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_options, command: Command) => {
      process.exitCode = await localOf(context).up(flagsIn(command.args));
    });

  program
    .command('down')
    .description('stop the apps and remove what runs for them; stored data stays')
    .action(async () => {
      process.exitCode = await localOf(context).down();
    });

  program
    .command('status')
    .description('what the server is doing, part by part')
    .action(async () => {
      const status = await (await context.client()).get<Status>('/status');
      context.answer(status, statusPage);
      if (status.parts.some((part) => part.state === 'down')) context.fail();
    });

  program
    .command('doctor')
    .description('whether this machine has what the server needs, and how to mend it')
    .action(async () => {
      const diagnoses = await diagnosesOf(context);
      context.answer({ diagnoses }, () => doctorPage(diagnoses));
      if (diagnoses.some((one) => one.answer === 'failed')) context.fail();
    });

  program
    .command('token')
    .description('print the token, for git push and for other machines')
    .action(async () => {
      const { data, token } = context.options();
      const path = join(dataDirOf(data), 'token');
      const found =
        token ?? process.env.FIXPOINT_TOKEN ?? (await readFile(path, 'utf8').catch(none));
      if (found === null) {
        const text = `No token: ${path} cannot be read.`;
        throw new CommandError(text, exitCodes.failed, 'no-token');
      }
      context.answer({ token: found.trim() }, (answer) => answer.token);
    });
}

/** `--data` means the same to what runs here as FIXPOINT_DATA does. */
function localOf(context: Context): LocalCommands {
  const { data } = context.options();
  if (data !== undefined) process.env.FIXPOINT_DATA = data;
  if (context.local) return context.local;
  throw new Error('This command is part of the server: main.ts runs it.');
}

/** The server's own view when it answers, else this machine's. */
async function diagnosesOf(context: Context): Promise<Diagnosis[]> {
  try {
    const answer = await (await context.client()).get<{ diagnoses: Diagnosis[] }>('/doctor');
    return answer.diagnoses;
  } catch (error) {
    const away = error instanceof CommandError && error.exitCode === exitCodes.unreachable;
    if (!away || !context.local) throw error;
    return localOf(context).doctor();
  }
}

/** `--api-port 7071 --fix-automatic=no` as a map; a name without a value is `true`. */
function flagsIn(args: string[]): Record<string, string | boolean> {
  const flags: Record<string, string | boolean> = {};
  for (let at = 0; at < args.length; at += 1) {
    const [, name, value] = /^--([\w.-]+)(?:=(.*))?$/s.exec(args[at]!) ?? [];
    if (name === undefined) {
      const near = nearest(args[at]!, ['--api-port', '--router-port', '--data-dir', '--config']);
      const text = `"${args[at]}" is no option of "fixpoint up" (like ${near}).`;
      throw new CommandError(text, exitCodes.usage, 'usage');
    }
    const next = args[at + 1];
    if (value !== undefined) flags[name] = value;
    else if (next !== undefined && !next.startsWith('--')) {
      flags[name] = next;
      at += 1;
    } else flags[name] = true;
  }
  return flags;
}

function statusPage(status: Status): string {
  const { version, pid, startedAt } = status;
  const head = `Fixpoint ${version}, process ${pid}, started ${ago(startedAt)}`;
  const rows = status.parts.map((part) => [part.name, part.state, part.says]);
  const colours: Record<string, 'green' | 'yellow' | 'red'> = {
    ok: 'green',
    degraded: 'yellow',
    down: 'red',
  };
  const body = table(['PART', 'STATE', ''], rows, { 1: (text) => colours[text] ?? null });
  return `${head}\nData in ${status.dataDir}\n\n${body}${interruptionsText(status)}`;
}

/** Interruptions that the page shows; `--json` has more. */
const interruptionsShown = 20;

function interruptionsText({ interruptions, interruptionsCount }: Status): string {
  if (interruptions.length === 0) return '';
  const more = interruptionsCount - interruptionsShown;
  const rows = interruptions
    .slice(0, interruptionsShown)
    .map(({ from, to, reason }) => [
      isoOf(from),
      to === null ? 'lasts' : duration((to - from) / 1000),
      reason,
    ]);
  const rest = more > 0 ? `\n... and ${more} earlier ones of the last day` : '';
  return `\n\n${table(['NOT RECORDED FROM', 'FOR', 'BECAUSE'], rows)}${rest}`;
}

function doctorPage(diagnoses: Diagnosis[]): string {
  const marks = {
    ok: paint('green', 'ok     '),
    warning: paint('yellow', 'warning'),
    failed: paint('red', 'failed '),
  };
  return diagnoses
    .map(({ name, answer, says, remedy }) => {
      const line = `${marks[answer]}  ${name}: ${says}`;
      return remedy === null ? line : `${line}\n         mend it: ${remedy}`;
    })
    .join('\n');
}

function none(): null {
  return null;
}

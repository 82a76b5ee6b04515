/** What every command shares: the client, and the two ways to answer (for people, as JSON). */
import type { Command } from 'commander';
import type { Diagnosis } from '../api/contract.ts';
import type { Client, ClientOptions } from './client.ts';
import { connect, exitCodes } from './client.ts';
import { jsonText, oneLine, paint } from './terminal.ts';

/** What runs on this machine without a server; main.ts provides it. */
export interface LocalCommands {
  /** Runs the server until it is told to stop; resolves with the exit status. */
  up(flags: Record<string, string | boolean>): Promise<number>;
  /** Stops and removes the apps and everything else that runs; the data stays. */
  down(): Promise<number>;
  /** Looks at this machine when no server answers. */
  doctor(): Promise<Diagnosis[]>;
}

export interface Context {
  client(): Promise<Client>;
  options(): ClientOptions & { json?: boolean };
  /** Prints `value` with --json, else what `page` makes of it. */
  answer<T>(value: T, page: (value: T) => string): void;
  /** Says on stderr what long work is doing. */
  progress(text: string): void;
  /** Ends the command with "the asked thing failed" after its answer was printed. */
  fail(): void;
  local: LocalCommands | null;
}

export function contextOf(program: Command, local: LocalCommands | null): Context {
  const options = () => program.opts<ClientOptions & { json?: boolean }>();
  return {
    client: () => connect(options()),
    options,
    answer(value, page) {
      process.stdout.write(`${options().json ? jsonText(value) : page(value)}\n`);
    },
    progress(text) {
      process.stderr.write(`${paint('dim', '·')} ${oneLine(text)}\n`);
    },
    fail() {
      process.exitCode = exitCodes.failed;
    },
    local,
  };
}

/** Where the program begins: the command line, and the commands that need no running server. */
import { mkdir } from 'node:fs/promises';
import { runCli } from './cli/cli.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { dockerEngine } from './engine/docker.ts';
import { replayerDefaults } from './replay/replayer.ts';
import { doctor } from './server/doctor.ts';
import { removeEverything, startServer } from './server/server.ts';

/** Exit status for settings that are wrong; 1 is for everything else that does not start. */
const wrongSettings = 2;

process.exitCode = await runCli(process.argv.slice(2), {
  up: (flags) => orWords(async () => up(await loadConfig({ env: process.env, flags }))),
  down: () =>
    orWords(async () => {
      await removeEverything(await loadConfig({ env: process.env, flags: {} }));
      return 0;
    }),
  doctor: async () => {
    const { dataDir, engine } = await loadConfig({ env: process.env, flags: {} });
    await mkdir(dataDir, { recursive: true });
    const { sandboxImage } = replayerDefaults;
    const docker = dockerEngine({ host: `unix://${engine.socket}` });
    return doctor({ engine: docker, engineSocket: engine.socket, dataDir, sandboxImage });
  },
});

/** Runs until it is told to stop; a second signal does not wait for anything. */
async function up(config: Config): Promise<number> {
  const startedAt = performance.now();
  const say = (text: string) => process.stdout.write(`${text}\n`);
  let onFatal = (_words: string): void => {};
  const ended = new Promise<number>((resolve) => {
    process.once('SIGINT', () => resolve(0)).once('SIGTERM', () => resolve(0));
    onFatal = (words) => {
      process.stderr.write(`fixpoint: ${words}\n`);
      resolve(1);
    };
    process.on('uncaughtException', (error) => onFatal(error.stack ?? error.message));
  });
  const server = await startServer(config, { say, onFatal: (words) => onFatal(words) });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const { port } = config.router;
  say(`Fixpoint is up at ${server.url} after ${seconds} s; apps are served on port ${port}.`);
  const code = await ended;
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
  await server.close();
  process.exit(code);
}

async function orWords(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    process.stderr.write(`fixpoint: ${wordsOf(error)}\n`);
    return error instanceof ConfigError ? wrongSettings : 1;
  }
}

/** An error with its causes, in words. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n  ${wordsOf(error.cause)}`;
}

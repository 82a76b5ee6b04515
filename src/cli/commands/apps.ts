/** Commands about apps: making them, their configuration, deployments and logs. */
import type { Command } from 'commander';
import type {
  App,
  Deployment,
  DeploymentLog,
  Env,
  EnvChanged,
  LogLine,
} from '../../api/contract.ts';
import { isoOf } from '../../api/contract.ts';
import type { Client } from '../client.ts';
import { CommandError, exitCodes } from '../client.ts';
import type { Context } from '../context.ts';
import { ago, clean, duration, jsonText, paint, size, table } from '../terminal.ts';

export function appCommands(program: Command, context: Context): void {
  const apps = program
    .command('apps')
    .description('list the apps')
    .action(async () => {
      const answer = await (await context.client()).get<{ apps: App[] }>('/apps');
      context.answer(answer, appsPage);
    });

  apps
    .command('create')
    .description('make an app and print the git remote to push to')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .option('--branch <branch>', 'the branch that is production', 'main')
    .action(async (name: string, options: { branch: string }) => {
      const client = await context.client();
      const body = { name, defaultBranch: options.branch };
      const { app } = await client.send<{ app: App }>('POST', '/apps', body);
      const remote = remoteOf(app, client);
      context.answer({ app, remote }, () => createdPage(app, remote));
    });

  apps
    .command('show')
    .description('one app, with where to push it and where it is reached')
    .argument('<name>')
    .action(async (name: string) => {
      const client = await context.client();
      const { app } = await client.get<{ app: App }>(`/apps/${encodeURIComponent(name)}`);
      const remote = remoteOf(app, client);
      context.answer(
        { app, remote },
        () => `${app.name}  ${app.url}\n\n${createdPage(app, remote)}\n\n${recordedText(app)}`,
      );
    });

  envCommand(program, context);
  logsCommand(program, context);

  program
    .command('deployments')
    .description('the deployments of an app, newest first')
    .argument('<app>')
    .option('--log <id>', 'print the log of one of them')
    .action(async (app: string, options: { log?: string }) => {
      const client = await context.client();
      if (options.log !== undefined) {
        const path = `/deployments/${encodeURIComponent(options.log)}`;
        const answer = await client.get<DeploymentLog>(path);
        return context.answer(answer, ({ lines }) => lines.map(clean).join('\n'));
      }
      const path = `/apps/${encodeURIComponent(app)}/deployments`;
      const answer = await client.get<{ deployments: Deployment[] }>(path);
      context.answer(answer, deploymentsPage);
    });
}

function envCommand(program: Command, context: Context): void {
  program
    .command('env')
    .description('an app\'s configuration: "env APP", "env APP set K=V ...", "env APP unset K ..."')
    .argument('<app>')
    .argument('[action]', 'set or unset')
    .argument('[values...]', 'K=V to set, K to unset')
    .option('--reveal', 'show the values')
    .action(async (first: string, second: string | undefined, rest: string[], options) => {
      const swapped = (first === 'set' || first === 'unset') && second !== undefined;
      const [app, action] = swapped ? [second, first] : [first, second];
      const path = `/apps/${encodeURIComponent(app)}/env`;
      const client = await context.client();
      if (action === undefined) {
        const env = await client.get<Env>(`${path}${options.reveal ? '?reveal=1' : ''}`);
        return context.answer(env, envPage);
      }
      const changes = changesIn(action, rest);
      const progress = context.progress;
      const answer = await client.stream<EnvChanged>('PATCH', path, {
        body: { changes },
        progress,
      });
      const { deployment } = answer;
      const ending = deployment ? `, deployment ${deployment.id}: ${deployment.status}` : '';
      context.answer(answer, () => `Configuration of ${app}: version ${answer.version}${ending}`);
      if (deployment && deployment.status !== 'serving') context.fail();
    });
}

function logsCommand(program: Command, context: Context): void {
  program
    .command('logs')
    .description('what the instances of an app wrote')
    .argument('<app>')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('-n, --lines <count>', 'how many of the last lines', '200')
    .action(async (app: string, options: { follow?: boolean; lines: string }) => {
      const client = await context.client();
      const leaving = new AbortController();
      process.once('SIGINT', () => leaving.abort());
      const query = new URLSearchParams({
        follow: options.follow ? '1' : '0',
        lines: options.lines,
      });
      const { json } = context.options();
      const log = (line: LogLine) =>
        process.stdout.write(`${json ? oneJson(line) : logText(line)}\n`);
      const path = `/apps/${encodeURIComponent(app)}/logs?${query}`;
      await client
        .stream('GET', path, { log: log as (line: object) => void, signal: leaving.signal })
        .catch((error) => {
          if (!leaving.signal.aborted) throw error;
        });
    });
}

/** Git's own form: the token is the user, so that a push asks nothing. */
function remoteOf(app: App, client: Client): string {
  const url = new URL(app.gitUrl);
  url.username = client.token;
  return url.toString();
}

function changesIn(action: string, values: string[]): Record<string, string | null> {
  const usage = (text: string) => new CommandError(text, exitCodes.usage, 'usage');
  if (action !== 'set' && action !== 'unset') throw usage(`"${action}" is neither set nor unset.`);
  if (values.length === 0) throw usage(`What is to be ${action === 'set' ? 'set' : 'unset'}?`);
  return Object.fromEntries(
    values.map((text) => {
      if (action === 'unset') return [text, null];
      const at = text.indexOf('=');
      if (at < 1) throw usage(`"${text.slice(0, 20)}" is not of the form NAME=VALUE.`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Whether all of it is recorded, and if not, what is missing. */
function recordedText({ degradations, serving }: App): string {
  if (serving === null) return 'Nothing of it runs, so nothing is recorded.';
  if (degradations.length === 0) return 'All of its traffic is recorded.';
  const lines = degradations.flatMap(({ kind, reason, since, count, bytes }) => {
    const much = bytes === 0 ? '' : `, ${size(bytes)}`;
    return [`  ${reason}`, `    ${kind}: ${count} x${much}, since ${isoOf(since)}`];
  });
  return ['Not recorded:', ...lines].join('\n');
}

function appsPage({ apps }: { apps: App[] }): string {
  if (apps.length === 0) return 'No apps yet. Make one: fixpoint apps create NAME';
  const rows = apps.map(({ name, url, serving }) => [
    name,
    serving ? `release ${serving.releaseNumber}` : 'not deployed',
    serving ? `${serving.commit.slice(0, 10)}, ${ago(serving.endedAt ?? serving.startedAt)}` : '',
    url,
  ]);
  return table(['APP', 'SERVING', 'COMMIT', 'URL'], rows);
}

function createdPage(app: App, remote: string): string {
  return [
    `git remote add fixpoint ${remote}`,
    `git push fixpoint ${app.defaultBranch}`,
    paint('dim', '# The remote holds the token: it is for you only.'),
  ].join('\n');
}

function envPage({ version, values }: Env): string {
  const lines = Object.entries(values).map(([name, value]) => `${name}=${clean(value)}`);
  const head = version === 0 ? 'No configuration yet.' : `# version ${version}`;
  return [paint('dim', head), ...lines].join('\n');
}

function deploymentsPage({ deployments }: { deployments: Deployment[] }): string {
  if (deployments.length === 0) return 'No deployments yet: push something.';
  const rows = deployments.map((one) => [
    one.id,
    one.status,
    one.releaseNumber === null ? '-' : String(one.releaseNumber),
    `${one.branch} ${one.commit.slice(0, 10)}`,
    ago(one.startedAt),
    one.endedAt === null ? '' : duration((one.endedAt - one.startedAt) / 1000),
    one.reason ?? '',
  ]);
  const heads = ['ID', 'STATUS', 'RELEASE', 'COMMIT', 'BEGAN', 'TOOK', 'REASON'];
  return table(heads, rows, {
    1: (text) => (text === 'serving' ? 'green' : text === 'failed' ? 'red' : null),
  });
}

function logText(line: LogLine): string {
  const time = paint('dim', isoOf(line.at).slice(11, 23));
  return `${time} ${line.stream === 'stderr' ? paint('red', 'err') : 'out'} ${clean(line.text)}`;
}

function oneJson(line: LogLine): string {
  return jsonText(line).replace(/\n */g, '');
}

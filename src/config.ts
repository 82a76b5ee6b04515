/** Exists so that every setting is written down once: its name, default, unit, and what it does. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { guardrailRules } from './domain/guardrails.ts';
import { nearest } from './domain/nearest.ts';
import { recordLimits } from './record/types.ts';
import { replayLimits } from './replay/replay.ts';

type Unit = 'ms' | 'bytes' | 'days' | 'USD' | 'port' | 'tokens' | null;

const leaf = <S extends z.ZodType>(schema: S, initial: z.output<S>, unit: Unit, says: string) =>
  schema.default(initial as never).meta({ unit, says, initial });
const count = (initial: number, says: string) => leaf(z.number().int().min(1), initial, null, says);
const ms = (initial: number, says: string) => leaf(z.number().int().min(1), initial, 'ms', says);
const bytes = (initial: number, says: string) =>
  leaf(z.number().int().min(1024), initial, 'bytes', says);
const port = (initial: number, says: string) =>
  leaf(z.number().int().min(0).max(65_535), initial, 'port', says);
const text = (initial: string, says: string) => leaf(z.string().min(1), initial, null, says);
const maybe = (says: string) => leaf(z.string().min(1).nullable(), null, null, says);
const yes = (initial: boolean, says: string) => leaf(z.boolean(), initial, null, says);

const schema = z.strictObject({
  dataDir: text('~/.fixpoint', 'Folder that holds everything the server keeps.'),
  databaseUrl: maybe('A PostgreSQL (15 or newer) to use instead of the embedded one.'),
  logLevel: leaf(z.enum(['debug', 'info', 'warn', 'error']), 'info', null, 'What is logged.'),
  api: z.strictObject({
    host: text('127.0.0.1', 'Address that the API and git pushes are served on.'),
    port: port(7070, 'Port of the API and of git pushes.'),
    publicUrl: maybe('How others reach the API, when that is not http://HOST:PORT.'),
  }),
  router: z.strictObject({
    host: text('0.0.0.0', 'Address that the users of the apps come in through.'),
    port: port(8080, 'Port that the users of the apps come in through.'),
    domain: text('localhost', 'An app is served as APP.DOMAIN.'),
  }),
  engine: z.strictObject({
    socket: text('/var/run/docker.sock', "Path of the Docker Engine's socket."),
  }),
  deploy: z.strictObject({
    buildTimeoutMs: ms(900_000, 'How long a build may take.'),
    healthPath: text('/', 'Path asked by the health gate; a status below 500 is healthy.'),
    healthTimeoutMs: ms(60_000, 'How long an instance may take to become healthy.'),
    drainMs: ms(10_000, 'How long old instances may finish their requests after the switch.'),
    memoryBytesMax: bytes(512 << 20, 'Memory of one instance.'),
    processesMax: count(512, 'Processes and threads of one instance.'),
  }),
  record: z.strictObject({
    windowMs: ms(recordLimits.windowMs, 'How far back the traffic of an instance is held.'),
    windowBytesMax: bytes(recordLimits.windowBytesMax, 'Traffic held of one instance.'),
    totalBytesMax: bytes(recordLimits.totalBytesMax, 'Traffic held of all instances together.'),
    bodyBytesMax: bytes(recordLimits.bodyBytesMax, 'Largest body that is recorded whole.'),
    samplesPerRoute: count(
      recordLimits.samplesPerRoute,
      'Successful requests kept of each route and release.',
    ),
  }),
  retention: z.strictObject({
    recordingDays: leaf(z.number().min(1), 30, 'days', 'How long recordings are kept.'),
    recordingsBytesMax: bytes(10 * 2 ** 30, 'Disk space of all recordings together.'),
    releasesPerApp: count(10, 'Images kept of each app, the serving one not counted.'),
  }),
  replay: z.strictObject({
    sandboxesMax: count(1, 'Replays that run at once.'),
    bootTimeoutMs: ms(replayLimits.bootTimeoutMs, 'How long an app may take to start.'),
    answerTimeoutMs: ms(replayLimits.answerTimeoutMs, 'How long it may take to answer.'),
    settleMs: ms(replayLimits.settleMs, 'How long late log lines and calls are waited for.'),
  }),
  fix: z.strictObject({
    automatic: yes(true, 'Whether a new issue is reproduced and fixed without being asked.'),
    templates: yes(true, 'Whether the built-in templates propose patches.'),
    candidatesMax: count(12, 'Patches that are verified for one issue.'),
    timeoutMs: ms(1_800_000, 'How long the work on one issue may take.'),
    filesMax: count(guardrailRules.filesMax, 'Files that a patch may touch.'),
    changedLinesMax: count(guardrailRules.changedLinesMax, 'Lines that a patch may change.'),
    testTimeoutMs: ms(300_000, "How long the repository's own tests may take."),
  }),
  model: z.strictObject({
    provider: leaf(
      z.enum(['none', 'anthropic', 'openai', 'openai-compatible']),
      'none',
      null,
      'Whose language model proposes patches. Its key: FIXPOINT_MODEL_API_KEY.',
    ),
    name: maybe('Name of the model, as its provider writes it.'),
    baseUrl: maybe('Where an OpenAI-compatible server answers, `/v1` included.'),
    samplesMax: count(3, 'Patches asked of the model for one issue.'),
    outputTokensMax: leaf(z.number().int().min(256), 8192, 'tokens', 'Length of one answer.'),
    timeoutMs: ms(120_000, 'How long one answer may take.'),
    costUsdMax: leaf(z.number().min(0), 1, 'USD', 'What the work on one issue may cost.'),
  }),
});

/** All settings, checked. Secrets that are only ever in the environment are in `modelApiKey`. */
export type Config = z.output<typeof schema> & { modelApiKey: string | null };

/** One line of the table in docs/operations.md. */
export interface Setting {
  /** As in the file: `api.port`. */
  key: string;
  /** Name in the environment. */
  variable: string;
  /** Name on the command line. */
  flag: string;
  initial: unknown;
  unit: Unit;
  says: string;
}

/** Something in the settings is wrong; each problem names where it was found. */
export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export const settings: readonly Setting[] = settingsOf(schema, '');

/** Variables of ours that are no settings: they are read by the client, or name the file. */
const otherVariables = [
  'FIXPOINT_CONFIG',
  'FIXPOINT_MODEL_API_KEY',
  'FIXPOINT_TOKEN',
  'FIXPOINT_URL',
];

/**
 * Reads the settings: flags win over the environment, which wins over the file (`--config`,
 * FIXPOINT_CONFIG, or `fixpoint.json` in the data directory), which wins over the defaults.
 * @throws ConfigError with all problems at once
 */
export async function loadConfig(options: {
  env: Record<string, string | undefined>;
  /** `{'api-port': '7071'}` or `{'api.port': '7071'}`. */
  flags: Record<string, string | boolean>;
}): Promise<Config> {
  const { config: configFlag, ...flags } = options.flags;
  const problems: string[] = [];
  const found = new Map<string, { value: unknown; source: string }>();
  const take = (key: string, value: unknown, source: string) => found.set(key, { value, source });

  const variables = variablesIn(options.env, problems);
  const asked = configFlag ?? options.env.FIXPOINT_CONFIG;
  const flagged = flagsIn(flags, problems);
  const early = { ...variables, ...flagged }.dataDir ?? schema.shape.dataDir.parse(undefined);
  const path = asked ? String(asked) : join(expanded(String(early)), 'fixpoint.json');
  const file = await fileAt(path, { mustExist: Boolean(asked), problems });
  for (const [key, value] of Object.entries(file)) take(key, value, path);
  for (const [key, value] of Object.entries(variables)) take(key, value, 'the environment');
  for (const [key, value] of Object.entries(flagged)) take(key, value, 'the command line');

  const nested: Record<string, unknown> = {};
  for (const setting of settings) {
    const entry = found.get(setting.key);
    put(nested, setting.key, entry === undefined ? undefined : readable(entry.value, setting));
  }
  const parsed = schema.safeParse(nested);
  for (const issue of parsed.error?.issues ?? []) {
    const key = issue.path.join('.');
    const entry = found.get(key);
    problems.push(`${entry?.source}: ${key} is ${JSON.stringify(entry?.value)}: ${issue.message}.`);
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  const config = parsed.data;
  if (config.model.provider !== 'none' && config.model.name === null) {
    throw new ConfigError([`model.provider is ${config.model.provider}: set model.name, too.`]);
  }
  if (config.model.provider === 'openai-compatible' && config.model.baseUrl === null) {
    throw new ConfigError(['model.provider is openai-compatible: set model.baseUrl, too.']);
  }
  const dataDir = resolve(expanded(config.dataDir));
  return { ...config, dataDir, modelApiKey: options.env.FIXPOINT_MODEL_API_KEY ?? null };
}

/** The table of docs/operations.md; a test compares the two. */
export function settingsTable(): string {
  const rows = settings.map((setting) => {
    const { initial, unit } = setting;
    const shown = initial === null ? 'none' : unit === 'bytes' ? sizeText(initial) : initial;
    const inUnit = unit === null || unit === 'bytes' || unit === 'port' ? '' : ` ${unit}`;
    return `| \`${setting.key}\` | \`${setting.variable}\` | ${shown}${inUnit} | ${setting.says} |`;
  });
  return ['| setting | variable | default | what it does |', '|---|---|---|---|', ...rows].join(
    '\n',
  );
}

function settingsOf(object: z.ZodObject, prefix: string): Setting[] {
  return Object.entries(object.shape as Record<string, z.ZodType>).flatMap(([name, schema]) => {
    const key = prefix + name;
    if (schema instanceof z.ZodObject) return settingsOf(schema, `${key}.`);
    const { unit, says, initial } = schema.meta() as Pick<Setting, 'unit' | 'says' | 'initial'>;
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('.', '-');
    const variable =
      key === 'dataDir' ? 'FIXPOINT_DATA' : `FIXPOINT_${flag.replaceAll('-', '_').toUpperCase()}`;
    return [{ key, variable, flag: `--${flag}`, initial, unit, says }];
  });
}

function variablesIn(env: Record<string, string | undefined>, problems: string[]) {
  const values: Record<string, string> = {};
  if (env.DATABASE_URL) values.databaseUrl = env.DATABASE_URL;
  const names = settings.map((setting) => setting.variable);
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('FIXPOINT_') || value === undefined) continue;
    const setting = settings.find((one) => one.variable === name);
    if (setting) values[setting.key] = value;
    else if (!otherVariables.includes(name) && !name.startsWith('FIXPOINT_TEST_')) {
      const near = nearest(name, [...names, ...otherVariables]);
      problems.push(`the environment: there is no setting ${name}; the nearest is ${near}.`);
    }
  }
  return values;
}

function flagsIn(flags: Record<string, string | boolean>, problems: string[]) {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(flags)) {
    const flag = `--${name.replace(/^--/, '')}`;
    const setting = settings.find((one) => one.flag === flag || one.key === name);
    if (setting) values[setting.key] = value;
    else {
      const near = nearest(flag, ['--config', ...settings.map((one) => one.flag)]);
      problems.push(`the command line: there is no option ${flag}; the nearest is ${near}.`);
    }
  }
  return values;
}

async function fileAt(
  path: string,
  options: { mustExist: boolean; problems: string[] },
): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  try {
    flatten(JSON.parse(await readFile(path, 'utf8')), '', values);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || options.mustExist) options.problems.push(`${path}: ${message}`);
  }
  for (const key of Object.keys(values)) {
    if (settings.some((setting) => setting.key === key)) continue;
    const near = nearest(
      key,
      settings.map((setting) => setting.key),
    );
    options.problems.push(`${path}: there is no setting "${key}"; the nearest is "${near}".`);
  }
  return values;
}

function flatten(value: unknown, prefix: string, into: Record<string, unknown>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    into[prefix] = value;
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    flatten(inner, prefix === '' ? name : `${prefix}.${name}`, into);
  }
}

const factors: Record<string, Record<string, number>> = {
  ms: { ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
  bytes: { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
};

/** Text from the environment or the command line, as the kind of value that the setting has. */
function readable(value: unknown, setting: Setting): unknown {
  if (typeof value !== 'string') return value;
  if (typeof setting.initial === 'boolean') {
    return (
      { true: true, yes: true, '1': true, false: false, no: false, '0': false }[value] ?? value
    );
  }
  if (typeof setting.initial !== 'number')
    return value === 'none' && setting.initial === null ? null : value;
  const [, amount, unit] = /^(\d+(?:\.\d+)?) *([A-Za-z]*)$/.exec(value) ?? [];
  const factor = unit === '' ? 1 : factors[setting.unit ?? '']?.[unit ?? ''];
  return amount === undefined || factor === undefined ? value : Number(amount) * factor;
}

function put(into: Record<string, unknown>, key: string, value: unknown): void {
  const [first, second] = key.split('.') as [string, string | undefined];
  if (second === undefined) into[first] = value;
  else into[first] = { ...(into[first] as object | undefined), [second]: value };
}

function expanded(path: string): string {
  return path.replace(/^~(?=\/|$)/, homedir());
}

function sizeText(value: unknown): string {
  const [unit, factor] = Object.entries(factors.bytes!).findLast(([, f]) => Number(value) >= f)!;
  return `${Number(value) / factor} ${unit}`;
}

/** Settings come from where they should, and whoever mistypes one is told. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, settings, settingsTable } from './config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-test-config-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function problemsOf(options: Parameters<typeof loadConfig>[0]): Promise<string[]> {
  const error = await loadConfig(options).catch((caught) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  return error.problems;
}

describe('settings', () => {
  it('have defaults', async () => {
    const config = await loadConfig({ env: { FIXPOINT_DATA: folder }, flags: {} });
    expect(config).toMatchObject({ dataDir: folder, api: { port: 7070 }, router: { port: 8080 } });
    expect(config.databaseUrl).toBeNull();
    expect(config.model.provider).toBe('none');
  });

  it('come from the file, then the environment, then the flags', async () => {
    const file = { api: { port: 1, host: '::1' }, router: { port: 2 }, record: { windowMs: 7 } };
    await writeFile(join(folder, 'fixpoint.json'), JSON.stringify(file));
    const env = { FIXPOINT_DATA: folder, FIXPOINT_ROUTER_PORT: '3', FIXPOINT_API_PORT: '3' };
    const config = await loadConfig({ env, flags: { 'api-port': '4' } });
    expect(config.api).toMatchObject({ port: 4, host: '::1' });
    expect(config.router.port).toBe(3);
    expect(config.record.windowMs).toBe(7);
  });

  it('may be given with units, and DATABASE_URL by its usual name', async () => {
    const env = {
      FIXPOINT_DATA: folder,
      FIXPOINT_RECORD_WINDOW_MS: '1.5m',
      FIXPOINT_DEPLOY_MEMORY_BYTES_MAX: '2 GiB',
      FIXPOINT_FIX_AUTOMATIC: 'no',
      FIXPOINT_MODEL_API_KEY: 'k',
      DATABASE_URL: 'postgres://x',
    };
    const config = await loadConfig({ env, flags: {} });
    expect(config.record.windowMs).toBe(90_000);
    expect(config.deploy.memoryBytesMax).toBe(2 ** 31);
    expect(config.fix.automatic).toBe(false);
    expect(config).toMatchObject({ databaseUrl: 'postgres://x', modelApiKey: 'k' });
  });

  it('that do not exist are refused with the nearest, all at once', async () => {
    const path = join(folder, 'other.json');
    await writeFile(path, JSON.stringify({ api: { prot: 1 }, modelApiKey: 'no' }));
    const env = { FIXPOINT_CONFIG: path, FIXPOINT_ROUTER_PROT: '1', FIXPOINT_TEST_X: '1' };
    expect(await problemsOf({ env, flags: { 'log-levle': 'info' } })).toEqual([
      'the environment: there is no setting FIXPOINT_ROUTER_PROT; the nearest is FIXPOINT_ROUTER_PORT.',
      'the command line: there is no option --log-levle; the nearest is --log-level.',
      `${path}: there is no setting "api.prot"; the nearest is "api.port".`,
      expect.stringContaining(`${path}: there is no setting "modelApiKey"`),
    ]);
  });

  it('that cannot be are refused, naming where they were found', async () => {
    await writeFile(join(folder, 'fixpoint.json'), JSON.stringify({ api: { port: 70_000 } }));
    const env = { FIXPOINT_DATA: folder, FIXPOINT_LOG_LEVEL: 'loud' };
    const [first, second] = await problemsOf({ env, flags: {} });
    expect(first).toMatch(/^the environment: logLevel is "loud"/);
    expect(second).toMatch(/fixpoint.json: api.port is 70000/);
    const missing = { FIXPOINT_CONFIG: join(folder, 'none.json') };
    expect((await problemsOf({ env: missing, flags: {} })).join()).toMatch(/none.json: ENOENT/);
    await writeFile(join(folder, 'fixpoint.json'), '{"api":');
    expect((await problemsOf({ env: { FIXPOINT_DATA: folder }, flags: {} })).join()).toMatch(
      /JSON/,
    );
    const model = { FIXPOINT_DATA: join(folder, 'x'), FIXPOINT_MODEL_PROVIDER: 'openai' };
    expect((await problemsOf({ env: model, flags: {} })).join()).toMatch(/set model.name/);
  });
});

describe('docs/operations.md', () => {
  it('lists every setting as it is', async () => {
    const text = await readFile(join(import.meta.dirname, '../docs/operations.md'), 'utf8');
    const table = /<!-- settings -->\n([\s\S]*?)\n<!-- end of settings -->/.exec(text)?.[1]?.trim();
    expect(table).toBe(settingsTable());
    for (const setting of settings) expect(setting.says).toMatch(/^[A-Z].*\.$/);
  });
});

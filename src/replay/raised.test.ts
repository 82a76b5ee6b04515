// What the watched app wrote about its exceptions, by our preload run in a real Node, or by itself.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raisedOf, readWatchFile } from './raised.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fixpoint-raised-'));
});

afterAll(() => rm(directory, { recursive: true }));

const locate: Parameters<typeof raisedOf>[1] = async (place) =>
  place.file.endsWith('app.mjs') ? { ...place, file: 'app.mjs', text: null, inApp: true } : null;

/** Runs an app under watch: what it wrote, its exit code and its standard error. */
async function watched(source: string) {
  const file = join(directory, 'raised.ndjson');
  await writeFile(file, '');
  await writeFile(join(directory, 'app.mjs'), source);
  const preload = join(import.meta.dirname, 'inside', 'watch.cjs');
  const env = { ...process.env, FIXPOINT_WATCH_FILE: file, NODE_OPTIONS: '' };
  const [code, errors] = await new Promise<[unknown, string]>((resolve) => {
    const argv = ['--require', preload, join(directory, 'app.mjs')];
    execFile(process.execPath, argv, { env }, (error, _, stderr) =>
      resolve([error?.code ?? 0, stderr]),
    );
  });
  const found = await readWatchFile(file);
  return { ...found, code, errors, raised: await raisedOf(found.raised, locate) };
}

/** Waits until the app is watched, as a replay does before it sends anything. */
const whenWatched = `
  import { readFileSync } from 'node:fs';
  const isReady = () => readFileSync(process.env.FIXPOINT_WATCH_FILE, 'utf8').includes('"ready"');
  while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 5));
`;

describe('watching exceptions', () => {
  it('sees caught and uncaught ones with their variables, and changes no ending', async () => {
    const { raised, code, errors, started, ready } = await watched(`${whenWatched}
      class NotFound extends Error { name = 'NotFound'; }
      function find(id) { const tried = ['a', 'b']; throw new NotFound('no ' + id); }
      try { find(7); } catch {}
      const order = { customer: null };
      process.exitCode = 5;
      order.customer.name;`);
    expect([started, ready, code]).toEqual([1, 1, 1]);
    expect(errors).toContain("TypeError: Cannot read properties of null (reading 'name')");
    expect(raised).toEqual([
      expect.objectContaining({
        ...{ type: 'NotFound', message: 'no 7', function: 'find', uncaught: false },
        variables: { id: '7', tried: '["a", "b"]' },
      }),
      expect.objectContaining({ type: 'TypeError', file: 'app.mjs' }),
    ]);
    expect(raised[1]!.variables.order).toBe('{ customer: null }');
  });

  it('lets an app end that has nothing more to do', async () => {
    expect(await watched(whenWatched)).toMatchObject({ code: 0, raised: [], errors: '' });
  });

  it('says when there may be more than it looked at', async () => {
    const file = join(directory, 'many.ndjson');
    const line = '{"event":"raised","type":"E","message":"x"}\n';
    await writeFile(file, line.repeat(499));
    expect((await readWatchFile(file)).isCut).toBe(false);
    await writeFile(file, line.repeat(501));
    expect(await readWatchFile(file)).toMatchObject({ isCut: true, ready: 0 });
  });

  it('believes nothing that is not of its form, and follows no link', async () => {
    const file = join(directory, 'forged.ndjson');
    const lines = ['{"event":"raised"}', '{"event":"raised","frames":[null],"variables":[]}', '{'];
    await writeFile(file, `${lines.join('\n')}\nraised\n`);
    const { raised } = await readWatchFile(file);
    expect(raised).toHaveLength(2);
    expect(await raisedOf(raised, locate)).toEqual([]);
    await symlink('/etc/passwd', join(directory, 'link.ndjson'));
    await expect(readWatchFile(join(directory, 'link.ndjson'))).rejects.toThrow('ELOOP');
  });
});

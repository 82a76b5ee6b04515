// Exists to prove the engine adapter against a real Docker Engine.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogLine } from '../domain/app.ts';
import { dockerEngine } from './docker.ts';
import type { ContainerSpec } from './engine.ts';
import { tarOf } from './tar.ts';

const run = randomUUID().slice(0, 8);
const labels = { 'fixpoint.test': run };
const engine = dockerEngine({ labels });
const base = 'debian:bookworm-slim';
const images: string[] = [];

const spec = (script: string, more: Partial<ContainerSpec> = {}): ContainerSpec => ({
  image: base,
  labels: {},
  command: ['sh', '-c', script],
  network: { kind: 'none' },
  ...more,
});

async function started(script: string, more: Partial<ContainerSpec> = {}): Promise<string> {
  const id = await engine.create(spec(script, more));
  await engine.start(id);
  return id;
}

beforeAll(async () => {
  expect((await engine.ping()).apiVersion).toMatch(/^1\./);
  expect(await engine.image(base), `image ${base}: run scripts/setup`).not.toBeNull();
});

afterAll(async () => {
  for (const { id } of await engine.list(labels)) await engine.remove(id);
  for (const id of images) await engine.removeImage(id);
  await engine.removeNetwork(`fixpoint-test-${run}`);
});

describe('build', () => {
  const build = async (dockerfile: string, more = {}) =>
    await engine.build({
      context: await tarOf([{ path: 'Dockerfile', bytes: dockerfile }]),
      dockerfile: 'Dockerfile',
      labels: { 'fixpoint.app': 'x' },
      ...more,
    });

  it('makes an image, with labels and a readable log', async () => {
    const lines: string[] = [];
    const result = await build(
      `FROM ${base}\nWORKDIR /app\nEXPOSE 9000 53/udp\nENV A=b\nRUN echo said ${run} > /app/file` +
        `\nRUN ln -s file link && cat link\nRUN ls /sys/class/net\nCMD ["sleep","1"]\n`,
      { network: 'none', onLine: (line: string) => lines.push(line) },
    );
    if (result.kind !== 'built') throw new Error(`${result.reason}\n${result.log.join('\n')}`);
    images.push(result.imageId);
    const text = lines.join('\n');
    expect(text).toContain('RUN echo said');
    expect(text).toContain(`  said ${run}`);
    expect(lines.filter((line) => /^ {2}(lo|eth0)$/.test(line))).toEqual(['  lo']);
    expect(await engine.image(result.imageId)).toMatchObject({
      workdir: '/app',
      exposedPorts: [9000],
      command: ['sleep', '1'],
    });
    const files = await engine.readImageFiles(result.imageId, ['/app/link', '/app', '/nope']);
    expect([...files.keys()]).toEqual(['/app/link']);
    expect(Buffer.from(files.get('/app/link')!).toString()).toBe(`said ${run}\n`);
    expect(await engine.list({ ...labels })).toEqual([]);
  });

  it('that fails says why', async () => {
    const result = await build(`FROM ${base}\nRUN echo ${run} about to fail && exit 3\n`);
    expect(result).toMatchObject({ kind: 'failed', reason: expect.stringContaining('code: 3') });
    expect(result.kind === 'failed' && result.log.join('\n')).toContain(`${run} about to fail`);
    expect(await build('FRM x\n')).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/FRM/),
    });
  });

  it('ends when it is told to', async () => {
    const stop = new AbortController();
    const result = await build(`FROM ${base}\nRUN echo ${run} && sleep 300\n`, {
      signal: stop.signal,
      onLine: (line: string) => line.includes(`  ${run}`) && stop.abort(),
    });
    expect(result).toMatchObject({ kind: 'failed', reason: 'cancelled' });
  });
});

describe('container', () => {
  it('ends with its exit code, the signal that killed it, or for want of memory', async () => {
    const ends = async (script: string, more = {}) => {
      const id = await started(script, more);
      const exit = await engine.wait(id);
      expect((await engine.inspect(id))?.exit).toEqual(exit);
      return exit;
    };
    expect(await ends('exit 7')).toMatchObject({ code: 7, signal: null, oomKilled: false });
    const killed = await started('sleep 300');
    await engine.kill(killed, 'SIGKILL');
    expect(await engine.wait(killed)).toMatchObject({ code: null, signal: 9, oomKilled: false });
    const greedy = 'head -c 200m /dev/zero | tail -c 190m > /dev/null; exit 3';
    expect(await ends(greedy, { memoryBytesMax: 32 << 20 })).toMatchObject({ oomKilled: true });
  });

  it('is known by its network namespace, its address and its labels', async () => {
    const name = `fixpoint-test-${run}`;
    await Promise.all([engine.ensureNetwork(name, labels), engine.ensureNetwork(name, labels)]);
    const network: ContainerSpec['network'] = { kind: 'network', name, aliases: ['some-name'] };
    const anchor = await started('sleep 300', { network, labels: { role: 'anchor' } });
    const joined = await started('sleep 300', { network: { kind: 'container', id: anchor } });
    const [a, b] = [await engine.inspect(anchor), await engine.inspect(joined)];
    expect(a?.netns).toBeGreaterThan(0);
    expect(b?.netns).toBe(a?.netns);
    expect(a?.addresses[name]).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    const found = await engine.list({ ...labels, role: 'anchor' });
    expect(found.map(({ id }) => id)).toEqual([anchor]);
    await engine.stop(joined, { timeoutMs: 0 });
    await engine.stop(joined, { timeoutMs: 0 });
    await Promise.all([engine.remove(joined), engine.remove(joined), engine.remove(anchor)]);
    await engine.remove(anchor);
    await engine.stop(anchor, { timeoutMs: 0 });
    expect(await engine.inspect(anchor)).toBeNull();
    await expect(engine.start(anchor)).rejects.toThrow(/[Nn]o such container/);
  });

  it('is followed line by line until it ends, over a restart as well', async () => {
    const long = 50_000;
    const script = `echo first; echo oops >&2; head -c ${long} /dev/zero | tr '\\0' x; echo; echo end`;
    const id = await engine.create(spec(script));
    await engine.start(id);
    const lines = await collected(id);
    expect(lines.map(({ text }) => text.length).toSorted((x, y) => x - y)).toEqual([3, 4, 5, long]);
    expect(lines.find(({ text }) => text === 'oops')?.stream).toBe('stderr');
    await sleep(50);
    const since = Date.now() * 1000;
    await engine.start(id);
    expect((await collected(id, since)).map(({ text }) => text)).toContain('first');
    // The engine takes from both streams as they come: which is last there, nobody knows.
    const [last, ...more] = await engine.tail(id, 1);
    expect([last?.text, more]).toEqual([expect.stringMatching(/^(end|oops)$/), []]);
    expect(await engine.tail(id, 100)).toHaveLength(8);
  });

  it('is talked to over its standard streams, which close one by one', async () => {
    const id = await engine.create(spec('cat; echo done >&2', { stdin: true }));
    const attached = await engine.attach(id);
    await engine.start(id);
    const read = async (stream: AsyncIterable<Buffer>) => {
      const parts = [];
      for await (const part of stream) parts.push(part);
      return Buffer.concat(parts);
    };
    const outputs = Promise.all([read(attached.stdout), read(attached.stderr)]);
    const sent = Buffer.alloc(3 << 20, 'fixpoint');
    attached.stdin.end(sent);
    const [out, err] = await outputs;
    expect(out.equals(sent)).toBe(true);
    expect(err.toString()).toBe('done\n');
    expect(await engine.wait(id)).toMatchObject({ code: 0 });
  });

  it('runs further commands, within limits', async () => {
    const id = await started('sleep 300');
    const env = { NAME: 'value with spaces' };
    const script = 'pwd; echo "$NAME"; echo err >&2; exit 4';
    expect(await engine.exec(id, ['sh', '-c', script], { env, workdir: '/tmp' })).toEqual({
      exitCode: 4,
      stdout: '/tmp\nvalue with spaces\n',
      stderr: 'err\n',
      timedOut: false,
    });
    const loop = 'echo begun; sleep 1234 & wait';
    const late = await engine.exec(id, ['sh', '-c', loop], { timeoutMs: 1500 });
    expect(late).toMatchObject({ timedOut: true, exitCode: 137, stdout: 'begun\n' });
    // Nothing of it goes on: only the container's own first process sleeps.
    const left = await engine.exec(id, ['sh', '-c', 'cat /proc/[0-9]*/comm']);
    expect(left.stdout.split('\n').filter((name) => name === 'sleep')).toHaveLength(1);
    const much = ['sh', '-c', 'head -c 5000 /dev/zero | tr "\\0" y'];
    const cut = await engine.exec(id, much, { outputBytesMax: 10 });
    expect(cut.stdout).toBe('yyyyyyyyyy\n[4990 more bytes were not kept]\n');
    await expect(engine.exec('none', ['true'])).rejects.toThrow(/none/);
  });

  it('has files put in and read', async () => {
    const id = await engine.create(spec('cat /tmp/in'));
    await engine.putArchive(id, '/tmp', await tarOf([{ path: 'in', bytes: 'put there' }]));
    expect(Buffer.from((await engine.readFile(id, '/tmp/in'))!).toString()).toBe('put there');
    expect(await engine.readFile(id, '/tmp/out')).toBeNull();
    await engine.start(id);
    await engine.wait(id);
    expect(await engine.tail(id, 5)).toMatchObject([{ text: 'put there' }]);
  });
});

function collected(id: string, since?: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  return new Promise((resolve, reject) => {
    const onLine = (line: LogLine) => lines.push(line);
    engine.follow(id, { since, onLine, onEnd: () => resolve(lines) }).catch(reject);
  });
}

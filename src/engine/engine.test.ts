// Exists to hold the pure parts of the engine adapter to the engine's documented formats.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { LogLine } from '../domain/app.ts';
import { engineAddressOf } from './address.ts';
import { BuildTrace, decodeBuildStatus } from './build-trace.ts';
import { chooseApiVersion, queryText } from './client.ts';
import { createBody, exitOf } from './container-json.ts';
import { dockerEngine } from './docker.ts';
import type { ContainerSpec } from './engine.ts';
import { FrameReader } from './frames.ts';
import { instantOfStamp, LineReader, sinceText } from './log-lines.ts';

describe('address', () => {
  it('reads the forms of DOCKER_HOST and refuses what it cannot reach', () => {
    expect(engineAddressOf('unix:///run/x.sock')).toEqual({ socketPath: '/run/x.sock' });
    expect(engineAddressOf('tcp://10.0.0.1:2376')).toEqual({ host: '10.0.0.1', port: 2376 });
    expect(engineAddressOf('tcp://[::1]')).toEqual({ host: '::1', port: 2375 });
    expect(() => engineAddressOf('ssh://host')).toThrow(/ssh:\/\/host.*DOCKER_HOST/);
  });

  it('speaks the newest version that both sides know', () => {
    expect(chooseApiVersion('1.41')).toBe('1.41');
    expect(chooseApiVersion('1.99')).toBe('1.47');
    expect(() => chooseApiVersion('1.24')).toThrow(/1\.24.*1\.40/);
    expect(queryText({ a: ['x', 'y'], b: undefined, c: true })).toBe('?a=x&a=y&c=true');
  });
});

describe('frames', () => {
  const bytes = Buffer.concat([frame(1, 'one'), frame(2, ''), frame(2, 'two')]);

  it('come out whole wherever the bytes are cut', () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const seen: string[] = [];
      const reader = new FrameReader((stream, payload) => seen.push(`${stream} ${payload}`));
      reader.feed(bytes.subarray(0, cut));
      reader.feed(bytes.subarray(cut));
      expect(seen).toEqual(['stdout one', 'stderr ', 'stderr two']);
    }
  });
});

describe('log lines', () => {
  const stamp = (micros: number) => `2026-11-26T01:22:54.${String(micros).padStart(6, '0')}123Z`;

  it('have the time of the engine, in microseconds', () => {
    const second = Date.parse('2026-11-26T01:22:54Z') * 1000;
    expect(instantOfStamp(stamp(14_712))).toBe(second + 14_712);
    expect(instantOfStamp('2026-11-26T01:22:54Z')).toBe(second);
    expect(sinceText(second + 7)).toBe(`${second / 1e6}.000007000`);
  });

  it('are put together from the pieces of a long line', () => {
    const lines: LogLine[] = [];
    const reader = new LineReader((line) => lines.push(line));
    reader.frame('stdout', Buffer.from(`${stamp(1)} aaa`));
    reader.frame('stderr', Buffer.from(`${stamp(2)} other\r\n`));
    reader.frame('stdout', Buffer.from(`${stamp(3)} bbb\n`));
    reader.frame('stdout', Buffer.from(`${stamp(4)} no newline`));
    reader.end();
    expect(lines.map((line) => `${line.stream} ${line.text}`)).toEqual([
      'stderr other',
      'stdout aaabbb',
      'stdout no newline',
    ]);
  });

  it('are neither lost nor said twice after connecting again', () => {
    const texts: string[] = [];
    const reader = new LineReader((line) => texts.push(line.text));
    for (const text of ['a', 'same', 'same']) reader.frame('stdout', line(5, text));
    expect(reader.resume()).toBe(instantOfStamp(stamp(5)) - 20_000);
    for (const text of ['a', 'same', 'same', 'same']) reader.frame('stdout', line(5, text));
    expect(texts).toEqual(['a', 'same', 'same', 'same']);
  });

  const line = (micros: number, text: string) => Buffer.from(`${stamp(micros)} ${text}\n`);
});

describe('build trace', () => {
  it('says each step once, with what it printed and its error', () => {
    const lines: string[] = [];
    const trace = new BuildTrace((line) => lines.push(line));
    trace.message(message([vertex('a', '[1/2] FROM x', { cached: true })]));
    trace.message(message([vertex('b', '[2/2] RUN make')]));
    trace.message(message([vertex('b', '[2/2] RUN make')], [log('b', '10%\r100%\ncut')]));
    trace.message(message([vertex('c', '[internal] load')], [log('b', ' here\n')]));
    trace.message(message([vertex('b', '[2/2] RUN make', { error: 'exit code: 1' })]));
    trace.end();
    expect(lines).toEqual([
      '[1/2] FROM x (cached)',
      '[2/2] RUN make',
      '  100%',
      '  cut here',
      '[2/2] RUN make: exit code: 1',
    ]);
  });

  it('refuses bytes that are no protobuf', () => {
    expect(() => decodeBuildStatus(Buffer.from([0x0a, 0xff]))).toThrow(/protobuf/);
  });
});

describe('container', () => {
  const limits = { fileBytesMax: 1000, filesMax: 2 };

  it('specs become the body of a request that never asks for privileges', () => {
    const spec: ContainerSpec = {
      image: 'app',
      labels: { a: '1' },
      env: { PORT: '80' },
      network: { kind: 'network', name: 'n', aliases: ['app'] },
      capabilitiesDropAll: true,
      memoryBytesMax: 5,
      extraHosts: { 'host.docker.internal': 'host-gateway' },
      binds: [{ host: '/x:y', container: '/x', readOnly: true }],
    };
    const body = createBody(spec, { b: '2' }, limits);
    expect(body).toEqual({
      Image: 'app',
      Labels: { a: '1', b: '2' },
      Env: ['PORT=80'],
      HostConfig: {
        NetworkMode: 'n',
        CapDrop: ['ALL'],
        Memory: 5,
        MemorySwap: 5,
        ExtraHosts: ['host.docker.internal:host-gateway'],
        Mounts: [{ Type: 'bind', Source: '/x:y', Target: '/x', ReadOnly: true }],
        LogConfig: { Type: 'json-file', Config: { 'max-size': '1000', 'max-file': '2' } },
      },
      NetworkingConfig: { EndpointsConfig: { n: { Aliases: ['app'] } } },
    });
    const joined = createBody({ ...spec, network: { kind: 'container', id: 'c' } }, {}, limits);
    expect(joined.HostConfig).toMatchObject({ NetworkMode: 'container:c' });
    expect(joined.NetworkingConfig).toBeUndefined();
  });

  it('ends are an exit code or a signal', () => {
    const state = {
      Status: 'exited',
      Running: false,
      Pid: 0,
      ExitCode: 137,
      OOMKilled: true,
      FinishedAt: '2026-11-26T01:22:54.5Z',
      Error: '',
    };
    expect(exitOf(state)).toMatchObject({ code: null, signal: 9, oomKilled: true });
    expect(exitOf({ ...state, ExitCode: 1 })).toMatchObject({ code: 1, signal: null });
    expect(exitOf({ ...state, Status: 'created' })).toBeNull();
    expect(exitOf({ ...state, Running: true })).toBeNull();
  });
});

describe('engine', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  it('that does not answer is named, with how to reach one', async () => {
    const engine = dockerEngine({ host: 'unix:///nowhere/docker.sock' });
    await expect(engine.ping()).rejects.toThrow(
      /no container engine answers at unix:\/\/\/nowhere\/docker\.sock.*DOCKER_HOST/,
    );
  });

  it('says what it refused in its own words', async () => {
    const host = await serve((_request, response) => {
      response.writeHead(409).end('{"message":"name is in use"}');
    });
    const spec: ContainerSpec = { image: 'i', labels: {}, network: { kind: 'none' } };
    await expect(dockerEngine({ host }).create(spec)).rejects.toThrow(
      'a container of i: name is in use',
    );
  });

  it('without BuildKit builds with the classic builder', async () => {
    const versions: (string | null)[] = [];
    const host = await serve((request, response) => {
      const version = new URL(request.url!, 'http://x').searchParams.get('version');
      versions.push(version);
      request.resume().on('end', () => {
        if (version === '2') {
          response.writeHead(400).end('{"message":"buildkit not supported by daemon"}');
          return;
        }
        response.write('{"stream":"Step 1/1 : FROM"}\n{"stream":" x\\n"}\n');
        response.end('{"aux":{"ID":"sha256:1"}}\n');
      });
    });
    const lines: string[] = [];
    const result = await dockerEngine({ host }).build({
      context: () => Readable.from([Buffer.from('tar')]),
      dockerfile: 'Dockerfile',
      labels: {},
      onLine: (line) => lines.push(line),
    });
    expect(result).toEqual({ kind: 'built', imageId: 'sha256:1' });
    expect(lines).toEqual(['Step 1/1 : FROM x']);
    expect(versions).toEqual(['2', '1']);
  });

  async function serve(build: RequestListener): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'fixpoint-engine-'));
    const server = createServer((request, response) => {
      if (request.url === '/_ping') response.writeHead(200, { 'api-version': '1.41' }).end('OK');
      else if (request.url?.endsWith('/version')) response.end('{"Version":"1"}');
      else build(request, response);
    });
    const path = join(folder, 'docker.sock');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    cleanups.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    });
    return `unix://${path}`;
  }
});

function frame(stream: number, text: string): Buffer {
  const head = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

// A second, independent builder of control.proto messages (short fields only).
function field(number: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
}

function vertex(digest: string, name: string, more: { cached?: boolean; error?: string } = {}) {
  const parts = [field(1, digest), field(3, name), field(5, Buffer.from([8, 1]))];
  if (more.cached) parts.push(Buffer.from([4 * 8, 1]));
  if (more.error) parts.push(field(7, more.error));
  return Buffer.concat(parts);
}

function log(digest: string, text: string): Buffer {
  return Buffer.concat([field(1, digest), Buffer.from([3 * 8, 1]), field(4, text)]);
}

function message(vertexes: Buffer[], logs: Buffer[] = []): Buffer {
  return Buffer.concat([...vertexes.map((v) => field(1, v)), ...logs.map((l) => field(3, l))]);
}

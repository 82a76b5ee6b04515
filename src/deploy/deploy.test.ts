// Exists to hold the pure parts of deploying: containers as data, turns, sockets, delays, names.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Release } from '../domain/app.ts';
import { type DeploySettings, deploySettings, urlOf } from './context.ts';
import { front } from './front-program.ts';
import { healthGate } from './gate.ts';
import { listenHint, socketRowsOf } from './sockets.ts';
import { anchorSpec, appSpec, frontSpec } from './specs.ts';
import { restartDelayMs } from './supervise.ts';
import { turns } from './turns.ts';

const config = {
  port: 3000,
  healthPath: '/',
  healthTimeoutMs: 500,
  drainMs: 0,
  memoryBytesMax: 1 << 28,
  processesMax: 100,
  workdir: '/app',
};
const { port: _port, workdir: _workdir, ...defaults } = config;
const settings: DeploySettings = {
  ...deploySettings,
  owner: 'o1',
  network: 'net',
  domain: 'localhost',
  routerPort: 8080,
  defaults,
};
const names = { app: 'shop', instance: 'abcd' };

describe('containers', () => {
  it('of an app run in the namespace of their anchor, within limits', () => {
    const release: Release = {
      app: 'shop',
      number: 3,
      commit: 'c',
      imageId: 'sha256:1',
      config,
      envVersion: 1,
      createdAt: 0,
    };
    const env = { DATABASE_URL: 'x', PORT: '5' };
    expect(appSpec(settings, names, { release, env, anchorId: 'a' })).toEqual({
      image: 'sha256:1',
      name: 'fixpoint-shop-abcd-app',
      labels: {
        'fixpoint.owner': 'o1',
        'fixpoint.role': 'app',
        'fixpoint.app': 'shop',
        'fixpoint.release': '3',
        'fixpoint.instance': 'abcd',
      },
      env: { PORT: '5', DATABASE_URL: 'x' },
      network: { kind: 'container', id: 'a' },
      memoryBytesMax: 1 << 28,
      processesMax: 100,
    });
  });

  it('of helpers have no powers, and only a front bears the name of an app', () => {
    const anchor = anchorSpec(settings, names);
    expect(anchor.network).toEqual({ kind: 'network', name: 'net', aliases: [] });
    expect(anchor.extraHosts).toEqual({ 'host.docker.internal': 'host-gateway' });
    const fronting = frontSpec(settings, 'shop');
    expect(fronting.network).toEqual({ kind: 'network', name: 'net', aliases: ['shop'] });
    for (const spec of [anchor, fronting]) expect(spec.capabilitiesDropAll).toBe(true);
    expect(urlOf(settings, 'shop')).toBe('http://shop.localhost:8080/');
  });
});

describe('turns', () => {
  it('come in order, so many at once', async () => {
    const queue = turns(2);
    const log: string[] = [];
    let running = 0;
    let most = 0;
    const work = (name: string, fails = false) =>
      queue.run('k', async () => {
        most = Math.max(most, ++running);
        log.push(name);
        await sleep(5);
        running -= 1;
        if (fails) throw new Error(name);
      });
    const failing = work('b', true).catch((error: Error) => error.message);
    const all = [work('a'), failing, work('c'), work('d')];
    expect(queue.isBusy('k')).toBe(true);
    await queue.idle();
    expect(await Promise.all(all)).toEqual([undefined, 'b', undefined, undefined]);
    expect(log).toEqual(['b', 'a', 'c', 'd']);
    expect(most).toBe(2);
    expect(queue.isBusy('k')).toBe(false);
  });

  it('of restarts wait twice as long each time', () => {
    const delays = [1, 2, 3, 4, 9].map((deaths) => restartDelayMs(settings.restart, deaths));
    expect(delays).toEqual([500, 1000, 2000, 4000, 30_000]);
  });
});

describe('sockets', () => {
  const head = '  sl  local_address rem_address   st\n';
  const row = (local: string, state: string) => `   0: ${local} 00000000:0000 ${state} 0\n`;

  it('are read from proc', () => {
    const six = '00000000000000000000000000000000';
    const mapped = '0000000000000000FFFF0000020012AC';
    const table = head + row('0100007F:0BB8', '0A') + row(`${six}:1F90`, '0A');
    expect(socketRowsOf(table + row(`${mapped}:0BB8`, '01'))).toEqual([
      { local: { address: '127.0.0.1', port: 3000 }, state: 'listening' },
      { local: { address: '::', port: 8080 }, state: 'listening' },
      { local: { address: '172.18.0.2', port: 3000 }, state: 'established' },
    ]);
  });

  it('tell why nobody answers', () => {
    const rows = (...all: string[]) => socketRowsOf(head + all.map((l) => row(l, '0A')).join(''));
    expect(listenHint(rows(), 3000)).toMatch(/listens on no port/);
    expect(listenHint(rows('0B00007F:9999'), 3000)).toMatch(/listens on no port/);
    expect(listenHint(rows('0100007F:0BB8'), 3000)).toMatch(/127\.0\.0\.1:3000 only/);
    expect(listenHint(rows('00000000:1F90'), 3000)).toMatch(/port 8080, not on 3000/);
    expect(listenHint(rows('00000000:0BB8'), 3000)).toBeNull();
  });
});

describe('health gate', () => {
  it('says what the last try came to, and ends when it is told to', async () => {
    const instance = { address: '127.0.0.1', port: await freePort() };
    const common = { instance, config, host: 'h', exited: new Promise<never>(() => undefined) };
    const never = new AbortController().signal;
    const late = await healthGate({ ...common, signal: never });
    expect(late).toEqual({ kind: 'timeout', last: 'ECONNREFUSED' });
    expect(await healthGate({ ...common, signal: AbortSignal.abort() })).toEqual({
      kind: 'aborted',
    });
    const exit = { at: 1, code: 1, signal: null, oomKilled: false };
    const gone = await healthGate({ ...common, exited: Promise.resolve(exit), signal: never });
    expect(gone).toEqual({ kind: 'exited', exit });
  });
});

describe('front', () => {
  it('hands each connection to what its file names at that moment', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fixpoint-front-'));
    const file = join(folder, 'target.json');
    const [one, two] = [await saying('one'), await saying('two')];
    const port = await freePort();
    const point = (server: Server) => {
      const { port: actual } = server.address() as AddressInfo;
      return writeFile(file, JSON.stringify({ address: '127.0.0.1', port: actual }));
    };
    await writeFile(file, JSON.stringify({ address: '127.0.0.1', port }));
    // Here, unlike in containers, instances cannot have the front's port: it stays with its first.
    const fronting = front(file, 1 << 30);
    try {
      await point(one);
      const opened = connect(port, '127.0.0.1');
      opened.write('q');
      await new Promise((resolve) => opened.once('readable', resolve));
      await point(two);
      const later = await ask(port);
      expect(later).toBe('two');
      opened.end();
      expect(await text(opened)).toBe('one');
      await writeFile(file, '{"addr');
      expect(await ask(port)).toBe('two');
    } finally {
      fronting.close();
      one.close();
      two.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  async function saying(word: string): Promise<Server> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.write(word);
      socket.on('end', () => socket.end()).resume();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  async function ask(port: number): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.end('q');
    return await text(socket);
  }
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

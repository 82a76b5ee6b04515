// Exists to prove the router with a real nginx: no request fails while routes change.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, createServer, type RequestListener, request, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nginxRouter } from './nginx.ts';
import type { Router } from './router.ts';

let folder: string;
let port: number;
let router: Router;
const apps: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fixpoint-router-'));
  port = await freePort();
  router = nginxRouter({ folder, port, address: '127.0.0.1' });
});

afterEach(async () => {
  await router.stop();
  for (const app of apps.splice(0)) {
    app.closeAllConnections();
    app.close();
  }
  await rm(folder, { recursive: true, force: true });
});

describe('router', () => {
  it('knows apps by host name and says what is missing', async () => {
    await router.start();
    expect(await ask({ host: 'shop.test' })).toMatchObject({
      status: 404,
      text: expect.stringMatching(/no app answers/),
    });
    const shop = await app((_request, response) => response.end('shop'));
    await router.apply([
      { host: 'shop.test', targets: [shop] },
      { host: 'off.test', targets: [] },
      { host: 'gone.test', targets: [{ address: '127.0.0.1', port: await freePort() }] },
    ]);
    expect(await ask({ host: `SHOP.test:${port}` })).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^shop$/),
    });
    expect(await ask({ host: 'off.test' })).toMatchObject({
      status: 503,
      text: expect.stringMatching(/not running/),
    });
    expect(await ask({ host: 'gone.test' })).toMatchObject({
      status: 502,
      text: expect.stringMatching(/did not answer/),
    });
    const bad = router.apply([{ host: 'x;', targets: [] }]);
    await expect(bad).rejects.toThrow(/not a host name/);
    expect(await ask({ host: 'shop.test' })).toMatchObject({ status: 200 });
  });

  it('hands on what was sent as it was sent, and says who sent it', async () => {
    await router.start();
    const shop = await app(async (asked, response) => {
      const seen = { method: asked.method, url: asked.url, headers: asked.headers };
      const body = await text(asked);
      response.writeHead(418, { server: 'app', 'x-accel-redirect': '/etc/passwd' });
      response.end(JSON.stringify({ ...seen, body }));
    });
    await router.apply([{ host: 'shop.test', targets: [shop] }]);
    const answer = await ask({
      host: 'shop.test',
      method: 'PUT',
      path: '/a//b/../c%2Fd?x=%20y',
      headers: { under_score: '1', 'transfer-encoding': 'chunked' },
      body: 'hello',
    });
    expect(answer).toMatchObject({ status: 418, headers: { server: 'app' } });
    expect(JSON.parse(answer.text)).toMatchObject({
      method: 'PUT',
      url: '/a//b/../c%2Fd?x=%20y',
      body: 'hello',
      headers: {
        host: 'shop.test',
        under_score: '1',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'shop.test',
      },
    });
  });

  it('streams both ways without holding anything back', async () => {
    await router.start();
    const echo = await app((asked, response) => {
      response.flushHeaders();
      asked.pipe(response);
    });
    await router.apply([{ host: 'echo.test', targets: [echo] }]);
    const asking = request({ port, host: '127.0.0.1', method: 'POST', headers: host('echo.test') });
    asking.write('first');
    const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
      asking.on('response', resolve),
    );
    const parts: string[] = [];
    for await (const part of response) {
      parts.push(String(part));
      if (parts.length === 1) asking.end('last');
    }
    expect(parts).toEqual(['first', 'last']);
  });

  it('fails no request while routes change, and new ones go the new way', async () => {
    await router.start();
    const version = (n: number) =>
      app(async (asked, response) => {
        const body = await text(asked);
        await sleep(5);
        response.end(`v${n}${body}`);
      });
    let current = await version(0);
    await router.apply([{ host: 'shop.test', targets: [current] }]);
    const load = startLoad('shop.test');
    for (let n = 1; n <= 5; n++) {
      await load.more(100);
      current = await version(n);
      await router.apply([{ host: 'shop.test', targets: [current] }]);
      for (let i = 0; i < 20; i++) expect((await ask({ host: 'shop.test' })).text).toBe(`v${n}`);
    }
    await load.more(100);
    const { failures, count } = await load.stop();
    expect(failures).toEqual([]);
    expect(count).toBeGreaterThan(600);
  });

  it('keeps websockets of other apps open while routes change', async () => {
    await router.start();
    const upgrading = await app(() => undefined);
    apps.at(-1)!.on('upgrade', (_asked, socket: Socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n',
      );
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    await router.apply([{ host: 'ws.test', targets: [upgrading] }]);
    const client = connect(port, '127.0.0.1');
    client.write(
      'GET / HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n' +
        'Sec-WebSocket-Key: x\r\n\r\n',
    );
    let seen = '';
    client.setEncoding('utf8').on('data', (part) => {
      seen += part;
    });
    await until(() => seen.includes('\r\n\r\n'));
    expect(seen).toMatch(/^HTTP\/1\.1 101 /);
    for (const word of ['one', 'two', 'three']) {
      client.write(word);
      await until(() => seen.endsWith(word));
      await router.apply([
        { host: 'ws.test', targets: [upgrading] },
        { host: `${word}.test`, targets: [] },
      ]);
    }
    client.destroy();
  });

  it('is adopted by the next server, also after its masters were killed', async () => {
    await router.start();
    const shop = await app((_request, response) => response.end('shop'));
    await router.apply([{ host: 'shop.test', targets: [shop] }]);
    const pid = async () => Number(await readFile(join(folder, 'edge', 'nginx.pid'), 'utf8'));
    const first = await pid();
    router = nginxRouter({ folder, port, address: '127.0.0.1' });
    await router.start();
    expect(await pid()).toBe(first);
    expect((await ask({ host: 'shop.test' })).text).toBe('shop');
    for (const part of ['edge', 'routes']) {
      const master = Number(await readFile(join(folder, part, 'nginx.pid'), 'utf8'));
      process.kill(master, 'SIGKILL');
      await until(() => !isRunning(master));
    }
    router = nginxRouter({ folder, port, address: '127.0.0.1' });
    await until(async () => {
      try {
        await router.start();
        return true;
      } catch {
        return false;
      }
    });
    expect(await pid()).not.toBe(first);
    expect((await ask({ host: 'shop.test' })).text).toBe('shop');
    await router.apply([]);
    expect(await ask({ host: 'shop.test' })).toMatchObject({ status: 404 });
    await router.stop();
    await expect(ask({ host: 'shop.test' })).rejects.toThrow(/ECONNREFUSED/);
  });

  it('names the port that is in use and the setting that changes it', async () => {
    const squatter = createTcpServer().listen(port, '127.0.0.1');
    try {
      const other = { folder, port, address: '127.0.0.1', portSetting: '--port' };
      router = nginxRouter(other);
      await expect(router.start()).rejects.toThrow(
        `port ${port} is in use by another program: free it or change --port`,
      );
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
    router = nginxRouter({ folder, port, program: 'no-such-nginx' });
    await expect(router.start()).rejects.toThrow(/cannot run no-such-nginx/);
  });

  it('leaves users with service when the server is killed', async () => {
    const shop = await app((_request, response) => response.end('shop'));
    const script = `
      const { nginxRouter } = await import(${JSON.stringify(join(import.meta.dirname, 'nginx.ts'))});
      const router = nginxRouter(${JSON.stringify({ folder, port, address: '127.0.0.1' })});
      await router.start();
      await router.apply([{ host: 'shop.test', targets: [${JSON.stringify(shop)}] }]);
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    await new Promise((resolve) => child.on('exit', resolve));
    expect((await ask({ host: 'shop.test' })).text).toBe('shop');
    await router.start();
    expect((await ask({ host: 'shop.test' })).text).toBe('shop');
  });
});

const host = (name: string) => ({ host: name });

async function app(listener: RequestListener): Promise<{ address: string; port: number }> {
  const server = createServer(listener);
  apps.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

interface Asked {
  host: string;
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
  agent?: Agent;
}

async function ask({ host, headers, body, agent, ...rest }: Asked) {
  const options = { host: '127.0.0.1', port, ...rest, headers: { ...headers, host } };
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const asking = request({ ...options, agent: agent ?? false }, resolve);
    asking.on('error', reject);
    asking.end(body);
  });
  const answer = await text(response);
  const status = response.statusCode;
  return { status, headers: response.headers, text: answer };
}

/** Keep-alive and new connections, GET and POST, one after the other without a pause. */
function startLoad(name: string) {
  const failures: string[] = [];
  let [count, running] = [0, true];
  const loops = Array.from({ length: 8 }, async (_, index) => {
    const agent = index % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    while (running) {
      const method = index % 4 < 2 ? 'GET' : 'POST';
      const body = method === 'POST' ? '!' : undefined;
      try {
        const answer = await ask({ host: name, method, body, agent });
        if (answer.status !== 200) failures.push(`${answer.status} ${answer.text}`);
      } catch (error) {
        failures.push(`${index}: ${(error as Error).message}`);
      }
      count++;
    }
    agent?.destroy();
  });
  return {
    async more(wanted: number) {
      const goal = count + wanted;
      await until(() => count >= goal);
    },
    async stop() {
      running = false;
      await Promise.all(loops);
      return { failures, count };
    },
  };
}

/** A master without a parent of ours is reaped by whoever adopted it, a moment later. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await sleep(10);
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

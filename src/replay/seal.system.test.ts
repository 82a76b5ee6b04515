// The seal: whatever the app in the sandbox tries to reach, nothing arrives, and each attempt is told.
import { randomUUID } from 'node:crypto';
import dgram from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../domain/outcome.ts';
import { fakeApps, locateBelowApp } from './fake-app.ts';
import * as fake from './fake-recording.ts';
import type { ManyReplayer } from './replay.ts';
import { createReplayer } from './replayer.ts';

const apps = fakeApps();
const { engine } = apps;
const word = randomUUID();
const cleanUp: (() => unknown)[] = [];
let replayer: ManyReplayer;
let heard = 0;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'fixpoint-seal-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  replayer = await createReplayer({ engine, directory });
  cleanUp.unshift(() => replayer.close());
});

afterAll(async () => {
  for (const step of cleanUp) await step();
  await apps.removeAll();
});

/** Tries every target of its environment over TCP and UDP, then answers what came of it. */
const app = `
const net = require('node:net');
const dgram = require('node:dgram');
const dns = require('node:dns');
const fs = require('node:fs');
const http = require('node:http');
const { targets, names, word } = JSON.parse(process.env.PLAN);
const tcp = ({ address, port }) => new Promise((resolve) => {
  const socket = net.connect({ host: address, port, timeout: 3000 });
  socket.on('connect', () => { socket.write(word); });
  socket.on('data', (data) => { resolve('heard ' + data); socket.destroy(); });
  socket.on('timeout', () => { resolve('timeout'); socket.destroy(); });
  socket.on('error', (error) => resolve(error.code));
  socket.on('close', () => resolve('closed'));
});
const udp = ({ address, port }) => new Promise((resolve) => {
  const socket = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4');
  const end = (text) => { resolve(text); try { socket.close(); } catch {} };
  socket.on('error', (error) => end(error.code));
  socket.on('message', (data) => end('heard ' + data));
  socket.connect(port, address, () => socket.send(word, () => setTimeout(end, 300, 'sent')));
});
const lookup = (name) => new Promise((resolve) =>
  dns.lookup(name, (error, address) => resolve(error ? error.code : 'found ' + address)));
http.createServer(async (request, response) => {
  const result = { tcp: {}, udp: {}, names: {}, files: {} };
  for (const target of targets) {
    const key = target.address + ' ' + target.port;
    result.tcp[key] = await tcp(target);
    result.udp[key] = await udp(target);
  }
  for (const name of names) result.names[name] = await lookup(name);
  for (const path of ['/var/run/docker.sock', '/run/docker.sock', '/fixpoint/io']) {
    result.files[path] = fs.existsSync(path);
  }
  result.interfaces = Object.keys(require('node:os').networkInterfaces()).sort();
  response.end(JSON.stringify(result));
}).listen(3000, '::');
`;

/** A listener on all of the host's addresses that counts whatever arrives. */
async function listenOnHost(): Promise<number> {
  const server = net.createServer((socket) => {
    heard++;
    socket.end('you reached the host');
  });
  await new Promise<void>((resolve) => server.listen(0, '::', resolve));
  cleanUp.unshift(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const datagrams = dgram.createSocket({ type: 'udp6', ipv6Only: false });
  datagrams.on('message', (message) => {
    if (message.toString().includes(word)) heard++;
  });
  await new Promise<void>((resolve) => datagrams.bind(port, '::', resolve));
  cleanUp.unshift(() => datagrams.close());
  return port;
}

/** A container on the engine's default network that counts its visitors in its output. */
async function listenInNeighbour(): Promise<{ id: string; address: string }> {
  const serve =
    "require('node:net').createServer((s) => { console.log('visited'); s.end('hi') }).listen(5432, '::', () => console.log('listening'))";
  const id = await engine.create({
    image: 'node:24-bookworm-slim',
    labels: { 'fixpoint.test': 'seal' },
    command: ['node', '-e', serve],
    network: { kind: 'network', name: 'bridge', aliases: [] },
  });
  cleanUp.unshift(() => engine.remove(id));
  await engine.start(id);
  await until(async () => (await engine.tail(id, 10)).some((l) => l.text === 'listening'));
  const address = (await engine.inspect(id))!.addresses.bridge!;
  return { id, address };
}

describe('the seal', () => {
  it('lets nothing out, and tells of every attempt', async () => {
    const port = await listenOnHost();
    const neighbour = await listenInNeighbour();
    await reach(neighbour.address, 5432); // the trap works
    await reach('127.0.0.1', port);
    const visits = heard;
    const own = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter((each) => !each.internal && !each.address.startsWith('fe80'));
    const targets = [
      ...own.map(({ address }) => ({ address, port })),
      { address: neighbour.address, port: 5432 },
      { address: '169.254.169.254', port: 80 },
      { address: '1.1.1.1', port: 53 },
      { address: '93.184.215.14', port: 443 },
      { address: '2606:4700:4700::1111', port: 443 },
      { address: '198.18.0.1', port: 22 },
      { address: '10.0.0.53', port: 8080 },
    ];
    const names = ['registry.npmjs.org', 'host.docker.internal', 'localhost.example'];
    const outcome = await tryAll({ targets, names });
    expect(outcome.kind).toBe('succeeded');
    if (outcome.kind !== 'succeeded') return;
    const { answer, divergences } = outcome.observed;
    const result = JSON.parse(Buffer.from(answer!.body).toString()) as Result;
    for (const target of targets) {
      const key = `${target.address} ${target.port}`;
      expect([key, result.tcp[key]]).toEqual([key, expect.stringMatching(/ECONN|closed/)]);
      expect(result.udp[key], key).not.toMatch(/heard/);
      const told = divergences.filter(
        ({ server }) => server.address === target.address && server.port === target.port,
      );
      const transports = [...new Set(told.map((each) => each.transport))].sort();
      expect([key, ...transports]).toEqual([key, 'tcp', 'udp']);
    }
    for (const name of names) {
      expect(result.names[name]).toMatch(/ENOTFOUND|EAI_AGAIN/);
      expect(divergences.some((each) => each.title.includes(name))).toBe(true);
    }
    expect(Object.values(result.files)).toEqual([false, false, false]);
    expect(result.interfaces).toEqual(['eth0', 'lo']);
    expect(heard).toBe(visits);
    const visited = (await engine.tail(neighbour.id, 20)).filter((l) => l.text === 'visited');
    expect(visited).toHaveLength(1);
  });
});

interface Result {
  tcp: Record<string, string>;
  udp: Record<string, string>;
  names: Record<string, string>;
  files: Record<string, boolean>;
  interfaces: string[];
}

/** One replay of an app that tries them all; 10.0.0.53:8080 is recorded, on the port of another. */
async function tryAll(plan: { targets: object[]; names: string[] }): Promise<Outcome> {
  const imageId = await apps.build(app);
  const inbound = { direction: 'inbound' as const, server: { address: '172.30.0.5', port: 3000 } };
  const trigger = fake.recording(
    [
      fake.connection({
        ...{ ...inbound, id: 'trigger', client: { address: '203.0.113.7', port: 50000 } },
        talk: [
          ['>', fake.httpRequest('GET /')],
          ['<', fake.httpAnswer('{}', '500 Internal Server Error')],
        ],
      }),
      fake.connection({
        ...{ id: 'other', server: { address: '10.0.0.54', port: 8080 } },
        talk: [
          ['>', fake.httpRequest('GET /other', '10.0.0.54')],
          ['<', fake.httpAnswer('{}')],
        ],
      }),
    ],
    { trigger: 'trigger', route: 'GET /' },
  );
  return replayer.replay({
    release: fake.release({ imageId }),
    imageId,
    env: { PLAN: JSON.stringify({ ...plan, word }) },
    boot: fake.recording([]),
    trigger,
    siblings: [],
    locate: locateBelowApp,
    limits: { answerTimeoutMs: 120_000 },
  });
}

async function reach(host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect({ host, port });
    socket.on('error', reject);
    socket.on('data', () => socket.destroy());
    socket.on('close', () => resolve());
  });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

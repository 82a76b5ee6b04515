/** Opens the anchor and the world of a replay, joined by their cable (see `world/cable.ts`). */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerSpec, Engine } from '../engine/engine.ts';
import { anchorScript, appAddress } from '../world/cable.ts';
import type { Assets } from './assets.ts';
import { WorldLink } from './world-link.ts';

export interface SandboxOptions {
  engine: Engine;
  assets: Assets;
  image: string;
  /** Whose sandboxes these are; what a killed server left is found by it. */
  owner: string;
  openTimeoutMs: number;
  worldMemoryBytesMax: number;
}

/** Two namespaces and a world that waits for its recordings; the app comes later. */
export interface Sandbox {
  anchorId: string;
  link: WorldLink;
  /** A folder of this sandbox alone, removed with it. */
  directory: string;
  labels: Record<string, string>;
  /** The app's /etc/hosts: itself, and what the recorded instance had in its own. */
  hostsPath: string;
  /** Apps that run in it: removed before it is used again. */
  apps: string[];
  /** How many replays it was used for. */
  uses: number;
  /** Removes the apps; the world begins anew with its next recording. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export const sandboxLabel = 'fixpoint.sandbox';

/** Rejects, having removed what it made, when any of it fails. */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { engine, owner } = options;
  const labels = { [sandboxLabel]: owner };
  const containers: string[] = [];
  const directory = await mkdtemp(join(tmpdir(), `fixpoint-sandbox-${owner}-`));
  const io = join(directory, 'io');
  await mkdir(io);
  await chmod(io, 0o777); // the world's root may be without power over the files of others
  const link = await WorldLink.listen(join(io, 'replayer.sock'));
  await chmod(join(io, 'replayer.sock'), 0o777);
  const apps: string[] = [];
  const clear = async () => {
    await Promise.all(apps.splice(0).map((id) => engine.remove(id)));
  };
  const close = async () => {
    link.close();
    await Promise.all([clear(), ...containers.map((id) => engine.remove(id))]);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const anchorId = await engine.create(anchorSpec(options, labels));
    containers.push(anchorId);
    await engine.start(anchorId);
    const hostsPath = join(directory, 'hosts');
    await writeFile(hostsPath, hostsText(anchorId));
    const worldId = await engine.create(worldSpec(options, { labels, anchorId, io }));
    containers.push(worldId);
    await engine.start(worldId);
    void engine.wait(worldId).then(
      async () => link.lose(await lastWords(engine, worldId)),
      () => {},
    );
    await link.up(options.openTimeoutMs);
    return { anchorId, link, directory, labels, hostsPath, apps, uses: 0, clear, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function anchorSpec(options: SandboxOptions, labels: Record<string, string>): ContainerSpec {
  return {
    image: options.image,
    labels: { ...labels, 'fixpoint.role': 'anchor' },
    entrypoint: ['sh', '-c'],
    command: [anchorScript({ ipv6: hasIpv6() })],
    network: { kind: 'none' },
    capabilitiesDropAll: true,
    capabilitiesAdd: ['NET_ADMIN'],
    sysctls: ipv6Sysctls(),
    readOnlyRoot: true,
    memoryBytesMax: 64 << 20,
  };
}

function worldSpec(
  options: SandboxOptions,
  place: { labels: Record<string, string>; anchorId: string; io: string },
): ContainerSpec {
  return {
    image: options.image,
    labels: { ...place.labels, 'fixpoint.role': 'world' },
    entrypoint: ['node', '--disable-warning=ExperimentalWarning'],
    command: ['/fixpoint/world.mjs', '/fixpoint/io/replayer.sock'],
    network: { kind: 'none' },
    pidOf: place.anchorId,
    capabilitiesDropAll: true,
    // To lay the cable, to listen on low ports, and (the rest) to see what the app sends.
    capabilitiesAdd: ['NET_ADMIN', 'NET_BIND_SERVICE', 'NET_RAW', 'SETGID', 'SETUID'],
    sysctls: {
      ...ipv6Sysctls(),
      ...(hasIpv6() ? { 'net.ipv6.ip_nonlocal_bind': '1' } : {}),
      'net.ipv4.icmp_echo_ignore_all': '1',
    },
    binds: [
      { host: options.assets.world, container: '/fixpoint/world.mjs', readOnly: true },
      { host: place.io, container: '/fixpoint/io', readOnly: false },
    ],
    readOnlyRoot: true,
    memoryBytesMax: options.worldMemoryBytesMax,
    processesMax: 64,
  };
}

/**
 * The app's host name is its anchor's. Names that the instance had in its own file (the host's
 * gateway, say) lead where they led; there, too, only the world listens.
 */
export function hostsText(anchorId: string, recorded: Record<string, string> = {}): string {
  const local = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';
  const names = Object.entries(recorded).map(([name, address]) => `${address}\t${name}\n`);
  return `${local}${appAddress.v4}\t${anchorId.slice(0, 12)}\n${names.join('')}`;
}

async function lastWords(engine: Engine, worldId: string): Promise<string> {
  const lines = await engine.tail(worldId, 5).catch(() => []);
  return `the world ended: ${lines.map((line) => line.text).join(' | ') || 'it said nothing'}`;
}

function ipv6Sysctls(): Record<string, string> {
  if (!hasIpv6()) return {};
  return {
    'net.ipv6.conf.all.disable_ipv6': '0',
    'net.ipv6.conf.default.disable_ipv6': '0',
  };
}

/** A kernel without IPv6 refuses its settings. */
function hasIpv6(): boolean {
  return existsSync('/proc/net/if_inet6');
}

/** The app's container in a sandbox: the release as it is, with the world for its network. */
import type { Release } from '../domain/app.ts';
import type { ContainerSpec } from '../engine/engine.ts';
import type { Assets } from './assets.ts';
import type { ImageRuntime } from './image-runtime.ts';

export interface AppContainerOptions {
  release: Release;
  imageId: string;
  env: Record<string, string>;
  runtime: ImageRuntime;
  assets: Assets;
  anchorId: string;
  labels: Record<string, string>;
  hostsPath: string;
  /** The file that raised exceptions are written to; null does not watch. */
  watchPath: string | null;
  /** What to add to the real time to get the app's; null leaves the clock alone. */
  clockOffsetMs: number | null;
  cpus: number;
}

/** Docker's usual ones without anything that touches the network but for low ports. */
const capabilities = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['NET_BIND_SERVICE', 'SYS_CHROOT'],
];

const insideWatch = '/fixpoint/watch.cjs';
const insideWatchFile = '/fixpoint/raised.ndjson';
const insideClock = '/fixpoint/clock.cjs';
const insideFaketime = '/fixpoint/libfaketime.so.1';

/** The container to make, and what will not be as it was in production, in words. */
export function appContainer(options: AppContainerOptions): {
  spec: ContainerSpec;
  caveats: string[];
} {
  const { release, assets, runtime } = options;
  // As a deployment runs it.
  const env: Record<string, string> = { PORT: String(release.config.port), ...options.env };
  const binds = [
    { host: assets.resolvConf, container: '/etc/resolv.conf', readOnly: true },
    { host: options.hostsPath, container: '/etc/hosts', readOnly: true },
  ];
  const caveats = setClock(options, env, binds);
  if (options.watchPath !== null) {
    binds.push({ host: assets.watch, container: insideWatch, readOnly: true });
    binds.push({ host: options.watchPath, container: insideWatchFile, readOnly: false });
    env.FIXPOINT_WATCH_FILE = insideWatchFile;
    addNodeOption(env, runtime, `--require ${insideWatch}`);
  }
  const spec: ContainerSpec = {
    image: options.imageId,
    labels: { ...options.labels, 'fixpoint.role': 'app' },
    env,
    network: { kind: 'container', id: options.anchorId },
    capabilitiesDropAll: true,
    capabilitiesAdd: capabilities,
    binds,
    memoryBytesMax: release.config.memoryBytesMax,
    processesMax: release.config.processesMax,
    cpus: options.cpus,
  };
  return { spec, caveats };
}

type Binds = NonNullable<ContainerSpec['binds']>;

function setClock(
  options: AppContainerOptions,
  env: Record<string, string>,
  binds: Binds,
): string[] {
  const { clockOffsetMs, runtime, assets } = options;
  if (clockOffsetMs === null) return [];
  if (runtime.libc === 'glibc' && assets.faketime !== null) {
    binds.push({ host: assets.faketime, container: insideFaketime, readOnly: true });
    const preload = env.LD_PRELOAD ?? runtime.env.LD_PRELOAD ?? '';
    env.LD_PRELOAD = preload === '' ? insideFaketime : `${insideFaketime}:${preload}`;
    env.FAKETIME = `${clockOffsetMs < 0 ? '-' : '+'}${(Math.abs(clockOffsetMs) / 1000).toFixed(3)}`;
    env.FAKETIME_DONT_FAKE_MONOTONIC = '1';
    env.DONT_FAKE_MONOTONIC = '1';
    env.NO_FAKE_STAT = '1';
    return [];
  }
  binds.push({ host: assets.clock, container: insideClock, readOnly: true });
  env.FIXPOINT_CLOCK_OFFSET_MS = String(Math.round(clockOffsetMs));
  addNodeOption(env, runtime, `--require ${insideClock}`);
  return ['the clock was set for Node only: the image has no glibc'];
}

/** Options that the release or its image has already are kept. */
function addNodeOption(env: Record<string, string>, runtime: ImageRuntime, option: string): void {
  const before = env.NODE_OPTIONS ?? runtime.env.NODE_OPTIONS ?? '';
  env.NODE_OPTIONS = before === '' ? option : `${before} ${option}`;
}

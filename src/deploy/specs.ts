/** The containers of a deployment as data: pure functions that tests compare. */
import type { Release } from '../domain/app.ts';
import type { ContainerSpec, Labels } from '../engine/engine.ts';
import type { DeploySettings } from './context.ts';

export type Role = 'anchor' | 'app' | 'front';

export const labelNames = {
  owner: 'fixpoint.owner',
  role: 'fixpoint.role',
  app: 'fixpoint.app',
  release: 'fixpoint.release',
  instance: 'fixpoint.instance',
  commit: 'fixpoint.commit',
} as const;

/** Where the host itself is reached from an app, `DATABASE_URL` say. */
export const hostName = 'host.docker.internal';

export interface InstanceNames {
  app: string;
  instance: string;
}

/**
 * Holds the network namespace of an instance, before and after the app's own process: it is known
 * to the sensor before any of the app's code runs, and outlives crashes. It has no alias: an app's
 * name must not lead to an instance that is still starting, so names belong to fronts.
 */
export function anchorSpec(settings: DeploySettings, names: InstanceNames): ContainerSpec {
  return {
    ...helperSpec(settings),
    name: containerName(names, 'net'),
    labels: labelsOf(settings, names, 'anchor'),
    command: ['sleep', 'infinity'],
    readOnlyRoot: true,
    network: { kind: 'network', name: settings.network, aliases: [] },
    extraHosts: { [hostName]: 'host-gateway' },
    memoryBytesMax: 32 << 20,
    processesMax: 8,
  };
}

/** The app itself, in its anchor's network namespace. */
export function appSpec(
  settings: DeploySettings,
  names: InstanceNames,
  run: { release: Release; env: Record<string, string>; anchorId: string },
): ContainerSpec {
  const { config, imageId } = run.release;
  return {
    image: imageId,
    name: containerName(names, 'app'),
    labels: {
      ...labelsOf(settings, names, 'app'),
      [labelNames.release]: String(run.release.number),
    },
    env: { PORT: String(config.port), ...run.env },
    network: { kind: 'container', id: run.anchorId },
    memoryBytesMax: config.memoryBytesMax,
    processesMax: config.processesMax,
  };
}

/** Answers to an app's name on the network and hands connections to its healthy instance. */
export function frontSpec(settings: DeploySettings, app: string): ContainerSpec {
  return {
    ...helperSpec(settings),
    labels: {
      [labelNames.owner]: settings.owner,
      [labelNames.role]: 'front',
      [labelNames.app]: app,
    },
    command: ['node', '--max-old-space-size=64', `/${frontPaths.program}`, `/${frontPaths.target}`],
    network: { kind: 'network', name: settings.network, aliases: [app] },
    sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
    memoryBytesMax: 192 << 20,
    processesMax: 64,
    restart: 'always',
  };
}

/** In the front's container, relative to its root. */
export const frontPaths = {
  folder: 'fixpoint',
  program: 'fixpoint/front-program.ts',
  target: 'fixpoint/target.json',
} as const;

export function imageLabels(settings: DeploySettings, app: string, commit: string): Labels {
  return {
    [labelNames.owner]: settings.owner,
    [labelNames.app]: app,
    [labelNames.commit]: commit,
  };
}

function helperSpec(settings: DeploySettings) {
  return { image: settings.anchorImage, entrypoint: [], capabilitiesDropAll: true };
}

function labelsOf(settings: DeploySettings, names: InstanceNames, role: Role): Labels {
  return {
    [labelNames.owner]: settings.owner,
    [labelNames.role]: role,
    [labelNames.app]: names.app,
    [labelNames.instance]: names.instance,
  };
}

/** What `docker ps` shows; unique over all platforms by the instance's id. */
function containerName({ app, instance }: InstanceNames, part: string): string {
  return `fixpoint-${app}-${instance}-${part}`;
}

/** Between our words for containers and the engine's JSON, as pure functions. */
import type { ProcessExit } from '../domain/app.ts';
import type { ContainerInfo, ContainerSpec, ImageInfo, Labels } from './engine.ts';
import { instantOfStamp } from './log-lines.ts';

export interface LogLimits {
  fileBytesMax: number;
  filesMax: number;
}

/** The body of `POST /containers/create`. There is no way to ask for `Privileged`. */
export function createBody(spec: ContainerSpec, labels: Labels, log: LogLimits) {
  return withoutUndefined({
    Image: spec.image,
    Labels: { ...labels, ...spec.labels },
    Cmd: spec.command,
    Entrypoint: spec.entrypoint,
    Env: spec.env && Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    User: spec.user,
    WorkingDir: spec.workdir,
    OpenStdin: spec.stdin,
    // Without it the process would never see the end of its input.
    StdinOnce: spec.stdin,
    AttachStdin: spec.stdin,
    HostConfig: hostConfig(spec, log),
    NetworkingConfig:
      spec.network.kind === 'network'
        ? { EndpointsConfig: { [spec.network.name]: { Aliases: spec.network.aliases } } }
        : undefined,
  });
}

function hostConfig(spec: ContainerSpec, log: LogLimits) {
  return withoutUndefined({
    NetworkMode: networkMode(spec.network),
    PidMode: spec.pidOf && `container:${spec.pidOf}`,
    CapDrop: spec.capabilitiesDropAll ? ['ALL'] : undefined,
    CapAdd: spec.capabilitiesAdd,
    Sysctls: spec.sysctls,
    Mounts: spec.binds?.map((bind) => ({
      Type: 'bind',
      Source: bind.host,
      Target: bind.container,
      ReadOnly: bind.readOnly,
    })),
    Memory: spec.memoryBytesMax,
    // Equal to Memory: no swap on top of it.
    MemorySwap: spec.memoryBytesMax,
    PidsLimit: spec.processesMax,
    NanoCpus: spec.cpus && Math.round(spec.cpus * 1e9),
    ReadonlyRootfs: spec.readOnlyRoot,
    Init: spec.init,
    Dns: spec.dns,
    ExtraHosts: spec.extraHosts && Object.entries(spec.extraHosts).map((pair) => pair.join(':')),
    RestartPolicy: spec.restart && { Name: spec.restart },
    LogConfig: {
      Type: 'json-file',
      Config: { 'max-size': String(log.fileBytesMax), 'max-file': String(log.filesMax) },
    },
  });
}

function networkMode(network: ContainerSpec['network']): string {
  if (network.kind === 'network') return network.name;
  return network.kind === 'none' ? 'none' : `container:${network.id}`;
}

/** The parts of `GET /containers/ID/json` that we read. */
export interface ContainerJson {
  Id: string;
  Name: string;
  Image: string;
  Config: { Labels: Labels | null };
  State: {
    Status: string;
    Running: boolean;
    Pid: number;
    ExitCode: number;
    OOMKilled: boolean;
    FinishedAt: string;
    Error: string;
  };
  NetworkSettings: { Networks: Record<string, { IPAddress: string }> | null };
}

export function containerInfoOf(json: ContainerJson, netns: number | null): ContainerInfo {
  const addresses: Record<string, string> = {};
  for (const [name, endpoint] of Object.entries(json.NetworkSettings.Networks ?? {})) {
    if (endpoint.IPAddress) addresses[name] = endpoint.IPAddress;
  }
  return {
    id: json.Id,
    name: json.Name.replace(/^\//, ''),
    labels: json.Config.Labels ?? {},
    image: json.Image,
    running: json.State.Running,
    pid: json.State.Running ? json.State.Pid : 0,
    netns,
    addresses,
    exit: exitOf(json.State),
  };
}

/**
 * How the process of a stopped container ended; null while it runs or was never started. The
 * engine gives a death by signal as 128 + signal, which an exit code can be as well: it is taken
 * for the signal, the far more frequent of the two (the sensor sees the difference).
 */
export function exitOf(state: ContainerJson['State']): ProcessExit | null {
  if (state.Running || state.Status === 'created') return null;
  const bySignal = state.ExitCode > 128 && state.ExitCode <= 128 + 64;
  return {
    at: instantOfStamp(state.FinishedAt),
    code: bySignal ? null : state.ExitCode,
    signal: bySignal ? state.ExitCode - 128 : null,
    oomKilled: state.OOMKilled,
  };
}

/** The parts of `GET /images/ID/json` that we read. */
export interface ImageJson {
  Id: string;
  Config: {
    WorkingDir?: string;
    Env?: string[] | null;
    Entrypoint?: string[] | null;
    Cmd?: string[] | null;
    ExposedPorts?: Record<string, unknown> | null;
    User?: string;
  } | null;
}

export function imageInfoOf({ Id, Config }: ImageJson): ImageInfo {
  const tcp = Object.keys(Config?.ExposedPorts ?? {}).filter((port) => !port.endsWith('/udp'));
  return {
    id: Id,
    workdir: Config?.WorkingDir || '/',
    env: Config?.Env ?? [],
    entrypoint: Config?.Entrypoint ?? [],
    command: Config?.Cmd ?? [],
    exposedPorts: tcp.map((port) => Number.parseInt(port, 10)).sort((a, b) => a - b),
    user: Config?.User ?? '',
  };
}

function withoutUndefined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined),
  ) as Partial<T>;
}

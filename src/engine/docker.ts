/** The Docker Engine behind the Engine seam, through its HTTP API on a Unix socket. */
import { readlink } from 'node:fs/promises';
import { defaultEngineHost, engineAddressOf } from './address.ts';
import { type BuilderMemory, build } from './build.ts';
import { type EngineCall, type EngineClient, engineClient } from './client.ts';
import * as json from './container-json.ts';
import { type ContainerInfo, type Engine, EngineError, type Labels } from './engine.ts';
import { exec } from './exec.ts';
import { putArchiveInto, readFileOf } from './files.ts';
import { attach, follow, tail } from './output.ts';

export interface DockerEngineOptions {
  /** `unix:///path` or `tcp://host:port`; `DOCKER_HOST` and then the usual socket by default. */
  host?: string;
  /** Put on every container, network and image made here, beside those that the caller gives. */
  labels?: Labels;
  /** What the engine keeps of a container's output. */
  log?: json.LogLimits;
}

const logLimits: json.LogLimits = { fileBytesMax: 20 << 20, filesMax: 3 };

/** Nothing is asked of the engine before the first call. Throws when `host` cannot be read. */
export function dockerEngine(options: DockerEngineOptions = {}): Engine {
  const host = options.host ?? process.env.DOCKER_HOST ?? '';
  const client = engineClient(engineAddressOf(host || defaultEngineHost));
  const context: Context = {
    client,
    labels: options.labels ?? {},
    log: options.log ?? logLimits,
    builder: { builder: '2' },
  };
  const isRunning = async (id: string) => (await inspect(client, id))?.running ?? false;
  return {
    ping: () => client.version(),
    ...images(context),
    ...containers(context),
    ...networks(context),
    attach: (id) => attach(client, id),
    follow: (id, following) => follow(client, id, () => isRunning(id), following),
    tail: (id, lines) => tail(client, id, lines),
    exec: (id, argv, execOptions = {}) => exec(client, id, argv, execOptions),
    readFile: (id, path) => readFileOf(client, id, path),
    putArchive: (id, folder, tar) => putArchiveInto(client, { id, folder, tar }),
  };
}

interface Context {
  client: EngineClient;
  labels: Labels;
  log: json.LogLimits;
  builder: BuilderMemory;
}

function images(
  context: Context,
): Pick<Engine, 'build' | 'image' | 'images' | 'removeImage' | 'readImageFiles'> {
  const { client, labels, builder } = context;
  const made = containers(context);
  return {
    build: (options) =>
      build(client, builder, { ...options, labels: { ...labels, ...options.labels } }),
    async image(reference) {
      const path = `/images/${reference}/json`;
      const call: EngineCall = { method: 'GET', path, about: `image ${reference}` };
      const found = await unless404(client.json<json.ImageJson>(call));
      return found && json.imageInfoOf(found);
    },
    async images(wanted) {
      const label = Object.entries(wanted).map(([name, value]) => `${name}=${value}`);
      const query = { filters: JSON.stringify({ label }) };
      const path = '/images/json';
      const found = await client.json<{ Id: string }[]>({
        method: 'GET',
        path,
        query,
        about: 'images',
      });
      return found.map(({ Id }) => Id);
    },
    async removeImage(id) {
      const path = `/images/${id}`;
      const query = { force: true };
      await unless404(client.json({ method: 'DELETE', path, query, about: `image ${id}` }));
    },
    async readImageFiles(imageId, paths) {
      const files = new Map<string, Uint8Array>();
      const network = { kind: 'none' } as const;
      // Never started; a command is only asked for because an image may have none.
      const spec = { image: imageId, labels: {}, entrypoint: ['/none'], command: [], network };
      const id = await made.create(spec);
      try {
        for (const path of paths) {
          const bytes = await readFileOf(client, id, path);
          if (bytes) files.set(path, bytes);
        }
      } finally {
        await made.remove(id);
      }
      return files;
    },
  };
}

type OfContainers = 'create' | 'start' | 'stop' | 'kill' | 'remove' | 'inspect' | 'list' | 'wait';

function containers({ client, labels, log }: Context): Pick<Engine, OfContainers> {
  return {
    async create(spec) {
      const body = json.createBody(spec, labels, log);
      const query = { name: spec.name };
      const path = '/containers/create';
      const about = `a container of ${spec.image}`;
      const call: EngineCall = { method: 'POST', path, query, json: body, about };
      return (await client.json<{ Id: string }>(call)).Id;
    },
    async start(id) {
      await client.json(containerCall('POST', id, '/start'));
    },
    async stop(id, { timeoutMs }) {
      const t = Math.ceil(timeoutMs / 1000);
      const call = { ...containerCall('POST', id, '/stop', { t }), timeoutMs: timeoutMs + 60_000 };
      await unless404(client.json(call));
    },
    async kill(id, signal) {
      await client.json(containerCall('POST', id, '/kill', { signal }));
    },
    async remove(id) {
      await removeContainer(client, id);
    },
    inspect: (id) => inspect(client, id),
    async list(wanted) {
      const filters = JSON.stringify({
        label: Object.entries(wanted).map((pair) => pair.join('=')),
      });
      const query = { all: true, filters };
      const call = { method: 'GET', path: '/containers/json', query, about: 'containers' } as const;
      const found = await client.json<{ Id: string }[]>(call);
      const infos = await Promise.all(found.map(({ Id }) => inspect(client, Id)));
      return infos.filter((info) => info !== null);
    },
    async wait(id) {
      const query = { condition: 'not-running' };
      await client.json({ ...containerCall('POST', id, '/wait', query), timeoutMs: null });
      const info = await inspect(client, id);
      const exit = info?.exit;
      if (!exit)
        throw new EngineError(`container ${id}: removed while waited for`, { status: 404 });
      return exit;
    },
  };
}

function networks(context: Context): Pick<Engine, 'ensureNetwork' | 'removeNetwork'> {
  const { client } = context;
  const underWay = new Map<string, Promise<void>>();
  return {
    ensureNetwork(name, wanted) {
      const ensuring =
        underWay.get(name) ??
        ensureNetwork(context, name, wanted).finally(() => underWay.delete(name));
      underWay.set(name, ensuring);
      return ensuring;
    },
    async removeNetwork(name) {
      const path = `/networks/${encodeURIComponent(name)}`;
      await unless404(client.json({ method: 'DELETE', path, about: `network ${name}` }));
    },
  };
}

async function ensureNetwork({ client, labels }: Context, name: string, wanted: Labels) {
  const about = `network ${name}`;
  const list = async () => {
    const query = { filters: JSON.stringify({ name: [name] }) };
    const call = { method: 'GET', path: '/networks', query, about } as const;
    const found = await client.json<{ Id: string; Name: string; Created: string }[]>(call);
    const key = (network: { Created: string; Id: string }) => `${network.Created} ${network.Id}`;
    return found
      .filter((network) => network.Name === name)
      .sort((a, b) => (key(a) < key(b) ? -1 : 1));
  };
  if ((await list()).length > 0) return;
  const json = { Name: name, Driver: 'bridge', Labels: { ...labels, ...wanted } };
  const call: EngineCall = { method: 'POST', path: '/networks/create', json, about };
  const { Id } = await client.json<{ Id: string }>(call);
  // The engine allows two networks of one name and then refuses both as ambiguous: when another
  // process made one at the same moment, the older one stays.
  const [first] = await list();
  if (!first || first.Id === Id) return;
  await unless404(client.json({ method: 'DELETE', path: `/networks/${Id}`, about }));
}

function containerCall(
  method: EngineCall['method'],
  id: string,
  action: string,
  query: EngineCall['query'] = {},
): EngineCall {
  const path = `/containers/${encodeURIComponent(id)}${action}`;
  return { method, path, query, about: `container ${id}` };
}

async function inspect(client: EngineClient, id: string): Promise<ContainerInfo | null> {
  const call = containerCall('GET', id, '/json');
  const found = await unless404(client.json<json.ContainerJson>(call));
  if (!found) return null;
  const { Running, Pid } = found.State;
  return json.containerInfoOf(found, Running && Pid > 0 ? await netnsOf(Pid) : null);
}

/** Inode number of a process's network namespace: what the kernel and the sensor call it. */
async function netnsOf(pid: number): Promise<number | null> {
  const link = await readlink(`/proc/${pid}/ns/net`).catch(() => '');
  const inode = /^net:\[(\d+)\]$/.exec(link)?.[1];
  return inode === undefined ? null : Number(inode);
}

/** The engine refuses (409) while another removal of the same container is under way. */
async function removeContainer(client: EngineClient, id: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      const query = { force: true, v: true };
      await unless404(client.json(containerCall('DELETE', id, '', query)));
      return;
    } catch (error) {
      const busy = error instanceof EngineError && error.status === 409;
      if (!busy || tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (!(await inspect(client, id))) return;
    }
  }
}

async function unless404<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return null;
    throw error;
  }
}

/** What deploying needs of the rest: the parts it works with, who is told, and its settings. */
import type { Deployment, Instance, LogLine, ProcessExit } from '../domain/app.ts';
import type { ReleaseDefaults } from '../domain/app-file.ts';
import type { Logger } from '../domain/logger.ts';
import type { Engine } from '../engine/engine.ts';
import type { Repository } from '../git/repository.ts';
import type { Router } from '../router/router.ts';
import type { Store } from '../store/store.ts';

/** Who is told of what happens to instances; the recorder, say. */
export interface InstanceHooks {
  /** The network namespace is there and none of the app's code has run: it runs when this ends. */
  onAnchor(instance: Instance): Promise<void>;
  /** It passed its health gate. */
  onHealthy(instance: Instance): Promise<void>;
  /** It was serving before this server started: what happened meanwhile was not seen. */
  onAdopted(instance: Instance): Promise<void>;
  onLog(instance: Instance, line: LogLine): void;
  /** Its first process ended by itself. All its lines were given to `onLog` before. */
  onExit(instance: Instance, exit: ProcessExit): void;
  /** We are about to stop it. */
  onStop(instance: Instance): Promise<void>;
  /** It died so often that this is declared; it is still started again, at the longest delay. */
  onRestartLoop(instance: Instance, deaths: number): void;
}

export interface DeploySettings {
  /** Identity of this platform on an engine that others may use: only what bears it is touched. */
  owner: string;
  /** The network on which apps reach each other by name. */
  network: string;
  /** An app is served as APP.DOMAIN. */
  domain: string;
  /** Port of the router, to say where an app is. */
  routerPort: number;
  /** Image of the containers that hold namespaces and names; has `node` and `sleep`. */
  anchorImage: string;
  defaults: ReleaseDefaults;
  buildTimeoutMs: number;
  /** Builds at once; more would starve what serves. */
  buildsMax: number;
  /** From SIGTERM to SIGKILL. */
  stopTimeoutMs: number;
  /** Images of each app that are kept, of its newest releases. */
  imagesKept: number;
  /** Lines of an app's output shown when it does not become healthy. */
  tailLines: number;
  restart: RestartSettings;
}

export interface RestartSettings {
  firstDelayMs: number;
  delayMsMax: number;
  /** Having lived so long, a process counts as well again. */
  calmAfterMs: number;
  /** Deaths in a row that are declared a loop. */
  loopDeaths: number;
}

export const deploySettings: Omit<
  DeploySettings,
  'owner' | 'domain' | 'routerPort' | 'defaults' | 'network'
> = {
  anchorImage: 'fixpoint/sandbox',
  buildTimeoutMs: 15 * 60_000,
  buildsMax: 1,
  stopTimeoutMs: 10_000,
  imagesKept: 10,
  tailLines: 20,
  restart: { firstDelayMs: 500, delayMsMax: 30_000, calmAfterMs: 60_000, loopDeaths: 5 },
};

export interface DeployOptions {
  engine: Engine;
  router: Router;
  store: Pick<Store, 'apps' | 'env' | 'releases' | 'deployments' | 'instances'>;
  logger: Logger;
  repositoryOf(app: string): Promise<Repository>;
  hooks: InstanceHooks;
  /** Releases whose images are kept whatever their age: those of unresolved issues. */
  neededReleases?(app: string): Promise<ReadonlySet<number>>;
  settings: DeploySettings;
}

/** One deployment on its way: what to deploy, and whom to tell. */
export interface Order {
  deployment: Deployment;
  say: (line: string) => void;
  /** Aborted when the server stops: the deployment ends as `interrupted`. */
  signal: AbortSignal;
}

export function hostOf(settings: DeploySettings, app: string): string {
  return `${app}.${settings.domain}`;
}

export function urlOf(settings: DeploySettings, app: string): string {
  const port = settings.routerPort === 80 ? '' : `:${settings.routerPort}`;
  return `http://${hostOf(settings, app)}${port}/`;
}

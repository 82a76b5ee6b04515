/** What a repository says of how it is deployed: its Dockerfile, and `fixpoint.json` beside it. */
import type { ReleaseConfig } from './app.ts';
import { nearest } from './nearest.ts';

export const appFileName = 'fixpoint.json';

/** Settings of `fixpoint.json`; what is absent is found out or has a default. */
export interface AppFile extends Partial<Omit<ReleaseConfig, 'workdir'>> {
  /** Path of the Dockerfile in the repository. */
  dockerfile?: string;
}

export type AppFileResult = { kind: 'read'; file: AppFile } | { kind: 'refused'; reason: string };

const ranges: Record<Exclude<keyof AppFile, 'dockerfile' | 'healthPath'>, [number, number]> = {
  port: [1, 65_535],
  healthTimeoutMs: [1_000, 3_600_000],
  drainMs: [0, 3_600_000],
  memoryBytesMax: [8 << 20, 2 ** 50],
  processesMax: [1, 1_000_000],
};

/** Reads the text of `fixpoint.json`, null when there is none. Unknown names are refused. */
export function readAppFile(text: string | null): AppFileResult {
  if (text === null) return { kind: 'read', file: {} };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refused((error as Error).message);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused('it must be an object');
  }
  for (const [name, setting] of Object.entries(value)) {
    const problem = problemOf(name, setting);
    if (problem) return refused(problem);
  }
  return { kind: 'read', file: value as AppFile };
}

function problemOf(name: string, value: unknown): string | null {
  if (name === 'healthPath') {
    const isPath = typeof value === 'string' && /^\/[\x21-\x7e]*$/.test(value);
    return isPath ? null : 'healthPath must be a path such as "/health"';
  }
  if (name === 'dockerfile') {
    const isPath = typeof value === 'string' && /^(?!\/)(?!.*\.\.).+$/.test(value);
    return isPath ? null : 'dockerfile must be a path within the repository';
  }
  const range = Object.hasOwn(ranges, name) ? ranges[name as keyof typeof ranges] : undefined;
  if (!range) {
    const known = ['dockerfile', 'healthPath', ...Object.keys(ranges)];
    return `there is no setting "${name}"; the nearest is "${nearest(name, known)}"`;
  }
  const [least, most] = range;
  const fits = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
  return fits ? null : `${name} must be a whole number from ${least} to ${most}`;
}

function refused(problem: string): AppFileResult {
  return { kind: 'refused', reason: `${appFileName}: ${problem}` };
}

export type DockerfileResult =
  | { kind: 'found'; path: string }
  | { kind: 'missing'; reason: string };

/** Other ways to say how an app is built, none of which is deployed so far. */
const otherWays = [
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
  'Procfile',
  'package.json',
  'requirements.txt',
  'pyproject.toml',
  'go.mod',
  'Gemfile',
  'pom.xml',
];

/** The Dockerfile among the paths of a commit, or in words what was looked for. */
export function findDockerfile(paths: readonly string[], file: AppFile): DockerfileResult {
  const wanted = file.dockerfile ? [file.dockerfile] : ['Dockerfile', 'Containerfile'];
  const found = wanted.find((path) => paths.includes(path));
  if (found) return { kind: 'found', path: found };
  const lookedFor = file.dockerfile
    ? `${appFileName} names ${file.dockerfile}, which is not in the repository.`
    : 'Looked for Dockerfile and Containerfile at the top of the repository and found neither.';
  const near = paths.find((path) => /(^|\/)(dockerfile|containerfile)(\.\w+)?$/i.test(path));
  const others = otherWays.filter((path) => paths.includes(path));
  const hints = [
    near ? ` There is ${near}: name it in ${appFileName} as {"dockerfile": "${near}"}.` : '',
    others.length > 0 ? ` There is ${others.join(', ')}, which cannot be deployed yet.` : '',
  ];
  return { kind: 'missing', reason: `${lookedFor}${hints.join('')} Add a Dockerfile.` };
}

/** What an image says of itself that matters here. */
export interface ImageFacts {
  exposedPorts: number[];
  env: string[];
  workdir: string;
}

export type ReleaseDefaults = Omit<ReleaseConfig, 'port' | 'workdir'>;

/** The port when nothing says one: the app is told it in `PORT`. */
export const fallbackPort = 8080;

/**
 * How a release is run. The port: `fixpoint.json`, then the app's own variable PORT, then the
 * image's EXPOSE (its PORT where there are several), then the image's PORT, then 8080.
 */
export function releaseConfigOf(from: {
  file: AppFile;
  image: ImageFacts;
  env: Record<string, string>;
  defaults: ReleaseDefaults;
}): { config: ReleaseConfig; portFrom: string } {
  const { dockerfile: _, ...file } = from.file;
  const { port, portFrom } = portOf(from);
  return { config: { ...from.defaults, ...file, port, workdir: from.image.workdir }, portFrom };
}

function portOf(from: { file: AppFile; image: ImageFacts; env: Record<string, string> }): {
  port: number;
  portFrom: string;
} {
  const { exposedPorts } = from.image;
  const inImage = portIn(from.image.env.find((pair) => pair.startsWith('PORT='))?.slice(5));
  const inEnv = portIn(from.env.PORT);
  if (from.file.port) return { port: from.file.port, portFrom: appFileName };
  if (inEnv) return { port: inEnv, portFrom: 'the variable PORT' };
  const exposed = inImage && exposedPorts.includes(inImage) ? inImage : exposedPorts[0];
  if (exposed) return { port: exposed, portFrom: 'EXPOSE in the Dockerfile' };
  if (inImage) return { port: inImage, portFrom: "the image's PORT" };
  return { port: fallbackPort, portFrom: 'the default, as nothing says another' };
}

function portIn(text: string | undefined): number | null {
  const port = Number(text);
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : null;
}

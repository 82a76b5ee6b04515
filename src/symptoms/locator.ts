/** From a place that a runtime printed to the line of source in the repository. */
import { posix } from 'node:path';
import type { StackLine } from '../domain/failure.ts';
import { readMap, type SourceMaps } from './maps.ts';
import type { Locate } from './symptoms.ts';
import type { Place } from './trace.ts';

/** What is needed of a repository. */
export interface SourceTree {
  tree(commit: string): Promise<{ path: string }[]>;
  read(commit: string, path: string): Promise<Uint8Array | null>;
}

export interface LocatorOptions {
  repository: SourceTree;
  commit: string;
  /** `WORKDIR` of the image. */
  workdir: string;
  /** A file of the release's image by its absolute path; null when there is none. */
  readImageFile(path: string): Promise<Uint8Array | null>;
}

/** Files whose lines are remembered. */
const filesMax = 500;
/** Parts of an image that are never an app's own code, also with `/` as the working directory. */
const foreignRoots = /^\/(?:usr|etc|proc|sys|dev|lib|lib64|bin|sbin|var|root|run)\//;

/**
 * Places under the working directory are in-app unless they are in `node_modules`. `file` is the
 * longest end of the (mapped) path that the commit has; a built file without a source map stays
 * what it is, relative to the working directory, with its text taken from the image.
 */
export function locator(options: LocatorOptions): Locate {
  const located = new Map<string, Promise<StackLine | null>>();
  const places = new Places(options);
  return (place) => {
    const key = `${place.file}:${place.line}:${place.column} ${place.function}`;
    const known = located.get(key);
    if (known !== undefined) return known;
    if (located.size >= filesMax) located.clear();
    const found = places.find(place);
    located.set(key, found);
    // A failed look-up (the engine is away) may succeed the next time.
    found.catch(() => located.delete(key));
    return found;
  };
}

class Places {
  readonly #options: LocatorOptions;
  readonly #maps: SourceMaps = new Map();
  readonly #texts = new Map<string, Promise<string[] | null>>();
  #paths: Promise<Set<string>> | null = null;

  constructor(options: LocatorOptions) {
    this.#options = options;
  }

  async find(place: Place): Promise<StackLine | null> {
    const printed = this.#pathOf(place.file);
    if (printed === null) return null;
    const original = place.line === 0 ? null : await this.#original(printed, place);
    const { path, line, column } = original ?? { ...place, path: printed };
    if (isDependency(path)) return null;
    const file = (await this.#inRepository(path)) ?? (await this.#elsewhere(path, line));
    if (file !== null) {
      const text = await this.#sourceLine(file, line);
      return { file, function: place.function, line, column, text, inApp: true };
    }
    if (!this.#isUnderWorkdir(path)) return null;
    const text = await this.#imageLine(path, line);
    const relative = posix.relative(this.#options.workdir, path);
    return { file: relative, function: place.function, line, column, text, inApp: true };
  }

  /** Absolute path in the image; null for what is no file of the app. */
  #pathOf(file: string): string | null {
    if (/^(?:node:|native$|<|index \d|internal\/|evalmachine)/.test(file)) return null;
    let path = file;
    if (/^file:\/\//.test(file)) {
      try {
        path = decodeURIComponent(new URL(file).pathname);
      } catch {
        return null;
      }
    } else if (/^[a-z][a-z+.-]*:/i.test(file)) {
      path = file.replace(/^[a-z][a-z+.-]*:\/*(?:[^/]*\/)?\.?\/?/i, '');
    }
    path = posix.resolve(this.#options.workdir, path);
    return isDependency(path) ? null : path;
  }

  async #original(
    printed: string,
    place: Place,
  ): Promise<{ path: string; line: number; column: number } | null> {
    if (!this.#isUnderWorkdir(printed)) return null;
    const map = await readMap(this.#maps, printed, this.#options.readImageFile);
    return map?.(place) ?? null;
  }

  /** The longest end of the path that is a file of the commit. */
  async #inRepository(path: string): Promise<string | null> {
    this.#paths ??= this.#options.repository
      .tree(this.#options.commit)
      .then((entries) => new Set(entries.map((entry) => entry.path)));
    const paths = await this.#paths;
    if (!this.#isUnderWorkdir(path) && foreignRoots.test(path)) return null;
    const parts = path.split('/').filter((part) => part !== '');
    // A bare file name (`index.js`) is everywhere: it counts at its own place only.
    const least = this.#isUnderWorkdir(path) ? 1 : 2;
    for (let index = 0; parts.length - index >= least; index++) {
      const end = parts.slice(index).join('/');
      if (paths.has(end)) return end;
    }
    return null;
  }

  /**
   * A part of the repository may lie in the working directory (`COPY src .`), or the runtime tells
   * packages and not folders (Java): the only file of the commit that ends so, if its line is the
   * image's, or the image has none to compare.
   */
  async #elsewhere(path: string, line: number): Promise<string | null> {
    if (!this.#isUnderWorkdir(path)) return null;
    const end = `/${posix.relative(this.#options.workdir, path)}`;
    const [only, ...others] = [...(await this.#paths!)].filter((each) => each.endsWith(end));
    if (only === undefined || others.length > 0) return null;
    const built = await this.#imageLine(path, line);
    return built === null || built === (await this.#sourceLine(only, line)) ? only : null;
  }

  #imageLine(path: string, line: number): Promise<string | null> {
    return this.#line(`image ${path}`, line, () => this.#options.readImageFile(path));
  }

  #sourceLine(file: string, line: number): Promise<string | null> {
    const { repository, commit } = this.#options;
    return this.#line(`repository ${file}`, line, () => repository.read(commit, file));
  }

  #isUnderWorkdir(path: string): boolean {
    const workdir = posix.resolve('/', this.#options.workdir);
    if (workdir === '/') return !foreignRoots.test(path);
    return path.startsWith(`${workdir}/`);
  }

  async #line(
    key: string,
    line: number,
    read: () => Promise<Uint8Array | null>,
  ): Promise<string | null> {
    let lines = this.#texts.get(key);
    if (lines === undefined) {
      if (this.#texts.size >= filesMax) this.#texts.clear();
      lines = read().then((bytes) => (bytes === null ? null : textOf(bytes).split('\n')));
      this.#texts.set(key, lines);
      lines.catch(() => this.#texts.delete(key));
    }
    return (await lines)?.[line - 1]?.trim().slice(0, 500) ?? null;
  }
}

function isDependency(path: string): boolean {
  return /(?:^|\/)(?:node_modules|\.pnpm|\.yarn)\//.test(path);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

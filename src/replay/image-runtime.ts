/** What an image's programs run on, as far as a replay depends on it. */
import type { Engine } from '../engine/engine.ts';

export interface ImageRuntime {
  /** Its C library: libfaketime can set the clock of glibc programs only. */
  libc: 'glibc' | 'musl' | 'none';
  /** The image's own environment. */
  env: Record<string, string>;
}

const glibcLoaders = [
  '/lib64/ld-linux-x86-64.so.2',
  '/lib/ld-linux-aarch64.so.1',
  '/lib/ld-linux-armhf.so.3',
];
const muslLoaders = ['/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-aarch64.so.1'];

/** Images are immutable, so each is looked into once. */
export class ImageRuntimes {
  readonly #engine: Engine;
  readonly #known = new Map<string, Promise<ImageRuntime>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Rejects when the engine fails or has no such image; asked again, it looks again. */
  of(imageId: string): Promise<ImageRuntime> {
    const known = this.#known.get(imageId) ?? this.#look(imageId);
    this.#known.set(imageId, known);
    known.catch(() => this.#known.delete(imageId));
    return known;
  }

  async #look(imageId: string): Promise<ImageRuntime> {
    const [info, files] = await Promise.all([
      this.#engine.image(imageId),
      this.#engine.readImageFiles(imageId, [...glibcLoaders, ...muslLoaders]),
    ]);
    if (info === null) throw new Error(`there is no image ${imageId}`);
    const has = (paths: readonly string[]) => paths.some((path) => files.has(path));
    return {
      libc: has(glibcLoaders) ? 'glibc' : has(muslLoaders) ? 'musl' : 'none',
      env: Object.fromEntries(
        info.env.map((pair) => {
          const at = pair.indexOf('=');
          return [pair.slice(0, at), pair.slice(at + 1)];
        }),
      ),
    };
  }
}

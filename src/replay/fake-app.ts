/** Small real apps for the tests of replays: an image from a few lines, removed afterwards. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dockerEngine } from '../engine/docker.ts';
import type { Engine } from '../engine/engine.ts';
import { tarOf } from '../engine/tar.ts';
import type { Locate } from '../symptoms/symptoms.ts';

export interface FakeApps {
  engine: Engine;
  /** Image id of a Node app whose only file is `/app/app.js`. */
  build(source: string, files?: Record<string, string | Uint8Array>): Promise<string>;
  removeAll(): Promise<void>;
}

export function fakeApps(): FakeApps {
  const engine = dockerEngine();
  const images: string[] = [];
  return {
    engine,
    async build(source, files = {}) {
      const dockerfile =
        'FROM node:24-bookworm-slim\nWORKDIR /app\nCOPY . .\nCMD ["node", "app.js"]\n';
      const all = { Dockerfile: dockerfile, 'app.js': source, ...files };
      const built = await engine.build({
        context: await tarOf(Object.entries(all).map(([path, bytes]) => ({ path, bytes }))),
        dockerfile: 'Dockerfile',
        labels: { 'fixpoint.test': 'replay' },
      });
      if (built.kind === 'failed') throw new Error(`${built.reason}\n${built.log.join('\n')}`);
      images.push(built.imageId);
      return built.imageId;
    },
    async removeAll() {
      for (const image of images) await engine.removeImage(image);
    },
  };
}

/** Files of npm packages and of all that they need, as they lie in our own node_modules. */
export async function packageFiles(...names: string[]): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  const wanted = [...names];
  const root = join(import.meta.dirname, '..', '..', 'node_modules');
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const folder = join(root, name);
    if (`node_modules/${name}/package.json` in files) continue;
    for (const path of await readdir(folder, { recursive: true })) {
      if (!/\.(js|cjs|mjs|json)$/.test(path)) continue;
      files[`node_modules/${name}/${path}`] = await readFile(join(folder, path));
    }
    const manifest = JSON.parse(
      Buffer.from(files[`node_modules/${name}/package.json`]!).toString(),
    );
    wanted.push(...Object.keys((manifest as { dependencies?: object }).dependencies ?? {}));
  }
  return files;
}

/** Takes everything below /app for the app's own. */
export const locateBelowApp: Locate = async (place) =>
  place.file.startsWith('/app/') && !place.file.includes('/node_modules/')
    ? { ...place, file: place.file.slice('/app/'.length), text: null, inApp: true }
    : null;

/** Small real apps for the tests of replays: an image from a few lines, removed afterwards. */
import { dockerEngine } from '../engine/docker.ts';
import type { Engine } from '../engine/engine.ts';
import { tarOf } from '../engine/tar.ts';
import type { Locate } from '../symptoms/symptoms.ts';

export interface FakeApps {
  engine: Engine;
  /** Image id of a Node app whose only file is `/app/app.js`. */
  build(source: string, files?: Record<string, string>): Promise<string>;
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

/** Takes everything below /app for the app's own. */
export const locateBelowApp: Locate = async (place) =>
  place.file.startsWith('/app/') && !place.file.includes('/node_modules/')
    ? { ...place, file: place.file.slice('/app/'.length), text: null, inApp: true }
    : null;

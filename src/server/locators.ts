/** From places in stack traces to source lines, for every image that the pipeline looks at. */
import type { Engine } from '../engine/engine.ts';
import type { Parts } from '../pipeline.ts';
import { locator } from '../symptoms/locator.ts';
import type { Locate } from '../symptoms/symptoms.ts';

const locatorsMax = 50;

/** Locators remember what they looked up, so each build has one for as long as it is in use. */
export function locators(engine: Engine, repositoryOf: Parts['repositoryOf']): Parts['locatorOf'] {
  const known = new Map<string, Promise<Locate>>();
  return ({ app, commit, imageId, workdir }) => {
    const key = `${app} ${commit} ${imageId}`;
    const made =
      known.get(key) ??
      repositoryOf(app).then((repository) =>
        locator({
          ...{ repository, commit, workdir },
          readImageFile: async (path) =>
            (await engine.readImageFiles(imageId, [path])).get(path) ?? null,
        }),
      );
    if (known.size >= locatorsMax) known.clear();
    known.set(key, made);
    return async (place) => (await made)(place);
  };
}

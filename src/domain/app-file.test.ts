// Exists to hold how a repository says the way it is deployed, and what it is told when it does not.
import { describe, expect, it } from 'vitest';
import { findDockerfile, readAppFile, releaseConfigOf } from './app-file.ts';

const defaults = {
  healthPath: '/',
  healthTimeoutMs: 60_000,
  drainMs: 10_000,
  memoryBytesMax: 512 << 20,
  processesMax: 512,
};
const image = { exposedPorts: [] as number[], env: [] as string[], workdir: '/app' };

describe('fixpoint.json', () => {
  it('is read strictly', () => {
    expect(readAppFile(null)).toEqual({ kind: 'read', file: {} });
    expect(readAppFile('{"port": 80}')).toEqual({ kind: 'read', file: { port: 80 } });
    const refusals: [string, RegExp][] = [
      ['{', /JSON/],
      ['[]', /object/],
      ['{"prot": 80}', /no setting "prot"; the nearest is "port"/],
      ['{"port": "80"}', /port must be a whole number from 1 to 65535/],
      ['{"healthPath": "health"}', /healthPath/],
      ['{"dockerfile": "../Dockerfile"}', /dockerfile/],
      ['{"toString": 1}', /no setting/],
    ];
    for (const [text, reason] of refusals) {
      expect(readAppFile(text), text).toEqual({
        kind: 'refused',
        reason: expect.stringMatching(reason),
      });
    }
  });
});

describe('Dockerfile', () => {
  it('is found, or it is said what was looked for', () => {
    expect(findDockerfile(['a', 'Dockerfile'], {})).toEqual({ kind: 'found', path: 'Dockerfile' });
    const named = { dockerfile: 'deploy/x' };
    expect(findDockerfile(['deploy/x'], named)).toEqual({ kind: 'found', path: 'deploy/x' });
    const reasonOf = (paths: string[], file = {}) => {
      const result = findDockerfile(paths, file);
      return result.kind === 'missing' ? result.reason : '';
    };
    expect(reasonOf([])).toMatch(/Looked for Dockerfile and Containerfile/);
    expect(reasonOf(['compose.yaml', 'package.json'])).toMatch(/compose.yaml, package.json/);
    expect(reasonOf(['deploy/dockerfile.prod'])).toMatch(/"dockerfile": "deploy\/dockerfile.prod"/);
    expect(reasonOf(['Dockerfile'], named)).toMatch(/names deploy\/x, which is not/);
  });
});

describe('release configuration', () => {
  const portOf = (file: object, more: object, env: Record<string, string> = {}) => {
    const from = { file, image: { ...image, ...more }, env, defaults };
    return releaseConfigOf(from).config.port;
  };

  it('takes the port from whoever says it most plainly', () => {
    const says = { exposedPorts: [5000, 6000], env: ['PORT=6000'] };
    expect(portOf({ port: 1 }, says, { PORT: '2' })).toBe(1);
    expect(portOf({}, says, { PORT: '2' })).toBe(2);
    expect(portOf({}, says, { PORT: 'x' })).toBe(6000);
    expect(portOf({}, { exposedPorts: [5000, 6000] })).toBe(5000);
    expect(portOf({}, { env: ['PORT=7'] })).toBe(7);
    expect(portOf({}, {})).toBe(8080);
  });

  it('has the defaults under what the repository says', () => {
    const file = { healthPath: '/up', dockerfile: 'x' };
    expect(releaseConfigOf({ file, image, env: {}, defaults }).config).toEqual({
      ...defaults,
      healthPath: '/up',
      port: 8080,
      workdir: '/app',
    });
  });
});

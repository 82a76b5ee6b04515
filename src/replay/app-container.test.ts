// The app's container as data: nothing of the network is its to touch, and its clock is set.
import { describe, expect, it } from 'vitest';
import { type AppContainerOptions, appContainer } from './app-container.ts';
import { release } from './fake-recording.ts';

const assets = {
  world: '/data/world.mjs',
  watch: '/data/watch.cjs',
  clock: '/data/clock.cjs',
  faketime: '/data/libfaketime.so.1',
  resolvConf: '/data/resolv.conf',
};

function made(changes: Partial<AppContainerOptions> = {}) {
  return appContainer({
    release: release({ imageId: 'sha256:1', port: 8080 }),
    imageId: 'sha256:2',
    env: { TOKEN: 'x' },
    runtime: {
      libc: 'glibc',
      env: { NODE_OPTIONS: '--enable-source-maps', LD_PRELOAD: '/own.so' },
    },
    assets,
    anchorId: 'anchor',
    labels: { 'fixpoint.sandbox': 'me' },
    hostsPath: '/data/hosts',
    watchPath: null,
    clockOffsetMs: -3_600_500,
    cpus: 2,
    ...changes,
  });
}

const targets = (spec: { binds?: { container: string }[] }) =>
  (spec.binds ?? []).map((bind) => bind.container);

describe('the container of the app', () => {
  it('joins its anchor, and may do nothing to the network', () => {
    const { spec, caveats } = made();
    expect(caveats).toEqual([]);
    expect(spec).toMatchObject({
      image: 'sha256:2',
      network: { kind: 'container', id: 'anchor' },
      capabilitiesDropAll: true,
      env: { TOKEN: 'x', PORT: '8080' },
      processesMax: 200,
    });
    for (const name of ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'SYS_TIME', 'SYS_PTRACE']) {
      expect(spec.capabilitiesAdd).not.toContain(name);
    }
    expect(spec.binds?.every((bind) => bind.readOnly)).toBe(true);
    expect(targets(spec).some((path) => path.includes('docker.sock'))).toBe(false);
  });

  it('has the port that the release sets for itself', () => {
    expect(made({ env: { PORT: '9' } }).spec.env?.PORT).toBe('9');
  });

  it('sets the clock beside what is preloaded already', () => {
    expect(made().spec.env).toMatchObject({
      LD_PRELOAD: '/fixpoint/libfaketime.so.1:/own.so',
      FAKETIME: '-3600.500',
    });
    expect(made({ clockOffsetMs: 250 }).spec.env?.FAKETIME).toBe('+0.250');
    expect(made({ clockOffsetMs: null }).spec.env).not.toHaveProperty('FAKETIME');
  });

  it('says where only Node has the recorded time', () => {
    const { spec, caveats } = made({ runtime: { libc: 'musl', env: {} } });
    expect(spec.env).not.toHaveProperty('LD_PRELOAD');
    expect(spec.env).toMatchObject({
      FIXPOINT_CLOCK_OFFSET_MS: '-3600500',
      NODE_OPTIONS: '--require /fixpoint/clock.cjs',
    });
    expect(caveats).toEqual(['the clock was set for Node only: the image has no glibc']);
  });

  it('watches exceptions through one file that the app can write', () => {
    const { spec } = made({ watchPath: '/data/raised.ndjson' });
    expect(spec.env?.NODE_OPTIONS).toBe('--enable-source-maps --require /fixpoint/watch.cjs');
    expect(spec.binds?.filter((bind) => !bind.readOnly)).toEqual([
      { host: '/data/raised.ndjson', container: '/fixpoint/raised.ndjson', readOnly: false },
    ]);
  });
});

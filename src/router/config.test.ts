// Exists to hold the text of nginx's configurations and what may never get into it.
import { describe, expect, it } from 'vitest';
import { edgeConfig, routerLimits, routesConfig } from './config.ts';
import type { Route } from './router.ts';

const paths = { pidFile: '/d/nginx.pid', errorLog: '/d/error.log', tempFolder: '/d/temp' };
const common = { limits: routerLimits, paths, routesSocket: '/run/r.sock' };
const configOf = (routes: Route[]) =>
  routesConfig({ ...common, routes, statusSocket: '/run/s.sock', generation: 'g1' });

describe('routes', () => {
  it('become a server each, with a default that answers 404', () => {
    const text = configOf([
      { host: 'shop.localhost', targets: [{ address: '172.18.0.2', port: 3000 }] },
      { host: 'six.localhost', targets: [{ address: 'fd00::1', port: 80 }] },
      { host: 'down.localhost', targets: [] },
    ]);
    expect(text).toContain('server 172.18.0.2:3000 max_fails=0;');
    expect(text).toContain('server [fd00::1]:80 max_fails=0;');
    expect(text).toMatch(/server_name down\.localhost;\s+default_type text\/plain;\s+return 503/);
    expect(text).toMatch(/default_server[^}]*return 404/);
    expect(text).toContain('return 200 "g1"');
  });

  it('that could say something else to nginx are refused', () => {
    const target = { address: '10.0.0.1', port: 80 };
    for (const host of ['', 'a;b', 'a b', '~.*', 'A.b', '.x', 'x{']) {
      expect(() => configOf([{ host, targets: [target] }]), host).toThrow(/not a host name/);
    }
    for (const bad of [
      { ...target, address: 'evil;' },
      { ...target, port: 0 },
    ]) {
      expect(() => configOf([{ host: 'a', targets: [bad] }])).toThrow(/not an address/);
    }
    const listen = ['0.0.0.0:80'];
    const odd = { ...common, routesSocket: '/run/a b;', listen };
    expect(() => edgeConfig(odd)).toThrow(/simpler/);
  });
});

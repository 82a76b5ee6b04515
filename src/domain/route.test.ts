// Which paths are one route: by their look, and by what traffic shows.
import { describe, expect, it } from 'vitest';
import { learnRoutes, routeTemplate } from './route.ts';

const get = (target: string) => routeTemplate('GET', target);

describe('routeTemplate', () => {
  it.each([
    ['/', 'GET /'],
    ['/orders/7', 'GET /orders/:id'],
    ['/orders/7/items/12?full=1', 'GET /orders/:id/items/:id'],
    ['/users/0b7a2c62-2f5c-4d2a-9a52-5a6c1f4f8f10', 'GET /users/:id'],
    ['/blobs/9f86d081884c7d659a2feaa0c55ad015', 'GET /blobs/:id'],
    ['/events/01ARZ3NDEKTSV4RRFFQ69G5FAV', 'GET /events/:id'],
    ['/days/2026-11-26', 'GET /days/:id'],
    ['/people/a%40b.example', 'GET /people/:id'],
    ['/price/USD', 'GET /price/:id'],
    ['/carts/c2', 'GET /carts/:id'],
    ['/pay/pi_3MtwBwLkdIwHu7ix', 'GET /pay/:id'],
    ['http://shop.example/orders/7', 'GET /orders/:id'],
    ['*', 'GET /*'],
    ['/bad/%zz', 'GET /bad/%zz'],
  ])('%s -> %s', (target, route) => {
    expect(get(target)).toBe(route);
  });

  it('leaves fixed segments alone', () => {
    for (const path of [
      '/v1/orders',
      '/api/v2/users/list',
      '/storage/s3',
      '/API/health',
      '/oauth2/token',
      '/assets/app.js',
      '/reports/weekly',
    ]) {
      expect(get(path)).toBe(`GET ${path}`);
    }
  });
});

describe('learnRoutes', () => {
  const asked = (...targets: string[]) => targets.map((target) => ({ method: 'GET', target }));
  const of = (routes: ReturnType<typeof learnRoutes>, target: string) =>
    routes.routeOf({ method: 'GET', target });

  it('makes one route of codes seen at one place, for values not seen yet, too', () => {
    const routes = learnRoutes(asked('/shop/red-7/size', '/shop/blue-9/size', '/shop/help/size'));
    expect(of(routes, '/shop/red-7/size')).toBe('GET /shop/:id/size');
    expect(of(routes, '/shop/green-1/size?x=1')).toBe('GET /shop/:id/size');
    expect(of(routes, '/shop/help/size')).toBe('GET /shop/help/size');
    expect(of(routes, '/shop/new/size')).toBe('GET /shop/new/size');
  });

  it('makes a parameter of words only when there are many', () => {
    const few = learnRoutes(asked('/users/list', '/users/export'));
    expect(of(few, '/users/list')).toBe('GET /users/list');
    const names = 'ada bob cleo dan eve finn gus hal'.split(' ').map((name) => `/hi/${name}`);
    expect(of(learnRoutes(asked(...names)), '/hi/ian')).toBe('GET /hi/:id');
  });

  it('keeps methods and depths apart, and areas of an API', () => {
    const areas = 'ada bob cleo dan eve finn gus hal'.split(' ').map((name) => `/${name}`);
    const routes = learnRoutes(asked(...areas));
    expect(of(routes, '/ada')).toBe('GET /ada');
    const post = learnRoutes(asked('/a/x1', '/a/x2'));
    expect(post.routeOf({ method: 'POST', target: '/a/x1' })).toBe('POST /a/x1');
    expect(of(post, '/a/x1/b')).toBe('GET /a/x1/b');
  });

  it('does not depend on the order of what it saw', () => {
    const targets = ['/p/a1/q/b1', '/p/a2/q/b1', '/p/a2/q/b2', '/p/a1/q/b2', '/p/a1/r'];
    const forward = learnRoutes(asked(...targets));
    const backward = learnRoutes(asked(...targets.toReversed()));
    for (const target of targets) expect(of(forward, target)).toBe(of(backward, target));
    expect(of(forward, '/p/a9/q/b9')).toBe('GET /p/:id/q/:id');
  });
});

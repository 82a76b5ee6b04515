/**
 * The two configurations of nginx, as text made by pure functions. The edge keeps users'
 * connections and is never reloaded; it hands each request over a new connection on a Unix socket
 * to the second nginx, which knows the routes and is reloaded on every change. So a reload never
 * closes a connection on which a user is about to ask something: with one nginx it does (before
 * 1.27.4, which has keepalive_min_timeout for this).
 */
import { isIP } from 'node:net';
import type { Route } from './router.ts';

export interface EdgeSettings {
  /** Addresses and ports to listen on: `0.0.0.0:8080`, `[::]:8080`. */
  listen: string[];
  /** Unix socket of the second nginx. */
  routesSocket: string;
  limits: RouterLimits;
  paths: NginxPaths;
}

export interface RoutesSettings {
  routes: Route[];
  routesSocket: string;
  /** Answers `generation`, so that it can be seen which configuration serves. */
  statusSocket: string;
  generation: string;
  limits: RouterLimits;
  paths: NginxPaths;
}

export interface RouterLimits {
  /** 0: unlimited. */
  bodyBytesMax: number;
  connectTimeoutMs: number;
  /** Silence of an app (or of an open websocket) until its connection is given up. */
  idleTimeoutMs: number;
  /** How long a user's connection is kept open between requests. */
  keepAliveMs: number;
  /** How long open requests and websockets may outlive a change of the routes. */
  oldRoutesMs: number;
  connectionsMax: number;
}

export const routerLimits: RouterLimits = {
  bodyBytesMax: 0,
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 600_000,
  keepAliveMs: 75_000,
  oldRoutesMs: 24 * 3_600_000,
  connectionsMax: 4096,
};

export interface NginxPaths {
  pidFile: string;
  errorLog: string;
  tempFolder: string;
}

/** Keeps users' connections. Depends on nothing that a deployment changes. */
export function edgeConfig({ listen, routesSocket, limits, paths }: EdgeSettings): string {
  return nginxConfig(
    { limits, paths },
    `
  map $http_upgrade $hop { default upgrade; '' close; }
  upstream routes { server unix:${checkedPath(routesSocket)}; }
  server {
${listen.map(listenLine).join('\n')}
    server_name _;
    location / {
      proxy_pass http://routes;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $hop;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
    error_page 502 503 504 @down;
    location @down {
      internal;
      default_type text/plain;
      return 503 "the router is starting: try again\\n";
    }
  }`,
  );
}

function listenLine(address: string): string {
  return `    listen ${address} backlog=4096${address.startsWith('[') ? ' ipv6only=on' : ''};`;
}

/** Knows which host name is answered by whom. Throws on a route that is not well-formed. */
export function routesConfig(settings: RoutesSettings): string {
  const { limits, paths } = settings;
  const routesSocket = checkedPath(settings.routesSocket);
  return nginxConfig(
    { limits, paths },
    `
  map $http_upgrade $hop { default upgrade; '' ''; }
  server {
    listen unix:${checkedPath(settings.statusSocket)};
    default_type text/plain;
    location = /generation { return 200 "${settings.generation}"; }
  }
  server {
    listen unix:${routesSocket} default_server backlog=4096;
    server_name _;
    default_type text/plain;
    return 404 "no app answers at this host name\\n";
  }
${settings.routes.map((route, index) => routeBlock(route, { index, routesSocket })).join('\n')}`,
  );
}

function routeBlock(route: Route, place: { index: number; routesSocket: string }): string {
  const { host, targets } = route;
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(host)) {
    throw new Error(`not a host name: ${JSON.stringify(host)}`);
  }
  const head = `  server {
    listen unix:${place.routesSocket};
    server_name ${host};`;
  if (targets.length === 0) {
    return `${head}
    default_type text/plain;
    return 503 "the app at this host name is not running\\n";
  }`;
  }
  const upstream = `app${place.index}`;
  return `  upstream ${upstream} {
${targets.map((target) => `    server ${targetText(target)} max_fails=0;`).join('\n')}
    # Shorter than any server's own limit: a server that hangs up first fails a request.
    keepalive 32;
    keepalive_timeout 1s;
  }
${head}
    location / {
      proxy_pass http://${upstream};
      proxy_set_header Host $http_host;
      proxy_set_header Connection $hop;
      proxy_set_header Upgrade $http_upgrade;
    }
    error_page 502 504 @down;
    location @down {
      internal;
      default_type text/plain;
      return 502 "the app at this host name did not answer\\n";
    }
  }`;
}

function targetText({ address, port }: Route['targets'][number]): string {
  const family = isIP(address);
  if (family === 0 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`not an address and a port: ${JSON.stringify(address)} ${port}`);
  }
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

function nginxConfig(
  { limits, paths }: { limits: RouterLimits; paths: NginxPaths },
  http: string,
): string {
  const temp = checkedPath(paths.tempFolder);
  return `# Written by fixpoint: changes made here are lost.
daemon on;
worker_processes auto;
worker_shutdown_timeout ${limits.oldRoutesMs}ms;
pid ${checkedPath(paths.pidFile)};
error_log ${checkedPath(paths.errorLog)} warn;
events { worker_connections ${limits.connectionsMax}; }
http {
  access_log off;
  server_tokens off;
  client_body_temp_path ${temp}/body;
  proxy_temp_path ${temp}/proxy;
  fastcgi_temp_path ${temp}/fastcgi;
  uwsgi_temp_path ${temp}/uwsgi;
  scgi_temp_path ${temp}/scgi;
  keepalive_timeout ${limits.keepAliveMs}ms;
  keepalive_requests 100000;
  client_max_body_size ${limits.bodyBytesMax};
  large_client_header_buffers 8 32k;
  server_names_hash_max_size 4096;
  server_names_hash_bucket_size 256;
  # What an app is sent is what a user sent: no headers dropped, no paths rewritten.
  underscores_in_headers on;
  ignore_invalid_headers off;
  merge_slashes off;
  absolute_redirect off;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_buffer_size 64k;
  proxy_buffers 8 64k;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  # A request is never sent twice.
  proxy_next_upstream off;
  proxy_connect_timeout ${limits.connectTimeoutMs}ms;
  proxy_read_timeout ${limits.idleTimeoutMs}ms;
  proxy_send_timeout ${limits.idleTimeoutMs}ms;
  proxy_socket_keepalive on;
  proxy_pass_header Server;
  proxy_pass_header Date;
  proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering
    X-Accel-Charset;
${http.replace(/^\n/, '')}
}
`;
}

/** Paths stand in the configuration as they are. */
function checkedPath(path: string): string {
  if (/^[\w./@+-]+$/.test(path)) return path;
  throw new Error(`nginx cannot use this path, choose a simpler one: ${JSON.stringify(path)}`);
}

/** Serves pushes and fetches over HTTP by `git http-backend`, and tells what was pushed. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, dirname } from 'node:path';
import { type PushedRef, serveHooks } from './hooks.ts';
import { gitEnvironment } from './run.ts';

export type { PushedRef } from './hooks.ts';

export interface Push {
  /** What the caller of `handle` gave as `name`: the app. */
  name: string;
  /** Who pushed, as the caller of `handle` said. */
  user: string;
  refs: PushedRef[];
}

export interface HttpBackendOptions {
  /** A folder of ours: hooks and their socket are written into it. */
  folder: string;
  /**
   * Called after the refs were accepted. Lines given to `say` reach the pusher as `remote:` lines
   * until the promise ends; it goes on when the pusher hangs up.
   */
  onPush: (push: Push, say: (line: string) => void) => Promise<void>;
  /** Largest pack that is taken. */
  packBytesMax?: number;
}

export interface HttpBackend {
  /**
   * Answers one request. The caller has authenticated it and must not have touched its body.
   * `path` is what follows the repository in the URL, `/info/refs` say.
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    target: { directory: string; name: string; user: string; path: string },
  ): Promise<void>;
  close(): Promise<void>;
}

export const packBytesMax = 512 << 20;

/** What smart clients ask; the dumb protocol is not served. */
const routes: Record<string, 'GET' | 'POST'> = {
  '/info/refs': 'GET',
  '/git-upload-pack': 'POST',
  '/git-receive-pack': 'POST',
};

export async function httpBackend(options: HttpBackendOptions): Promise<HttpBackend> {
  const hooks = await serveHooks(options.folder, options.onPush);
  const settings = {
    'http.receivepack': 'true',
    'http.uploadpack': 'true',
    'core.hooksPath': hooks.folder,
    'receive.maxInputSize': String(options.packBytesMax ?? packBytesMax),
    'receive.denyDeleteCurrent': 'refuse',
    'receive.denyCurrentBranch': 'ignore',
    // Ours, for what must be kept although no branch has it.
    'transfer.hideRefs': 'refs/fixpoint',
    'uploadpack.allowAnySHA1InWant': 'false',
  };
  return {
    async handle(request, response, target) {
      const url = new URL(request.url ?? '/', 'http://host');
      if (!isServed(request.method ?? '', target.path, url)) {
        response.writeHead(404, { 'content-type': 'text/plain' });
        response.end('only git clients (smart HTTP) are served here\n');
        return;
      }
      const id = randomUUID();
      hooks.expect(id, { name: target.name, user: target.user });
      const env = {
        ...gitEnvironment(settings),
        ...cgiVariables(request, url, target),
        ...hooks.variables(id),
      };
      try {
        await relay(spawn('git', ['http-backend'], { env, cwd: '/' }), request, response);
      } finally {
        hooks.forget(id);
      }
    },
    close: () => hooks.close(),
  };
}

function isServed(method: string, path: string, url: URL): boolean {
  if (routes[path] !== method) return false;
  if (path !== '/info/refs') return true;
  const service = url.searchParams.get('service');
  return service === 'git-upload-pack' || service === 'git-receive-pack';
}

/** RFC 3875's variables as `git help http-backend` lists them. */
export function cgiVariables(
  request: Pick<IncomingMessage, 'method' | 'headers' | 'socket'>,
  url: URL,
  target: { directory: string; user: string; path: string },
): Record<string, string> {
  const { headers } = request;
  const optional = {
    CONTENT_TYPE: headers['content-type'],
    // Absent with chunked bodies: http-backend then reads to the end.
    CONTENT_LENGTH: headers['content-length'],
    HTTP_CONTENT_ENCODING: headers['content-encoding'],
    GIT_PROTOCOL: headers['git-protocol']?.toString(),
    REMOTE_ADDR: request.socket?.remoteAddress,
  };
  return {
    GIT_PROJECT_ROOT: dirname(target.directory),
    PATH_INFO: `/${basename(target.directory)}${target.path}`,
    GIT_HTTP_EXPORT_ALL: '1',
    REQUEST_METHOD: request.method ?? 'GET',
    QUERY_STRING: url.search.slice(1),
    REMOTE_USER: target.user,
    SERVER_PROTOCOL: 'HTTP/1.1',
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
}

/** Both ways at once, with back-pressure. A client that hangs up does not end git. */
function relay(
  child: ChildProcessWithoutNullStreams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  return new Promise((resolve) => {
    const refuse = (status: number, text: string) => {
      if (response.headersSent) return response.end();
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
    };
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < 10_000) stderr += text;
    });
    child.stdin.on('error', () => undefined);
    request.pipe(child.stdin);
    // Cut off within the body: git sees it end early and refuses what has come.
    request.on('close', () => child.stdin.end());
    let head: Buffer | null = Buffer.alloc(0);
    child.stdout.on('data', (bytes: Buffer) => {
      let body: Buffer = bytes;
      if (head) {
        head = Buffer.concat([head, bytes]);
        const end = /\r?\n\r?\n/.exec(head.toString('latin1'));
        if (!end) return;
        writeHead(response, head.toString('latin1', 0, end.index));
        body = head.subarray(end.index + end[0].length);
        head = null;
      }
      // Nobody reads any more: drained, so that the hook after the push still runs.
      if (response.destroyed) return;
      if (body.length > 0 && !response.write(body)) {
        child.stdout.pause();
        const go = () => {
          response.off('drain', go).off('close', go);
          child.stdout.resume();
        };
        response.on('drain', go).on('close', go);
      }
    });
    child.on('error', (error) => {
      refuse(500, `cannot run git: ${error.message}`);
      resolve();
    });
    child.on('close', () => {
      if (head) refuse(500, stderr.trim() || 'git http-backend ended without an answer');
      else response.end();
      // The rest of a body that git did not want.
      request.unpipe(child.stdin).resume();
      resolve();
    });
  });
}

function writeHead(response: ServerResponse, text: string): void {
  let status = 200;
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else if (colon > 0) response.setHeader(name, value);
  }
  response.writeHead(status);
  response.flushHeaders();
}

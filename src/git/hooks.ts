/** Connects git's hooks with the server: the hook is a small program that talks to our socket. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Push } from './http-backend.ts';
import type { HookMessage } from './post-receive.ts';

export interface PushedRef {
  /** `refs/heads/main`. */
  name: string;
  /** Null when the ref is new. */
  from: string | null;
  /** Null when the ref was deleted. */
  to: string | null;
}

export interface HookServer {
  /** For `core.hooksPath`. */
  readonly folder: string;
  variables(id: string): Record<string, string>;
  expect(id: string, who: { name: string; user: string }): void;
  forget(id: string): void;
  close(): Promise<void>;
}

/** Only what people push; everything else under refs/ is ours. */
const preReceive = `#!/bin/sh
while read -r from to name; do
  case $name in
    refs/heads/*|refs/tags/*) ;;
    *) echo "refused: $name is neither a branch nor a tag" >&2; exit 1 ;;
  esac
done
`;

export async function serveHooks(
  folder: string,
  onPush: (push: Push, say: (line: string) => void) => Promise<void>,
): Promise<HookServer> {
  const hooks = join(folder, 'hooks');
  await mkdir(hooks, { recursive: true, mode: 0o700 });
  const program = join(import.meta.dirname, 'post-receive.ts');
  const post = `#!/bin/sh\nexec "$FIXPOINT_NODE" ${quoted(program)}\n`;
  await writeHook(join(hooks, 'pre-receive'), preReceive);
  await writeHook(join(hooks, 'post-receive'), post);
  const socketPath = socketPathFor(folder);
  await rm(socketPath, { force: true });
  const pushers = new Map<string, { name: string; user: string }>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    receive(socket, pushers, onPush);
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(socketPath, resolve);
  });
  await chmod(socketPath, 0o600);
  return {
    folder: hooks,
    variables: (id) => ({
      FIXPOINT_NODE: process.execPath,
      FIXPOINT_HOOK_SOCKET: socketPath,
      FIXPOINT_PUSH: id,
    }),
    expect: (id, who) => pushers.set(id, who),
    forget: (id) => pushers.delete(id),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The hook sends one line of JSON and reads lines of text until we end the connection. */
function receive(
  socket: Socket,
  pushers: Map<string, { name: string; user: string }>,
  onPush: (push: Push, say: (line: string) => void) => Promise<void>,
): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (part) => {
    if (text.includes('\n')) return;
    text += part;
    if (!text.includes('\n')) return;
    const { id, updates } = JSON.parse(text) as HookMessage;
    const who = pushers.get(id);
    if (!who) return socket.end('this push is not known to the server\n');
    // Control characters could move a terminal's cursor; git adds `remote:` to each line.
    const say = (line: string) => {
      if (socket.writable) socket.write(`${line.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '')}\n`);
    };
    onPush({ ...who, refs: pushedRefsOf(updates) }, say)
      .catch((error: unknown) => say(`the server failed: ${(error as Error).message}`))
      .finally(() => socket.end());
  });
}

/** The lines that git gives to a post-receive hook: `OLD NEW REF`, zeros for none. */
export function pushedRefsOf(text: string): PushedRef[] {
  const idOf = (id: string) => (/^0+$/.test(id) ? null : id);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [from, to, ...name] = line.split(' ');
      return { name: name.join(' '), from: idOf(from!), to: idOf(to!) };
    });
}

async function writeHook(path: string, text: string): Promise<void> {
  await writeFile(path, text, { mode: 0o755 });
  await chmod(path, 0o755);
}

/** A socket's path may not be longer than 107 bytes, which a data folder's may. */
function socketPathFor(folder: string): string {
  const path = join(folder, 'hooks.sock');
  if (Buffer.byteLength(path) <= 100) return path;
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  return join(tmpdir(), `fixpoint-hooks-${hash}.sock`);
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}

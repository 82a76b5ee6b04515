/** The HTTP server: authentication, redaction of all that leaves, and the routes by noun. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import fastify from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from '../domain/logger.ts';
import { redactValue } from '../domain/redact.ts';
import type { Store } from '../store/store.ts';
import { appRoutes } from './apps.ts';
import { handleErrors } from './errors.ts';
import { gitRoutes } from './git.ts';
import { issueRoutes } from './issues.ts';
import type { GitHandler, Platform } from './platform.ts';
import { recordingRoutes } from './recordings.ts';
import { serverRoutes } from './status.ts';
import { userOf } from './token.ts';
import { transferRoutes } from './transfer.ts';

export interface ApiOptions {
  platform: Platform;
  store: Omit<Store, 'jobs' | 'close'>;
  git: GitHandler;
  token: string;
  /** Version of the program and its data directory, for `status`. */
  about: { version: string; dataDir: string };
  logger: Logger;
}

/** What a route file gets to see. */
export type TypedServer = ReturnType<typeof typed>;

export interface RunningApi {
  /** `http://127.0.0.1:7070`, with the port that it got. */
  url: string;
  close(): Promise<void>;
}

/** The server without a port: for `inject`, and for whoever listens. */
export async function buildApi(options: ApiOptions): Promise<FastifyInstance> {
  const server = fastify({ logger: false, forceCloseConnections: true, bodyLimit: 1 << 20 });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  handleErrors(server, options.logger);
  await server.register(
    async (inner) => {
      inner.addHook('onRequest', async (request, reply) => {
        if (userOf(request.headers.authorization, options.token) !== null) return;
        const message = 'A token is needed: "fixpoint token" prints it on the server.';
        reply.header('www-authenticate', 'Bearer realm="Fixpoint"');
        return reply.code(401).send({ error: { code: 'unauthorized', message } });
      });
      inner.addHook('preSerialization', async (request, _reply, payload) =>
        request.routeOptions.config.plain ? payload : redactValue(payload),
      );
      const api = typed(inner);
      serverRoutes(api, options);
      appRoutes(api, options);
      issueRoutes(api, options);
      recordingRoutes(api, options);
      transferRoutes(api, options);
    },
    { prefix: '/api/v1' },
  );
  await server.register((inner) => gitRoutes(inner, options), { prefix: '/git' });
  await server.ready();
  return server;
}

/** Listens. Throws an error that names the setting when the port is in use. */
export async function startApi(
  options: ApiOptions & { host: string; port: number },
): Promise<RunningApi> {
  const server = await buildApi(options);
  const { host, port } = options;
  try {
    await server.listen({ host, port });
  } catch (error) {
    await server.close();
    throw new Error(whyNot(error as NodeJS.ErrnoException, options), { cause: error });
  }
  const address = server.server.address() as AddressInfo;
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { url: `http://${shown}:${address.port}`, close: () => server.close() };
}

function whyNot(error: NodeJS.ErrnoException, at: { host: string; port: number }): string {
  const setPort = 'set api.port (--api-port, FIXPOINT_API_PORT).';
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${at.port} on ${at.host} is in use: stop what uses it, or ${setPort}`;
    case 'EACCES':
      return `Port ${at.port} on ${at.host} may not be used by this user: ${setPort}`;
    case 'EADDRNOTAVAIL':
      return `This machine has no address ${at.host}: set api.host (FIXPOINT_API_HOST).`;
    default:
      return `The API cannot listen on ${at.host}, port ${at.port}: ${error.message}`;
  }
}

function typed(server: FastifyInstance) {
  return server.withTypeProvider<ZodTypeProvider>();
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer holds what somebody explicitly asked to see: it is not redacted. */
    plain?: boolean;
  }
}

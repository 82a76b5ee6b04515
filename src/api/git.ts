/** Mounts git's own protocol at /git/APP.git: authenticated here, then served untouched. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiOptions } from './server.ts';
import { userOf } from './token.ts';

/** Answers in plain text: git shows it to whoever pushes. */
export async function gitRoutes(server: FastifyInstance, options: ApiOptions): Promise<void> {
  // The body belongs to git: nothing reads it here, however it is labelled.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, _body, done) => done(null));
  server.route({
    method: ['GET', 'POST'],
    url: '/:repository/*',
    handler: (request, reply) => serve(request, reply, options),
  });
}

async function serve(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ApiOptions,
): Promise<unknown> {
  const refuse = (status: number, text: string) =>
    reply.code(status).type('text/plain; charset=utf-8').send(`${text}\n`);
  const user = userOf(request.headers.authorization, options.token);
  if (user === null) {
    reply.header('www-authenticate', 'Basic realm="Fixpoint"');
    return refuse(401, 'A token is needed, as user or password: "fixpoint token" prints it.');
  }
  const { repository } = request.params as { repository: string };
  const name = repository.replace(/\.git$/, '');
  if (!(await options.store.apps.get(name))) {
    return refuse(404, `There is no app ${name}: "fixpoint apps create ${name}" makes it.`);
  }
  // As it was sent: the handler decodes what it understands.
  const path = request.raw.url!.split('/').slice(3).join('/');
  reply.hijack();
  try {
    await options.git(request.raw, reply.raw, { app: name, user, path: `/${path}` });
  } catch (error) {
    options.logger.error('A git request failed', { app: name, error: (error as Error).message });
    if (!reply.raw.headersSent) reply.raw.writeHead(500);
    reply.raw.end();
  }
  return reply;
}

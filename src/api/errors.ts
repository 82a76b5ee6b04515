/** Exists so that every failure of the API has one form: {error: {code, message}}. */
import type { FastifyError, FastifyInstance } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Logger } from '../domain/logger.ts';
import { redact } from '../domain/redact.ts';
import type { Refusal } from './platform.ts';

const statusOf: Record<Refusal['code'], number> = {
  'not-found': 404,
  invalid: 400,
  conflict: 409,
  unavailable: 503,
};

/** What a route throws to answer with it. */
export class ApiProblem extends Error {
  readonly code: Refusal['code'];
  constructor(code: Refusal['code'], message: string) {
    super(message);
    this.name = 'ApiProblem';
    this.code = code;
  }
}

/** Throws for an absent thing, so that routes read as the good case. */
export function found<T>(value: T | null, what: string): T {
  if (value === null) throw new ApiProblem('not-found', `There is no ${what}.`);
  return value;
}

/** Throws for a refusal. */
export function accepted<T>(answer: T | Refusal): T {
  const { kind, code, reason } = answer as Refusal;
  if (kind === 'refused') throw new ApiProblem(code, reason);
  return answer as T;
}

export function handleErrors(server: FastifyInstance, logger: Logger): void {
  const body = (code: string, message: string) => ({ error: { code, message: redact(message) } });
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0];
    return reply.code(404).send(body('not-found', `There is no ${request.method} ${path}.`));
  });
  server.setErrorHandler((error: FastifyError | ApiProblem, request, reply) => {
    if (error instanceof ApiProblem) {
      return reply.code(statusOf[error.code]).send(body(error.code, error.message));
    }
    if (hasZodFastifySchemaValidationErrors(error)) {
      const [first] = error.validation;
      const where = first?.instancePath.replaceAll('/', '.').slice(1);
      const message = `${where ? `${where}: ` : ''}${first?.message ?? error.message}`;
      return reply.code(400).send(body('invalid', message));
    }
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send(body('invalid', error.message));
    const route = request.routeOptions.url ?? 'an unknown route';
    logger.error('A request failed', { route, error: redact(error.stack ?? error.message) });
    return reply.code(500).send(body('internal', `The server failed: ${error.message}`));
  });
}

/** What the server says of itself. */
import { z } from 'zod';
import { now } from '../domain/time.ts';
import { doctor, status } from './contract.ts';
import type { ApiOptions, TypedServer } from './server.ts';

const dayUs = 86_400_000_000;
const interruptionsMax = 1000;

export function serverRoutes(server: TypedServer, { platform, store, about }: ApiOptions): void {
  const startedAt = now();
  server.get('/status', { schema: { response: { 200: status } } }, async () => {
    const interruptions = await store.interruptions.list(now() - dayUs);
    return {
      ...{ ...about, pid: process.pid, startedAt, parts: await platform.status() },
      interruptions: interruptions.slice(-interruptionsMax).reverse(),
      interruptionsCount: interruptions.length,
    };
  });
  server.get('/doctor', { schema: { response: { 200: doctor } } }, async () => {
    return { diagnoses: await platform.doctor() };
  });
  // Whether a token is right, without anything else.
  server.get(
    '/',
    { schema: { response: { 200: z.object({ version: z.string() }) } } },
    async () => {
      return { version: about.version };
    },
  );
}

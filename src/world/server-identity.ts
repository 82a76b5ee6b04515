/** Whether two servers are the same one: by address, by name, or both being the resolver. */
import type { Question } from '../protocols/protocol.ts';

type Asked = Pick<Question, 'protocol' | 'transport' | 'server' | 'serverName'>;

/**
 * The same protocol, transport and port, and the same address or the same name. Name servers are
 * one: in production it was the network's resolver, in the sandbox the world is asked instead.
 */
export function sameServer(a: Asked, b: Asked): boolean {
  if (a.protocol !== b.protocol || a.transport !== b.transport) return false;
  if (a.protocol === 'dns') return true;
  if (a.server.port !== b.server.port) return false;
  if (a.server.address === b.server.address) return true;
  return a.serverName !== null && a.serverName === b.serverName;
}

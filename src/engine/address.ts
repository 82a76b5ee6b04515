/** Where the engine answers: `DOCKER_HOST` in the forms that need no second program or TLS. */

export type EngineAddress = { socketPath: string } | { host: string; port: number };

export const defaultEngineHost = 'unix:///var/run/docker.sock';

/**
 * Reads `unix:///path`, `/path`, `tcp://host:port` or `http://host:port`.
 * Throws an error that names the value for anything else (ssh, npipe, https).
 */
export function engineAddressOf(text: string): EngineAddress {
  if (text.startsWith('/')) return { socketPath: text };
  if (text.startsWith('unix://')) return { socketPath: text.slice('unix://'.length) };
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'tcp:' || url.protocol === 'http:') && url.hostname !== '') {
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 2375) };
  }
  throw new Error(
    `cannot use the engine address ${JSON.stringify(text)}: ` +
      'give unix:///path/to/docker.sock or tcp://host:port (DOCKER_HOST)',
  );
}

/** For messages. */
export function engineAddressText(address: EngineAddress): string {
  if ('socketPath' in address) return `unix://${address.socketPath}`;
  return `tcp://${address.host}:${address.port}`;
}

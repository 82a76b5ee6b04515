/** Exists so that only who can read the data directory, or was told, may use the API. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { secretFile } from '../store/seal.ts';

/** The token of a data directory, which is made (mode 0600) when there is none. */
export async function loadToken(dataDir: string): Promise<string> {
  const make = () => Buffer.from(`fp_${randomBytes(24).toString('base64url')}\n`);
  return (await secretFile(join(dataDir, 'token'), make)).toString().trim();
}

/** Who asks, or null. Basic (git): the token is the user or the password, the other a name. */
export function userOf(authorization: string | undefined, token: string): string | null {
  const [, scheme = '', value = ''] = /^(\w+) +(\S+)$/.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return isSame(value, token) ? 'token' : null;
  if (scheme.toLowerCase() !== 'basic') return null;
  const text = Buffer.from(value, 'base64').toString();
  const at = text.indexOf(':');
  const [user, password] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  if (isSame(password, token)) return user === '' ? 'token' : user;
  return isSame(user, token) ? 'token' : null;
}

/** Takes the same time wherever the texts differ. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

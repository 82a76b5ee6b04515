/**
 * Secrets that are known by their place, not by their form: what the app is configured with, and
 * what the failing request proves its caller by. Programs copy them into variables of any name.
 */
import type { Recording } from '../domain/recording.ts';
import { redact } from '../domain/redact.ts';
import { exchangesOf } from '../protocols/exchanges.ts';
import { jsonOf, requestOf } from '../protocols/http1/message.ts';

/** Shorter values occur in other texts by chance. */
const charsMin = 6;

const credentialHeaders =
  /^(?:proxy-)?authorization$|cookie$|(?:api|access|auth|csrf|xsrf).?(?:key|token)/i;

/** Values to be hidden wherever they occur, longest first. */
export function secretsOf(options: {
  recording: Recording | null;
  env: Readonly<Record<string, string>>;
}): string[] {
  const { recording, env } = options;
  const requests =
    recording === null ? [] : exchangesOf(recording).flatMap((e) => requestOf(e) ?? []);
  const headers = requests.flatMap((request) => request.headers);
  const sent = headers.filter(([name]) => credentialHeaders.test(name));
  const values = [
    ...Object.values(env).flatMap(inSetting),
    ...sent.flatMap(([, value]) => inHeader(value)),
    ...requests.flatMap((request) => [...inTarget(request.target), ...inBody(jsonOf(request))]),
  ];
  const known = new Set(values.flatMap(decoded).filter((value) => value.length >= charsMin));
  return [...known].sort((a, b) => b.length - a.length);
}

/** The text with every known secret taken out. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted value]'), text);
}

/** A setting as a whole, and what stands in it; plain words, numbers and addresses are none. */
function inSetting(value: string): string[] {
  const address = /^[a-z][a-z0-9+.-]*:\/\/(?:([^/@]*)@)?[^\s]*$/i.exec(value);
  if (address !== null) {
    const login = address[1];
    const query = [...value.matchAll(/[?&][^=&]+=([^&#]+)/g)].map((found) => found[1] ?? '');
    return login === undefined ? query : [value, ...login.split(':').slice(-1), ...query];
  }
  const isPlain = /^(?:[a-z]+|[\d.:]+|[a-z0-9.-]+:\d+|true|false)$/i.test(value);
  return isPlain ? [] : [value];
}

/** A header as a whole, what follows its scheme, and the value of each cookie. */
function inHeader(value: string): string[] {
  const parts = value.split(/[;,]\s*/).map((part) => part.slice(part.indexOf('=') + 1));
  const [, scheme, token] = /^(\w+) +(\S+)$/.exec(value) ?? [];
  const login =
    scheme?.toLowerCase() === 'basic' && token !== undefined
      ? Buffer.from(token, 'base64').toString('utf8').split(':').slice(1)
      : [];
  return [value, ...parts, ...(token === undefined ? [] : [token]), ...login];
}

function inTarget(target: string): string[] {
  const { searchParams } = new URL(target, 'http://app');
  return [...searchParams].filter(([name]) => isSecret(name)).map(([, value]) => value);
}

function inBody(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === 'string' && isSecret(name) ? [inner] : inBody(inner),
  );
}

/** Whether a field's name gives its value away, by the rules that texts are redacted by. */
function isSecret(name: string): boolean {
  return redact(`${name}=value`) !== `${name}=value`;
}

function decoded(value: string): string[] {
  try {
    return [value, decodeURIComponent(value)];
  } catch {
    return [value];
  }
}

/** Which name the app looked up for an address: what makes an address a server with a name. */
import type { Exchange } from '../../domain/exchange.ts';
import type { Instant } from '../../domain/time.ts';
import { dnsResponseOf, queryOf } from './message.ts';

export interface Names {
  /** The name last looked up for an address before an instant, else the first after it. */
  nameOf(address: string, at: Instant): string | null;
}

/** Names from the answers of DNS exchanges; a CNAME's target counts as the name asked for. */
export function namesIn(exchanges: readonly Exchange[]): Names {
  const seen = new Map<string, { name: string; at: Instant }[]>();
  for (const exchange of exchanges) {
    const query = queryOf(exchange);
    const response = dnsResponseOf(exchange);
    if (query === null || response === null || exchange.end !== 'complete') continue;
    const at = exchange.response!.endedAt;
    for (const { type, data } of response.answers) {
      if ((type !== 'A' && type !== 'AAAA') || typeof data !== 'string') continue;
      const list = seen.get(addressKey(data)) ?? [];
      list.push({ name: query.name.toLowerCase().replace(/\.$/, ''), at });
      seen.set(addressKey(data), list);
    }
  }
  for (const list of seen.values()) list.sort((a, b) => a.at - b.at);
  return {
    nameOf(address, at) {
      const list = seen.get(addressKey(address)) ?? [];
      return (list.findLast((one) => one.at <= at) ?? list[0])?.name ?? null;
    },
  };
}

/** The same key for every way to write an IPv6 address, and for IPv4 mapped into it. */
function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [left = '', right] = address.toLowerCase().split('::', 2);
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const before = groups(left);
  const after = right === undefined ? [] : groups(right);
  const fill = right === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const all = [...before, ...Array<string>(fill).fill('0'), ...after];
  return all.map((group) => group.replace(/^0+(?=.)/, '')).join(':');
}

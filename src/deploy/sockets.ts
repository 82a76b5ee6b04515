/** Looks at the TCP sockets of an instance from outside: who listens where, and is it in use. */
import { readFile } from 'node:fs/promises';

export interface SocketRow {
  local: { address: string; port: number };
  state: 'listening' | 'established' | 'other';
}

/** Reads `/proc/PID/net/tcp` or `tcp6` (proc(5)); addresses are hex words in host byte order. */
export function socketRowsOf(text: string): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const line of text.split('\n').slice(1)) {
    const match = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2})/.exec(
      line,
    );
    if (!match) continue;
    const state = match[3] === '0A' ? 'listening' : match[3] === '01' ? 'established' : 'other';
    const local = { address: addressOf(match[1]!), port: Number.parseInt(match[2]!, 16) };
    rows.push({ local, state });
  }
  return rows;
}

/** Null where it cannot be seen: the process is gone, or the engine is on another machine. */
export async function socketsOf(pid: number): Promise<SocketRow[] | null> {
  try {
    const [four, six] = await Promise.all([
      readFile(`/proc/${pid}/net/tcp`, 'utf8'),
      readFile(`/proc/${pid}/net/tcp6`, 'utf8').catch(() => ''),
    ]);
    return [...socketRowsOf(four), ...socketRowsOf(six)];
  } catch {
    return null;
  }
}

/** Why nobody answers at `port`, as far as the sockets tell; null when they do not. */
export function listenHint(rows: readonly SocketRow[], port: number): string | null {
  const listening = rows.filter((row) => row.state === 'listening' && !isEngines(row));
  const here = listening.filter((row) => row.local.port === port);
  if (here.some((row) => !isLoopback(row.local.address))) return null;
  if (here.length > 0) {
    return (
      `It listens on ${here[0]!.local.address}:${port} only, where nobody outside of its ` +
      'container reaches it: let it listen on 0.0.0.0.'
    );
  }
  const ports = [...new Set(listening.map((row) => row.local.port))].sort((a, b) => a - b);
  if (ports.length === 0) return `It listens on no port; ${port} was expected.`;
  return (
    `It listens on port ${ports.join(', ')}, not on ${port}: set "port" in fixpoint.json, ` +
    'EXPOSE in the Dockerfile, or let it use the variable PORT.'
  );
}

function addressOf(hex: string): string {
  if (hex.length === 8) return Buffer.from(hex, 'hex').reverse().join('.');
  if (/^0+$/.test(hex)) return '::';
  if (hex === '00000000000000000000000001000000') return '::1';
  const mapped = /^0{16}FFFF0000([0-9A-F]{8})$/.exec(hex);
  return mapped ? addressOf(mapped[1]!) : hex.toLowerCase();
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** The engine's own name server listens in every container, on a loopback address of its own. */
function isEngines(row: SocketRow): boolean {
  return row.local.address === '127.0.0.11';
}

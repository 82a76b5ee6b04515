/** Watches everything that the app sends on the cable, so that nothing it tries goes unnoticed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type Attempt, CaptureReader } from './packets.ts';

/** Only what begins something: openings of TCP connections, datagrams, and all else but ARP. */
const filter =
  'not arp and not (tcp and tcp[13] & 18 != 2) and not (ip6[6] == 6 and ip6[53] & 18 != 2)';
const snapBytes = 128;

export interface Capture {
  stop(): void;
}

/** Resolves once packets are seen. Rejects when the capture cannot be started. */
export function startCapture(options: {
  device: string;
  onAttempt: (attempt: Attempt) => void;
  /** The capture ended by itself: from here on attempts go unnoticed. */
  onLost: (reason: string) => void;
}): Promise<Capture> {
  const child = spawn(
    'tcpdump',
    [
      ...['-i', options.device, '-Q', 'in', '-n', '-s', String(snapBytes)],
      ...['--immediate-mode', '-U', '-w', '-', filter],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const reader = new CaptureReader(options.onAttempt);
  child.stdout.on('data', (bytes: Buffer) => reader.push(bytes));
  return untilListening(child, options.onLost);
}

function untilListening(child: ChildProcess, onLost: (reason: string) => void): Promise<Capture> {
  return new Promise((resolve, reject) => {
    let said = '';
    let stopped = false;
    let listening = false;
    child.stderr!.on('data', (bytes: Buffer) => {
      said = (said + bytes.toString()).slice(-2000);
      if (listening || !said.includes('listening on')) return;
      listening = true;
      resolve({
        stop() {
          stopped = true;
          child.kill('SIGKILL');
        },
      });
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      const reason = `tcpdump ended with ${code}: ${said.trim()}`;
      if (!listening) reject(new Error(reason));
      else if (!stopped) onLost(reason);
    });
  });
}

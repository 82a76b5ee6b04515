/** Runs inside of the world's container: lays the cable, then does what the replayer says. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { protocols } from '../protocols/protocols.ts';
import { worldCable } from './cable.ts';
import { startCapture } from './capture.ts';
import { encodeFrame, FrameReader } from './frames.ts';
import type { CallName, FromWorld, ToWorld } from './messages.ts';
import { World } from './world.ts';

const socketPath = process.argv[2];
if (socketPath === undefined) throw new Error('usage: world.mjs SOCKET');
const ipv6 = existsSync('/proc/net/if_inet6');

layCable();
const replayer = net.connect(socketPath);
const say = (message: FromWorld) => replayer.write(encodeFrame(message));
let world = newWorld();
replayer.on('close', () => process.exit(0));
await startCapture({
  device: 'veth0',
  onAttempt: (attempt) => world.attempt(attempt),
  onLost(reason) {
    process.stderr.write(`${reason}\n`);
    process.exit(1); // unseen attempts must not pass for none
  },
});
await untilAnchorIsUp();
let before: Promise<void> = Promise.resolve();
const reader = new FrameReader((message) => {
  if ((message as ToWorld).call === 'begin') world.abort();
  before = before.then(() => obey(message as ToWorld));
});
replayer.on('data', (bytes) => reader.push(bytes));
say({ kind: 'up' });

function layCable(): void {
  execFileSync('ip', ['-4', '-batch', '-'], { input: worldCable.v4.join('\n') });
  if (ipv6) execFileSync('ip', ['-6', '-batch', '-'], { input: worldCable.v6.join('\n') });
}

/** Its routes are the last thing that the anchor sets. We share its processes: it is number 1. */
async function untilAnchorIsUp(): Promise<void> {
  const hasDefault = () =>
    ipv6
      ? /^0{32} 00 .* eth0$/m.test(readFileSync('/proc/1/net/ipv6_route', 'utf8'))
      : /^eth0\t00000000\t/m.test(readFileSync('/proc/1/net/route', 'utf8'));
  while (!hasDefault()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Each replay gets one of its own, so that nothing of the replay before is left. */
function newWorld(): World {
  return new World({
    protocols,
    ipv6,
    onServed: (served) => say({ kind: 'served', served }),
    onDiverged: (divergence) => say({ kind: 'diverged', divergence }),
  });
}

async function obey(message: ToWorld): Promise<void> {
  try {
    if (message.call === 'begin') {
      await world.close();
      world = newWorld();
    }
    // Names and parameters belong together by ToWorld; TypeScript cannot follow it through a call.
    const call = world[message.call as CallName] as (params: unknown) => Promise<unknown>;
    const result = await call.call(world, message.params);
    say({ kind: 'result', id: message.id, result });
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    say({ kind: 'error', id: message.id, message: text });
  }
}

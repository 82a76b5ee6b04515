// A network namespace with a cable to this host, for what is watched by the sensor without a container.
import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';

export interface TestNetwork {
  /** As `ip netns` knows it. */
  name: string;
  /** Inode number: how the sensor knows it. */
  netns: number;
  /** This host's address on the cable, and the namespace's. */
  outside: string;
  inside: string;
  /** The command that runs a program in it. */
  command(program: string, ...argv: string[]): [string, string[]];
  remove(): void;
}

let made = 0;

/** Call `remove` in any case. Needs root. */
export function makeNetwork(): TestNetwork {
  const number = ++made;
  const name = `fxnet${process.pid}n${number}`;
  const device = `fx${process.pid}n${number}`;
  // Its own /30 by process: several tests may run on one host.
  const base = `10.214.${process.pid % 256}.${((Math.floor(process.pid / 256) + number) % 64) * 4}`;
  const [outside, inside] = [addressAfter(base, 1), addressAfter(base, 2)];
  const remove = () => {
    spawnSync('ip', ['link', 'del', device], { stdio: 'ignore' });
    spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
  };
  try {
    ip('netns', 'add', name);
    ip('link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('addr', 'add', `${outside}/30`, 'dev', device);
    ip('link', 'set', device, 'up');
    ip('-n', name, 'addr', 'add', `${inside}/30`, 'dev', 'eth0');
    for (const link of ['lo', 'eth0']) ip('-n', name, 'link', 'set', link, 'up');
  } catch (cause) {
    remove();
    throw cause;
  }
  return {
    ...{ name, outside, inside, remove },
    netns: statSync(`/run/netns/${name}`).ino,
    command: (program, ...argv) => ['ip', ['netns', 'exec', name, program, ...argv]],
  };
}

function ip(...argv: string[]): void {
  execFileSync('ip', argv);
}

function addressAfter(base: string, offset: number): string {
  const parts = base.split('.').map(Number);
  return [...parts.slice(0, 3), parts[3]! + offset].join('.');
}

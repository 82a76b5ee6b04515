/** Who is told when instances come and go: the recorder, before any of their code runs. */
import type { InstanceHooks } from '../deploy/context.ts';
import type { Instance } from '../domain/app.ts';
import type { Logger } from '../domain/logger.ts';
import type { Engine } from '../engine/engine.ts';
import type { Recorder } from '../record/types.ts';

/** Without a recorder (nothing runs any more) only restart loops are told. */
export function hooksFor(recorder: Recorder | null, engine: Engine, logger: Logger): InstanceHooks {
  const watch = async (instance: Instance, booted: boolean) => {
    if (recorder === null) return;
    const text = await engine.readFile(instance.anchorId, '/etc/hosts');
    await recorder.watch({ ...instance, booted, hosts: hostsIn(text) });
  };
  return {
    onAnchor: (instance) => watch(instance, false),
    onHealthy: async (instance) => {
      await recorder?.healthy(instance.id);
    },
    onAdopted: (instance) => watch(instance, true),
    onLog: (instance, line) => recorder?.log(instance.id, line),
    onExit: (instance, exit) => recorder?.exited(instance.id, exit),
    onStop: async (instance) => recorder?.unwatch(instance.id),
    onRestartLoop: ({ app, id }, deaths) =>
      logger.error('an app dies again and again', { app, instance: id, deaths }),
  };
}

/** Names that lead to other machines, from a hosts(5) file. */
function hostsIn(bytes: Uint8Array | null): Record<string, string> {
  const hosts: Record<string, string> = {};
  for (const line of Buffer.from(bytes ?? [])
    .toString('utf8')
    .split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const isOwn = /^(127\.|::1$|fe00:|ff0[02]:)/.test(address) || names.some(isContainerId);
    if (address !== '' && !isOwn) for (const name of names) hosts[name] = address;
  }
  return hosts;
}

/** Docker names a container in its own file by the beginning of its id. */
function isContainerId(name: string): boolean {
  return /^[0-9a-f]{12}$/.test(name);
}

/** The two ends of the one cable between the app and the world, as arguments for `ip`. */

export const appAddress = { v4: '198.18.0.2', v6: 'fd00:198::2' } as const;
export const worldAddress = { v4: '198.18.0.1', v6: 'fd00:198::1' } as const;

/** The family's batch for `ip -batch`. */
export interface CableBatches {
  v4: string[];
  v6: string[];
}

/**
 * The world's side: it makes the cable into the namespace of process 1 (the anchor, whose PID
 * namespace it shares), then takes every address for its own. The three rules make an exception
 * of the app's address only, so that answers and replayed requests find their way to the app.
 */
export const worldCable: CableBatches = {
  v4: [
    'link add veth0 type veth peer name eth0 netns 1',
    'link set veth0 up',
    'link set lo up',
    `addr add ${worldAddress.v4}/32 dev veth0`,
    `route add ${appAddress.v4} dev veth0`,
    ...everyAddressIsLocal(appAddress.v4),
  ],
  v6: [
    `addr add ${worldAddress.v6}/128 dev veth0 nodad`,
    `route add ${appAddress.v6} dev veth0`,
    ...everyAddressIsLocal(appAddress.v6),
  ],
};

/** The app's side: the world is its default gateway and the only thing it can reach. */
export const anchorCable: CableBatches = {
  v4: [
    'link set lo up',
    'link set eth0 up',
    `addr add ${appAddress.v4}/32 dev eth0`,
    `route add ${worldAddress.v4} dev eth0`,
    `route add default via ${worldAddress.v4}`,
  ],
  v6: [
    `addr add ${appAddress.v6}/128 dev eth0 nodad`,
    `route add ${worldAddress.v6} dev eth0`,
    `route add default via ${worldAddress.v6}`,
  ],
};

/** What the anchor runs: waits for its end of the cable, sets it up, then holds the namespace. */
export function anchorScript(options: { ipv6: boolean }): string {
  const batch = (flag: string, lines: string[]) =>
    `printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} | ip ${flag} -batch -`;
  return [
    'until [ -e /sys/class/net/eth0 ]; do sleep 0.01; done',
    batch('-4', anchorCable.v4),
    ...(options.ipv6 ? [batch('-6', anchorCable.v6)] : []),
    'exec sleep infinity',
  ].join(' && ');
}

function everyAddressIsLocal(app: string): string[] {
  return [
    `rule add pref 1 to ${app} lookup main`,
    'rule add pref 2 lookup local',
    'rule del pref 0',
    'route add local default dev lo table local',
  ];
}

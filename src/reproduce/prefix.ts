/** Finds the fewest earlier requests after which the failing one fails (delta debugging). */

export interface PrefixOptions {
  /** Earlier inbound exchanges of the window, oldest first. */
  earlier: readonly string[];
  /** Those of the trigger's own connection. */
  sameConnection: readonly string[];
  replaysMax: number;
  fails: (prefix: string[]) => Promise<boolean>;
  onProgress: (text: string) => void;
}

/**
 * Grows the prefix (same connection, then the newest, then the whole window) until the failure
 * comes back, then takes away whatever it does not need. Null when nothing brings it back.
 * The reduction is Zeller's ddmin over complements, ended early by `replaysMax`.
 */
export async function growPrefix(options: PrefixOptions): Promise<string[] | null> {
  const { earlier, sameConnection, onProgress } = options;
  const tries = [sameConnection, earlier.slice(-5), earlier].map((prefix) => [...prefix]);
  let replays = 0;
  const fails = async (prefix: string[]): Promise<boolean> => {
    replays++;
    onProgress(`replaying it after ${prefix.length} earlier requests`);
    return options.fails(prefix);
  };
  let last = 0;
  for (const prefix of tries) {
    if (prefix.length <= last) continue;
    last = prefix.length;
    if (replays >= options.replaysMax) return null;
    if (await fails(prefix)) return reduce(prefix, fails, () => replays >= options.replaysMax);
  }
  return null;
}

async function reduce(
  whole: string[],
  fails: (prefix: string[]) => Promise<boolean>,
  spent: () => boolean,
): Promise<string[]> {
  let needed = whole;
  let parts = 2;
  while (needed.length > 1 && !spent()) {
    const size = Math.ceil(needed.length / parts);
    let smaller: string[] | null = null;
    for (let start = 0; start < needed.length && !spent(); start += size) {
      const without = [...needed.slice(0, start), ...needed.slice(start + size)];
      if (await fails(without)) {
        smaller = without;
        break;
      }
    }
    if (smaller !== null) {
      needed = smaller;
      parts = Math.max(parts - 1, 2);
    } else if (size === 1) break;
    else parts = Math.min(parts * 2, needed.length);
  }
  return needed;
}

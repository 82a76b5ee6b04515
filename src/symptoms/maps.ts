/** Source maps of an image: beside the built file, named by it, or inside it. */
import { posix } from 'node:path';
import { originalPositionFor, type SourceMapInput, TraceMap } from '@jridgewell/trace-mapping';

export interface OriginalPlace {
  path: string;
  line: number;
  column: number;
}

/** Place (1-based line and column) in the built file to the place in its source. */
export type Original = (place: { line: number; column: number }) => OriginalPlace | null;

export type SourceMaps = Map<string, Promise<Original | null>>;

const mapsMax = 200;
const mapBytesMax = 32 << 20;

/** Format: https://tc39.es/ecma426/. Null when the file has no map, or one that is broken. */
export function readMap(
  known: SourceMaps,
  path: string,
  read: (path: string) => Promise<Uint8Array | null>,
): Promise<Original | null> {
  const before = known.get(path);
  if (before !== undefined) return before;
  if (known.size >= mapsMax) known.clear();
  const map = load(path, read);
  known.set(path, map);
  map.catch(() => known.delete(path));
  return map;
}

async function load(
  path: string,
  read: (path: string) => Promise<Uint8Array | null>,
): Promise<Original | null> {
  const built = await read(path);
  if (built === null || built.length > mapBytesMax) return null;
  const named = mapNameIn(new TextDecoder().decode(built));
  const inline = named === null ? null : inlineMap(named);
  if (inline !== null) return parsed(inline, path);
  const mapPath = posix.resolve(posix.dirname(path), named ?? `${posix.basename(path)}.map`);
  const map = await read(mapPath);
  if (map === null || map.length > mapBytesMax) return null;
  return parsed(new TextDecoder().decode(map), mapPath);
}

function mapNameIn(built: string): string | null {
  // The last one counts; bundlers leave those of their parts inside.
  const at = built.lastIndexOf('//# sourceMappingURL=');
  if (at < 0) return null;
  const name = /^\S+/.exec(built.slice(at + '//# sourceMappingURL='.length))?.[0] ?? null;
  if (name === null || name.startsWith('data:')) return name;
  try {
    return /^[a-z]+:\/\//i.test(name) ? null : decodeURIComponent(name);
  } catch {
    return null;
  }
}

function inlineMap(name: string): string | null {
  const found = /^data:[^,]*?(;base64)?,(.*)$/s.exec(name);
  if (found === null) return null;
  if (found[1] !== undefined) return Buffer.from(found[2]!, 'base64').toString('utf8');
  try {
    return decodeURIComponent(found[2]!);
  } catch {
    return null;
  }
}

function parsed(text: string, mapPath: string): Original | null {
  let map: TraceMap;
  try {
    map = new TraceMap(JSON.parse(text) as SourceMapInput);
  } catch {
    return null;
  }
  return ({ line, column }) => {
    const found = originalPositionFor(map, { line, column: Math.max(0, column - 1) });
    if (found.source === null) return null;
    // `webpack://name/./src/x.ts` and the like: the path behind the scheme is what counts.
    const source = found.source
      .replace(/^file:\/\//, '')
      .replace(/^[a-z][a-z+.-]*:\/\/[^/]*\//i, '');
    const path = posix.resolve(posix.dirname(mapPath), source);
    return { path, line: found.line, column: found.column + 1 };
  };
}

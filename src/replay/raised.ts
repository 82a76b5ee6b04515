/** Reads the exceptions that `inside/watch.cjs` wrote down; the app may have written there too. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Raised } from '../domain/outcome.ts';
import type { Locate } from '../symptoms/symptoms.ts';

const fileBytesMax = 8 << 20;
const raisedMax = 500;

/** What is in the file: how many programs are watched, how many shall be, what they raised. */
export interface WatchFile {
  started: number;
  ready: number;
  /** More was raised, or written, than is looked at: what is not found here may have happened. */
  isCut: boolean;
  raised: RaisedLine[];
}

export interface RaisedLine {
  type: string;
  message: string;
  uncaught: boolean;
  variables: Record<string, string>;
  frames: { file: string; function: string | null; line: number; column: number }[];
}

export async function readWatchFile(path: string): Promise<WatchFile> {
  const found: WatchFile = { started: 0, ready: 0, isCut: false, raised: [] };
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  let text: string;
  try {
    const { size } = await file.stat();
    found.isCut = size > fileBytesMax;
    const bytes = Buffer.alloc(Math.min(size, fileBytesMax));
    await file.read(bytes, 0, bytes.length, 0);
    text = bytes.toString();
  } finally {
    await file.close();
  }
  for (const line of text.split('\n')) {
    const said = parse(line);
    if (said?.event === 'start') found.started += 1;
    else if (said?.event === 'ready') found.ready += 1;
    else if (said?.event === 'raised' && found.raised.length < raisedMax) {
      found.raised.push(lineOf(said));
    }
  }
  found.isCut ||= found.raised.length >= raisedMax;
  return found;
}

/** With the place in the repository; what was raised outside of the app's own code is left out. */
export async function raisedOf(lines: readonly RaisedLine[], locate: Locate): Promise<Raised[]> {
  const raised: Raised[] = [];
  for (const { frames, ...line } of lines) {
    for (const frame of frames) {
      const place = await locate({ ...frame, file: frame.file.replace(/^file:\/\//, '') });
      if (place === null || !place.inApp) continue;
      const { file, function: name, line: number } = place;
      raised.push({ ...line, file, function: name, line: number });
      break;
    }
  }
  return raised;
}

function parse(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null; // cut off by the app's end
  }
}

function lineOf(said: Record<string, unknown>): RaisedLine {
  const frames = Array.isArray(said.frames) ? (said.frames as Record<string, unknown>[]) : [];
  const variables = (said.variables ?? {}) as Record<string, unknown>;
  return {
    type: String(said.type),
    message: String(said.message),
    uncaught: said.uncaught === true,
    variables: Object.fromEntries(Object.entries(variables).map(([k, v]) => [k, String(v)])),
    frames: frames.map((frame) => ({
      file: String(frame?.file),
      function: typeof frame?.function === 'string' ? frame.function : null,
      line: Number(frame?.line) || 0,
      column: Number(frame?.column) || 0,
    })),
  };
}

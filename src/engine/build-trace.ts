/**
 * Makes BuildKit's progress readable: decodes the few fields we show of its `StatusResponse`
 * messages. Format: protobuf, moby/buildkit api/services/control/control.proto.
 */

export interface BuildVertex {
  digest: string;
  name: string;
  cached: boolean;
  started: boolean;
  completed: boolean;
  error: string;
}

export interface BuildLog {
  vertex: string;
  bytes: Buffer;
}

export interface BuildStatus {
  vertexes: BuildVertex[];
  logs: BuildLog[];
}

/** Decodes one message (not base64). Throws on bytes that are no protobuf. */
export function decodeBuildStatus(bytes: Buffer): BuildStatus {
  const status: BuildStatus = { vertexes: [], logs: [] };
  for (const { number, payload } of fieldsOf(bytes)) {
    if (number === 1 && payload) status.vertexes.push(vertexOf(payload));
    if (number === 3 && payload) status.logs.push(logOf(payload));
  }
  return status;
}

/** Turns statuses into lines: each step once when it begins, what it prints, and its error. */
export class BuildTrace {
  readonly #onLine: (line: string) => void;
  readonly #names = new Map<string, string>();
  readonly #said = new Set<string>();
  readonly #partial = new Map<string, Buffer>();
  #speaking = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  message(bytes: Buffer): void {
    const status = decodeBuildStatus(bytes);
    for (const vertex of status.vertexes) this.#vertex(vertex);
    for (const log of status.logs) this.#log(log);
  }

  end(): void {
    for (const [vertex, rest] of this.#partial) {
      if (rest.length > 0) this.#line(vertex, rest.toString('utf8'));
    }
    this.#partial.clear();
  }

  #vertex(vertex: BuildVertex): void {
    const { digest, name } = vertex;
    this.#names.set(digest, name);
    if (vertex.started && !isChore(name)) {
      this.#once(digest, () => {
        this.#speaking = digest;
        this.#onLine(vertex.cached ? `${name} (cached)` : name);
      });
    }
    if (vertex.error !== '' && !/context canceled$/.test(vertex.error)) {
      this.#once(`${digest} error`, () => this.#onLine(`${name}: ${vertex.error}`));
    }
  }

  #log({ vertex, bytes }: BuildLog): void {
    let rest = Buffer.concat([this.#partial.get(vertex) ?? Buffer.alloc(0), bytes]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      this.#line(vertex, rest.toString('utf8', 0, end));
      rest = rest.subarray(end + 1);
    }
    this.#partial.set(vertex, rest);
  }

  /** Steps run at the same time: the name is said again when another one speaks. */
  #line(vertex: string, text: string): void {
    if (this.#speaking !== vertex) this.#onLine(`${this.#names.get(vertex) ?? 'build'} ...`);
    this.#speaking = vertex;
    // A progress bar overwrites its line: only what it says last is of use.
    this.#onLine(`  ${text.replace(/\r+$/, '').replace(/^.*\r/, '')}`);
  }

  #once(key: string, say: () => void): void {
    if (this.#said.has(key)) return;
    this.#said.add(key);
    say();
  }
}

/** Internal steps that tell a reader nothing. */
function isChore(name: string): boolean {
  return name.startsWith('[internal]') || name.startsWith('copy /context');
}

interface Field {
  number: number;
  value: number;
  /** Set for length-delimited fields. */
  payload: Buffer | null;
}

function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('protobuf: cut varint');
      // Not with <<: it is 32 bits wide. Values above 2^53 (none that we show) lose precision.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('protobuf: varint too long');
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, type] = [Math.floor(key / 8), key % 8];
    if (type === 0) yield { number, value: varint(), payload: null };
    else if (type === 1 || type === 5) at += type === 1 ? 8 : 4;
    else if (type === 2) {
      const length = varint();
      if (at + length > bytes.length) throw new Error('protobuf: cut field');
      yield { number, value: 0, payload: bytes.subarray(at, at + length) };
      at += length;
    } else throw new Error(`protobuf: wire type ${type}`);
  }
}

function vertexOf(bytes: Buffer): BuildVertex {
  const vertex = { digest: '', name: '', cached: false, started: false, completed: false };
  let error = '';
  for (const { number, value, payload } of fieldsOf(bytes)) {
    if (number === 1) vertex.digest = payload?.toString('utf8') ?? '';
    if (number === 3) vertex.name = payload?.toString('utf8') ?? '';
    if (number === 4) vertex.cached = value !== 0;
    if (number === 5) vertex.started = true;
    if (number === 6) vertex.completed = true;
    if (number === 7) error = payload?.toString('utf8') ?? '';
  }
  return { ...vertex, error };
}

function logOf(bytes: Buffer): BuildLog {
  const log: BuildLog = { vertex: '', bytes: Buffer.alloc(0) };
  for (const { number, payload } of fieldsOf(bytes)) {
    if (number === 1) log.vertex = payload?.toString('utf8') ?? '';
    if (number === 4) log.bytes = payload ?? log.bytes;
  }
  return log;
}

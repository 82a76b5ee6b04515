/** Test double of an app: real code run by Node, so that traces and effects are V8's own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { StackLine, Trace } from '../domain/failure.ts';
import { readTree } from './tree.ts';

/** What running the entry did: what it answered or returned, or the exception. */
export interface Ran {
  value: unknown;
  trace: Trace | null;
}

export class FakeApp {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'fixpoint-propose-')));
  readonly files: Record<string, string>;

  constructor(files: Record<string, string>) {
    this.files = files;
    for (const [path, text] of Object.entries(files)) this.write(path, text);
    this.git('init', '-q');
    this.git('add', '.');
    this.git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-qm', 'base');
  }

  /** Runs `entry` (the body of an async function; `app` is the module) and reports. */
  run(entry: string, main: string): Ran {
    this.write('.run.mjs', runner(entry, main));
    const out = execFileSync(process.execPath, ['--no-warnings', join(this.folder, '.run.mjs')], {
      timeout: 60_000,
    }).toString();
    const { value, error } = JSON.parse(out.slice(out.lastIndexOf('\u0001') + 1));
    return { value, trace: error === null ? null : this.traceOf(error) };
  }

  /** Applies a diff with git itself; throws what git says when it does not apply. */
  apply(diff: string): void {
    this.write('.patch', diff);
    this.git('apply', '--whitespace=error-all', '.patch');
  }

  revert(): void {
    this.git('checkout', '-q', '--', '.');
  }

  read = async (path: string) => {
    const text = this.files[path];
    return text === undefined ? null : readTree(path, text);
  };

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  private git(...argv: string[]): string {
    return execFileSync('git', argv, { cwd: this.folder, stdio: 'pipe' }).toString();
  }

  private traceOf(error: { name: string; message: string; stack: string }): Trace {
    const lines = error.stack.split('\n').filter((line) => /^\s+at /.test(line));
    return {
      runtime: 'v8',
      type: error.name,
      message: error.message,
      lines: lines.map((line) => this.lineOf(line)),
      causes: [],
      uncaught: true,
    };
  }

  private lineOf(text: string): StackLine {
    const named = /at (?:async )?(.*?) \((.*)\)$/.exec(text.trim());
    const place = named?.[2] ?? text.trim().replace(/^at (?:async )?/, '');
    const found = /^(?:file:\/\/)?(.*):(\d+):(\d+)$/.exec(place);
    const file = found?.[1] ?? place;
    const path = file.startsWith(`${this.folder}/`) ? file.slice(this.folder.length + 1) : file;
    return {
      file: path,
      function: named?.[1] ?? null,
      line: Number(found?.[2] ?? 0),
      column: Number(found?.[3] ?? 0),
      text: null,
      inApp: path in this.files,
    };
  }
}

function runner(entry: string, main: string): string {
  return `
const answer = { status: 200, body: undefined, sent: 0 };
const res = {
  status(code) { answer.status = code; return this; },
  code(code) { answer.status = code; return this; },
  set() { return this; }, setHeader() { return this; }, header() { return this; },
  json(body) { return this.send(body); },
  send(body) {
    if (answer.sent++ > 0) {
      const error = new Error('Cannot set headers after they are sent to the client');
      error.code = 'ERR_HTTP_HEADERS_SENT';
      throw error;
    }
    answer.body = body; return this;
  },
  sendStatus(code) { answer.status = code; return this.send(); },
  writeHead(code) { answer.status = code; return this; },
  end(text) { return this.send(text); },
};
let value = null, failure = null;
const fail = ({ name, message, stack }) => { failure = { name, message, stack }; };
process.on('uncaughtException', fail);
try {
  const app = await import('./${main}');
  value = await (async () => { ${entry} })();
  await new Promise((resolve) => setTimeout(resolve, 5));
} catch (error) { fail(error); }
if (value === undefined || value === res) value = answer;
console.log('\\u0001' + JSON.stringify({ value, error: failure }));
`;
}

/** What the server needs of its machine, asked one by one, with how to mend what is missing. */
import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Diagnosis } from '../api/contract.ts';
import type { Engine } from '../engine/engine.ts';

const sensorProgram = fileURLToPath(new URL('../../sensor/build/fixpoint-sensor', import.meta.url));
const setUp = 'run scripts/setup';
const freeBytesMin = 2 * 2 ** 30;
const nodeMin: [number, number] = [22, 19];

export interface DoctorOptions {
  engine: Engine;
  engineSocket: string;
  dataDir: string;
  sandboxImage: string;
}

/** Never rejects: what cannot be asked is a diagnosis as well. */
export async function doctor(options: DoctorOptions): Promise<Diagnosis[]> {
  return Promise.all([
    nodeVersion(),
    engineAnswers(options),
    sandboxImage(options),
    sensor(),
    program('nginx', ['-v'], 'the router'),
    program('git', ['--version'], 'pushes and patches'),
    diskSpace(options.dataDir),
  ]);
}

function nodeVersion(): Diagnosis {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1]);
  const says = `Node ${process.versions.node}`;
  return fine ? ok('node', says) : failed('node', says, `use Node ${nodeMin.join('.')} or newer`);
}

async function engineAnswers({ engine, engineSocket }: DoctorOptions): Promise<Diagnosis> {
  try {
    const { version, apiVersion } = await engine.ping();
    return ok('engine', `Docker Engine ${version}, API ${apiVersion}`);
  } catch (error) {
    const forbidden = /EACCES|permission/i.test(wordsOf(error));
    const remedy = forbidden
      ? 'run as root or as a user who may use the socket'
      : `start the Docker Engine (${setUp}), or set engine.socket`;
    return failed('engine', `nothing answers at ${engineSocket}: ${wordsOf(error)}`, remedy);
  }
}

async function sandboxImage({ engine, sandboxImage: name }: DoctorOptions): Promise<Diagnosis> {
  try {
    const image = await engine.image(name);
    if (image !== null) return ok('sandbox image', name);
    return failed('sandbox image', `${name} is not there`, 'run scripts/base-images');
  } catch (error) {
    return failed('sandbox image', wordsOf(error), 'see engine');
  }
}

interface Probe {
  kernel: string;
  features: Record<string, boolean>;
  missing: { feature: string; needs: string }[];
  ok: boolean;
}

async function sensor(): Promise<Diagnosis> {
  const result = await run(sensorProgram, ['--probe']);
  if (result.kind === 'absent') return failed('sensor', 'it is not built', setUp);
  try {
    const probe = JSON.parse(result.stdout) as Probe;
    if (probe.ok) return ok('sensor', `kernel ${probe.kernel} has what it takes`);
    const lacks = probe.missing.map(({ feature, needs }) => `${feature} (${needs})`).join(', ');
    const remedy = 'run as root, on Linux 6.2 or newer with BTF';
    return failed('sensor', `kernel ${probe.kernel} does not allow here: ${lacks}`, remedy);
  } catch {
    return failed('sensor', `its probe failed: ${result.stderr.slice(0, 300)}`, 'run as root');
  }
}

async function program(name: string, argv: string[], use: string): Promise<Diagnosis> {
  const result = await run(name, argv);
  if (result.kind === 'absent') return failed(name, `not found; ${use} needs it`, setUp);
  const [first = ''] = `${result.stdout}${result.stderr}`.split('\n');
  return ok(name, first.trim());
}

async function diskSpace(dataDir: string): Promise<Diagnosis> {
  try {
    const { bavail, bsize } = await statfs(dataDir);
    const gib = ((bavail * bsize) / 2 ** 30).toFixed(1);
    if (bavail * bsize >= freeBytesMin) return ok('disk', `${gib} GiB free in ${dataDir}`);
    const remedy = 'free some space: builds and recordings need it';
    return { name: 'disk', answer: 'warning', says: `only ${gib} GiB free in ${dataDir}`, remedy };
  } catch (error) {
    return failed('disk', `${dataDir}: ${wordsOf(error)}`, 'set dataDir to a folder that exists');
  }
}

type Ran = { kind: 'ran'; stdout: string; stderr: string } | { kind: 'absent' };

function run(file: string, argv: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(file, argv, { timeout: 20_000 }, (error, stdout, stderr) => {
      const absent = (error as NodeJS.ErrnoException | null)?.code === 'ENOENT';
      resolve(absent ? { kind: 'absent' } : { kind: 'ran', stdout, stderr });
    });
  });
}

function ok(name: string, says: string): Diagnosis {
  return { name, answer: 'ok', says, remedy: null };
}

function failed(name: string, says: string, remedy: string): Diagnosis {
  return { name, answer: 'failed', says, remedy };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

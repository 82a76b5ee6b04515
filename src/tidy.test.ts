// The architecture and the house style as a test: what it refuses is written in CONTRIBUTING.md.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));
const sources = tracked.filter((path) => path.startsWith('src/') && path.endsWith('.ts'));
const product = sources.filter((path) => !isTest(path));

const stages = ['deploy', 'record', 'detect', 'reproduce', 'propose', 'verify', 'submit'];
const things = [
  ...['protocols', 'world', 'replay', 'symptoms', 'engine', 'router', 'store'],
  ...['forge', 'git', 'source', 'llm', 'api'],
];

/** folder -> folders of src/ that it may import (itself is always allowed). */
const law: Record<string, string[]> = {
  domain: [],
  protocols: ['domain'],
  symptoms: ['domain'],
  world: ['domain', 'protocols'],
  replay: ['domain', 'protocols', 'world', 'engine', 'symptoms'],
  engine: ['domain'],
  router: ['domain'],
  store: ['domain'],
  git: ['domain'],
  forge: ['domain', 'git'],
  llm: ['domain'],
  source: [],
  api: ['domain', 'store'],
  cli: ['api'],
};
for (const stage of stages) law[stage] = ['domain', ...things];
/** Wiring: what main.ts starts. It knows every part, and no part knows it. */
const wiring = ['main.ts', 'server'];

/** Files directly under src/ and what they may import. */
const rootLaw: Record<string, string[]> = {
  'config.ts': ['domain', 'record', 'replay'],
  'dossier.ts': ['domain', 'store'],
  'standing.ts': ['domain', 'store'],
  'pipeline.ts': [
    ...['dossier.ts', 'standing.ts', ...stages, 'domain', 'store', 'engine', 'git', 'forge', 'llm'],
    ...['replay', 'symptoms'],
  ],
};

/** Node's modules that pure folders may not touch. */
const pure = ['domain', 'protocols'];
const allowedInPure = ['node:buffer', 'node:crypto', 'node:zlib', 'node:util'];

/** npm packages that wiring and seams share by design. */
const sharedPackages = ['zod'];

describe('the import law', () => {
  it('lets every folder import only what architecture.md allows', () => {
    const offences: string[] = [];
    for (const path of product) {
      const from = folderOf(path);
      for (const target of importsOf(path).filter((name) => name.startsWith('.'))) {
        const to = folderOf(relative(root, normalize(join(root, dirname(path), target))));
        if (from === to || wiring.includes(from)) continue;
        const allowed = law[from] ?? rootLaw[from];
        if (allowed === undefined) offences.push(`${path}: no law for ${from}`);
        else if (from === 'cli' && to === 'api' && !target.endsWith('/contract.ts')) {
          offences.push(`${path} imports ${target}: only api/contract.ts`);
        } else if (!allowed.includes(to)) offences.push(`${path} imports ${target}`);
      }
    }
    expect(offences).toEqual([]);
  });

  it('keeps domain and protocols free of network, files, timers and clocks', () => {
    const offences: string[] = [];
    for (const path of product.filter((p) => pure.includes(folderOf(p)))) {
      for (const name of importsOf(path).filter((n) => isBuiltin(n))) {
        if (!allowedInPure.includes(name)) offences.push(`${path} imports ${name}`);
      }
      const text = readFileSync(join(root, path), 'utf8');
      const clock = /\b(setTimeout|setInterval|setImmediate|Date\.now|performance\.now)\s*\(/;
      if (clock.test(text) && path !== 'src/domain/time.ts') offences.push(`${path} has a clock`);
    }
    expect(offences).toEqual([]);
  });

  it('names an npm package in one folder only', () => {
    const folders = new Map<string, Set<string>>();
    for (const path of product) {
      for (const name of importsOf(path)) {
        if (name.startsWith('.') || isBuiltin(name)) continue;
        const seen = folders.get(packageOf(name)) ?? new Set();
        folders.set(packageOf(name), seen.add(folderOf(path)));
      }
    }
    const spread = [...folders]
      .filter(([name, where]) => where.size > 1 && !sharedPackages.includes(name))
      .map(([name, where]) => `${name}: ${[...where].join(', ')}`);
    expect(spread).toEqual([]);
  });

  it('uses every dependency and declares every import', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const used = new Set(product.flatMap(importsOf).map(packageOf));
    const unused = Object.keys(manifest.dependencies).filter((name) => !used.has(name));
    const undeclared = [...used].filter(
      (name) => !name.startsWith('.') && !isBuiltin(name) && !(name in manifest.dependencies),
    );
    expect({ unused, undeclared }).toEqual({ unused: [], undeclared: [] });
  });

  it('has no file that nobody imports', () => {
    const imported = new Set<string>();
    for (const path of tracked.filter((p) => /\.(ts|tsx)$/.test(p))) {
      for (const name of importsOf(path).filter((n) => n.startsWith('.'))) {
        imported.add(relative(root, normalize(join(root, dirname(path), name))));
      }
    }
    const entries = ['src/main.ts', 'src/cli/cli.ts', 'src/world/main.ts'];
    const named = tracked
      .filter((p) => /^(bin|scripts)\//.test(p) || p === 'package.json')
      .map((p) => readFileSync(join(root, p), 'utf8'))
      .join('\n');
    const dead = product.filter(
      (path) => !imported.has(path) && !entries.includes(path) && !named.includes(path),
    );
    expect(dead).toEqual([]);
  });
});

describe('the house style', () => {
  it('begins every file with a sentence on why it exists', () => {
    const bare = sources.filter((path) => {
      const text = readFileSync(join(root, path), 'utf8').replace(/^#!.*\n/, '');
      return !/^(\/\/ |\/\*\*? |\/\*\*\n)/.test(text);
    });
    expect(bare).toEqual([]);
  });

  it('keeps files under 300 lines and lines within 100 columns', () => {
    const offences: string[] = [];
    for (const path of sources) {
      const lines = readFileSync(join(root, path), 'utf8').split('\n');
      if (lines.length > 301 && !isTest(path)) offences.push(`${path}: ${lines.length} lines`);
      lines.forEach((line, index) => {
        if (line.length > 100 && !/https?:\/\//.test(line) && !isTest(path)) {
          offences.push(`${path}:${index + 1}: ${line.length} columns`);
        }
      });
    }
    expect(offences).toEqual([]);
  });

  it('has no util folders, enums or marks of unfinished work', () => {
    const folders = tracked.filter((path) => /(^|\/)(utils?|helpers?|common)\//.test(path));
    const marks = product.filter((path) =>
      /(\/\/|\*) ?.*\b(TODO|FIXME|XXX)\b|^\s*(export )?(const )?enum /m.test(
        readFileSync(join(root, path), 'utf8'),
      ),
    );
    expect({ folders, marks }).toEqual({ folders: [], marks: [] });
  });

  it('runs every test it has: nothing skipped, nothing singled out', () => {
    const tests = tracked.filter((path) => /\.test\.ts$/.test(path) && path !== 'src/tidy.test.ts');
    const held = tests.filter((path) =>
      /\b(it|test|describe)\.(skip|only|todo)\b/.test(readFileSync(join(root, path), 'utf8')),
    );
    expect(held).toEqual([]);
  });

  it('knows none of the examples under src/', () => {
    const names = tracked
      .filter((path) => path.startsWith('examples/'))
      .map((path) => path.split('/')[1] ?? '');
    const telling = [...new Set(names)].map((name) => new RegExp(`examples/${name}`));
    const knowing = product.filter((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return telling.some((pattern) => pattern.test(text));
    });
    expect(knowing).toEqual([]);
  });
});

describe('the documents', () => {
  it('link only to what exists', () => {
    const broken: string[] = [];
    for (const path of tracked.filter((p) => p.endsWith('.md') && !p.startsWith('examples/'))) {
      const text = readFileSync(join(root, path), 'utf8').replace(/```[\s\S]*?```/g, '');
      for (const [, target] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (target === undefined || /^[a-z]+:/.test(target)) continue;
        if (!existsSync(join(root, dirname(path), target))) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('name only files of the repository that exist', () => {
    const broken: string[] = [];
    for (const path of tracked.filter((p) => p.endsWith('.md') && !p.startsWith('examples/'))) {
      const text = readFileSync(join(root, path), 'utf8');
      for (const [, named] of text.matchAll(
        /`((?:src|sensor|test|bench|scripts|docs)\/[\w./-]+)`/g,
      )) {
        if (named !== undefined && !existsSync(join(root, named))) broken.push(`${path}: ${named}`);
      }
    }
    expect(broken).toEqual([]);
  });
});

function isTest(path: string): boolean {
  return /\.test\.ts$/.test(path) || /(^|\/)fake[\w-]*\.ts$/.test(path);
}

/** `src/x/...` -> `x`, `src/pipeline.ts` -> `pipeline.ts`. */
function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]|import(?:\.meta\.resolve)?\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s*['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map((found) => found[1] ?? found[2] ?? found[3] ?? '');
}

function isBuiltin(name: string): boolean {
  return name.startsWith('node:') || builtinModules.includes(name);
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

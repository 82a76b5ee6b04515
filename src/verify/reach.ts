/**
 * Check 8, beyond handlers: does the patch reach for what decides how failures are seen at all
 * (the process, the console, the runtime's own objects), or for what no replay can follow?
 */
import { memberPath, parseSource, type SyntaxNode, walk } from '../source/syntax.ts';
import type { ChangedFile } from './hiding.ts';

export interface Reach {
  /** Each one rejects the patch. */
  refusals: string[];
  /** Each one leaves open what the patch does in production. */
  doubts: string[];
}

/** Compares old and new versions by how often they reach for each thing. */
export function reachOf(files: readonly ChangedFile[]): Reach {
  const found: Reach = { refusals: [], doubts: [] };
  for (const { path, before, after } of files) {
    const old = notesOf(path, before);
    const now = notesOf(path, after);
    for (const kind of ['refusals', 'doubts'] as const) {
      for (const [says, count] of now[kind]) {
        if (count > (old[kind].get(says) ?? 0)) found[kind].push(`${path} ${says}`);
      }
    }
  }
  return found;
}

interface Notes {
  refusals: Map<string, number>;
  doubts: Map<string, number>;
}

/** Objects that belong to the runtime, or to all of the program. */
const shared = new Set([
  ...['console', 'process', 'globalThis', 'global', 'Object', 'Function', 'Array', 'String'],
  ...['Number', 'Boolean', 'Promise', 'JSON', 'Math', 'Date', 'Reflect', 'Map', 'Set'],
  ...['Error', 'TypeError', 'RangeError', 'ReferenceError', 'AggregateError', 'Symbol'],
]);
const harmlessOfProcess = new Set([
  ...['env', 'hrtime', 'uptime', 'memoryUsage', 'cwd', 'version', 'versions', 'platform'],
  ...['nextTick', 'emitWarning'],
]);
const listening = /^process\.(on|once|off|(prepend|add|remove)\w*|emit|setUncaught\w+)$/;
/** Words by which a program could tell that it is replayed, or spoil what is watched of it. */
const ofReplays = /faketime|LD_PRELOAD|NODE_OPTIONS|fixpoint|\b198\.18\.|fd00:198::|resolv\.conf/i;
const otherPrograms = /(^|\.)(fork|spawn|spawnSync|exec|execSync|execFile|execFileSync|eval)$/;
const ofRegExp = /(^|\.)\w*(re|regex|regexp|pattern)\.exec$/i;
const systemModules = new Set([
  ...['child_process', 'vm', 'worker_threads', 'cluster', 'inspector', 'module', 'v8', 'repl'],
  ...['fs', 'fs/promises', 'os', 'process', 'async_hooks', 'diagnostics_channel', 'domain'],
  ...['dns', 'dns/promises', 'net', 'dgram', 'timers', 'timers/promises'],
]);

function notesOf(path: string, text: string | null): Notes {
  const notes: Notes = { refusals: new Map(), doubts: new Map() };
  const parsed = parseSource(path, text ?? '');
  if (parsed.kind === 'unreadable') return notes; // `hidingOf` says so
  const note = (kind: keyof Notes, says: string) =>
    notes[kind].set(says, (notes[kind].get(says) ?? 0) + 1);
  walk(parsed.program, (node, ancestors) => {
    const refusal = refusalOf(node);
    if (refusal !== null) note('refusals', refusal);
    const doubt = doubtOf(node, ancestors.at(-1));
    if (doubt !== null) note('doubts', doubt);
  });
  return notes;
}

function refusalOf(node: SyntaxNode): string | null {
  if (node.type === 'TryStatement' && leavesFinally(node.finalizer as SyntaxNode | null)) {
    return 'leaves a finally block, which swallows errors';
  }
  if (node.type === 'AssignmentExpression') return assignmentOf(node.left as SyntaxNode);
  if (node.type === 'Property' && mutes(node)) return 'changes what is logged';
  if (node.type === 'UnaryExpression' && node.operator === 'delete') {
    return assignmentOf(node.argument as SyntaxNode);
  }
  const text = node.type === 'TemplateElement' ? cookedOf(node) : node.value;
  const isText = node.type === 'TemplateElement' || node.type === 'Literal';
  if (isText && typeof text === 'string' && ofReplays.test(text)) {
    return 'looks for signs of a replay';
  }
  return node.type === 'CallExpression' ? refusedCall(node) : null;
}

/** `{ level: 'silent' }`, `{ silent: true }`, `{ logger: false }` among the options of anything. */
function mutes({ key, value }: SyntaxNode): boolean {
  const name = String((key as SyntaxNode).name ?? (key as SyntaxNode).value);
  const given = (value as SyntaxNode).value;
  if (name === 'level') return /^(silent|off|none|fatal|critical)$/i.test(String(given));
  return (name === 'silent' && given === true) || (/^logg(er|ing)$/.test(name) && given === false);
}

function refusedCall(node: SyntaxNode): string | null {
  const path = memberPath(node.callee as SyntaxNode) ?? '';
  const [first] = node.arguments as SyntaxNode[];
  if (listening.test(path)) return `adds a process-wide handler: ${path}`;
  if (path === 'Function' || (otherPrograms.test(path) && !isRegExp(node))) {
    return `adds code that runs other code: ${path}`;
  }
  const changes = /^(Object|Reflect)\.(define\w+|assign|setPrototypeOf|set|deleteProperty)$/;
  if (changes.test(path) && first !== undefined && isShared(first)) {
    return 'changes an object of the runtime';
  }
  return null;
}

function assignmentOf(target: SyntaxNode): string | null {
  if (target.type !== 'MemberExpression') return null;
  const name = (target.property as SyntaxNode).name;
  if (isShared(target.object as SyntaxNode)) return 'changes an object of the runtime';
  if (name === 'stack' || name === 'stackTraceLimit') return 'changes the stack of an error';
  return name === 'level' || name === 'silent' ? 'changes what is logged' : null;
}

function doubtOf(node: SyntaxNode, parent: SyntaxNode | undefined): string | null {
  if (node.type === 'CallExpression' || node.type === 'NewExpression') return doubtfulCall(node);
  if (node.type === 'ImportDeclaration') return moduleDoubt(node.source as SyntaxNode);
  if (node.type === 'ImportExpression') {
    const source = node.source as SyntaxNode;
    return typeof source.value === 'string' ? moduleDoubt(source) : 'loads code by a made-up name';
  }
  if (node.type !== 'Identifier' || !['process', 'globalThis', 'global'].includes(`${node.name}`)) {
    return null;
  }
  const isName = parent?.type === 'MemberExpression' && parent.object !== node;
  if (isName || parent?.type === 'Property') return null;
  const name = parent?.type === 'MemberExpression' ? memberPath(parent) : null;
  const member = name?.split('.')[1];
  if (node.name === 'process' && member === 'env') return 'asks for a setting (process.env)';
  if (node.name === 'process' && harmlessOfProcess.has(member ?? '')) return null;
  return `reaches for ${name ?? String(node.name)}`;
}

function doubtfulCall(node: SyntaxNode): string | null {
  const path = memberPath(node.callee as SyntaxNode) ?? '';
  const [first] = node.arguments as SyntaxNode[];
  if (/(^|\.)(setTimeout|setInterval)$|^AbortSignal\.timeout$/.test(path)) {
    return 'puts work off to a time at which no replay looks';
  }
  if (/^Promise\.(allSettled|any|race)$/.test(path)) return `takes no notice of errors: ${path}`;
  if (path !== 'require') return path === 'Worker' ? 'starts a thread' : null;
  if (typeof first?.value !== 'string') return 'loads code by a made-up name';
  return moduleDoubt(first);
}

function moduleDoubt(source: SyntaxNode): string | null {
  const name = String(source.value).replace(/^node:/, '');
  return systemModules.has(name) ? `brings in the module ${name}` : null;
}

/** `console`, `Error.prototype`, `Array.prototype.map`, `globalThis.fetch`. */
function isShared(node: SyntaxNode): boolean {
  const path = memberPath(node) ?? '';
  return shared.has(path.split('.')[0] ?? '') || /\.prototype(\.|$)/.test(path);
}

/** `/x/.exec(text)` and `pattern.exec(text)` run no programs. */
function isRegExp(call: SyntaxNode): boolean {
  const callee = call.callee as SyntaxNode;
  return (
    (callee.object as SyntaxNode | undefined)?.type === 'Literal' ||
    ofRegExp.test(memberPath(callee) ?? '')
  );
}

function cookedOf(node: SyntaxNode): string {
  return String((node.value as { cooked?: string }).cooked ?? '');
}

/** A jump out of `finally` throws away the error that was on its way. */
function leavesFinally(finalizer: SyntaxNode | null): boolean {
  if (finalizer === null) return false;
  let leaves = false;
  walk(finalizer, (node, ancestors) => {
    const inner = ancestors.some((one) => /Function|^(For|While|Do|Switch)/.test(one.type));
    if (node.type === 'ReturnStatement') leaves ||= !ancestors.some((a) => /Function/.test(a.type));
    if (/^(Break|Continue)Statement$/.test(node.type)) leaves ||= !inner || node.label !== null;
  });
  return leaves;
}

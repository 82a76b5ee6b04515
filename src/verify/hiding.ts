/**
 * Check 8: does the text of a patch hide the error instead of mending it? Old and new versions
 * of each changed file are compared as syntax trees, so that moved lines are not taken for new.
 */
import {
  childrenOf,
  functionName,
  isFunction,
  isScript,
  memberPath,
  parseSource,
  type SyntaxNode,
  walk,
} from '../source/syntax.ts';

export interface ChangedFile {
  path: string;
  /** Null for a file that the patch adds. */
  before: string | null;
  /** Null for a file that the patch deletes. */
  after: string | null;
}

export type Hiding =
  | { kind: 'clean' }
  | { kind: 'hides'; findings: string[] }
  /** Not a language whose text this check understands, or not parseable. */
  | { kind: 'unreadable'; reason: string };

/** Whether the patch hides errors, judged by its text alone. */
export function hidingOf(files: readonly ChangedFile[]): Hiding {
  const findings: string[] = [];
  for (const file of files) {
    if (!isScript(file.path)) return unreadable(`${file.path} is not JavaScript or TypeScript`);
    const before = traitsOf(file.path, file.before ?? '');
    const after = traitsOf(file.path, file.after ?? '');
    if ('reason' in before) return unreadable(before.reason);
    if ('reason' in after) return unreadable(after.reason);
    findings.push(...compare(file.path, before, after));
  }
  return findings.length > 0 ? { kind: 'hides', findings } : { kind: 'clean' };
}

/** What a file does about errors; every entry is a text that can be counted. */
interface Traits {
  /** Handlers that swallow, or that catch far more than they can know about. */
  broadCatches: string[];
  processHandlers: string[];
  throws: string[];
  assertions: string[];
  refusals: string[];
  errorLogs: string[];
  constantReturns: string[];
  dynamicCode: string[];
}

const rules: { trait: keyof Traits; grows: boolean; says: (text: string) => string }[] = [
  { trait: 'broadCatches', grows: true, says: (t) => `adds a handler that swallows errors: ${t}` },
  { trait: 'processHandlers', grows: true, says: (t) => `adds a process-wide handler: ${t}` },
  { trait: 'constantReturns', grows: true, says: (t) => `adds an early way out: ${t}` },
  { trait: 'dynamicCode', grows: true, says: (t) => `adds code that runs other code: ${t}` },
  { trait: 'throws', grows: false, says: (t) => `removes ${t}` },
  { trait: 'assertions', grows: false, says: (t) => `removes an assertion: ${t}` },
  { trait: 'refusals', grows: false, says: (t) => `removes an answer to bad input: ${t}` },
  { trait: 'errorLogs', grows: false, says: (t) => `removes or lowers an error log: ${t}` },
];

function compare(path: string, before: Traits, after: Traits): string[] {
  return rules.flatMap(({ trait, grows, says }) => {
    const [less, more] = grows ? [before[trait], after[trait]] : [after[trait], before[trait]];
    return surplus(more, less).map((text) => `${path} ${says(text)}`);
  });
}

/** Items of `more` that `less` does not have, counted with multiplicity. */
function surplus(more: readonly string[], less: readonly string[]): string[] {
  const left = [...less];
  return more.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function traitsOf(path: string, text: string): Traits | { reason: string } {
  const parsed = parseSource(path, text);
  if (parsed.kind === 'unreadable') return { reason: parsed.reason };
  const traits: Traits = {
    broadCatches: [],
    processHandlers: [],
    throws: [],
    assertions: [],
    refusals: [],
    errorLogs: [],
    constantReturns: [],
    dynamicCode: [],
  };
  const excerpt = (node: SyntaxNode): string =>
    text.slice(node.start, node.end).replace(/\s+/g, ' ').slice(0, 80);
  walk(parsed.program, (node, ancestors) => {
    if (node.type === 'TryStatement') noteTry(node, traits, excerpt);
    if (node.type === 'ThrowStatement') traits.throws.push(excerpt(node));
    if (node.type === 'ReturnStatement') noteReturn(node, ancestors, traits, excerpt);
    if (node.type === 'CallExpression') noteCall(node, traits, excerpt);
    if (isRefusal(node)) traits.refusals.push(excerpt(node));
    if (node.type === 'NewExpression' && memberPath(node.callee as SyntaxNode) === 'Function') {
      traits.dynamicCode.push(excerpt(node));
    }
  });
  return traits;
}

function noteTry(node: SyntaxNode, traits: Traits, excerpt: (n: SyntaxNode) => string): void {
  const handler = node.handler as SyntaxNode | null;
  if (handler === null) return;
  const guarded = (node.block as SyntaxNode).body as SyntaxNode[];
  const body = handler.body as SyntaxNode;
  if (alwaysThrows(body)) return;
  const narrow = guarded.length <= 1 && !guarded.some((statement) => has(statement, isAwait));
  const selective = has(body, isSelective) && has(body, (n) => n.type === 'ThrowStatement');
  if ((narrow && has(body, isRefusal)) || selective) return;
  traits.broadCatches.push(excerpt(handler));
}

function noteCall(node: SyntaxNode, traits: Traits, excerpt: (n: SyntaxNode) => string): void {
  const path = memberPath(node.callee as SyntaxNode) ?? '';
  const [first, second] = node.arguments as SyntaxNode[];
  const property = (node.callee as SyntaxNode).property as SyntaxNode | undefined;
  const name = property?.name ?? property?.value;
  const catches = name === 'catch' ? first : name === 'then' ? second : undefined;
  const swallows = catches !== undefined && !isHandedOn(catches) && !has(catches, isThrowing);
  if (swallows || (name === 'use' && first !== undefined && isMildHandler(first))) {
    traits.broadCatches.push(excerpt(node).slice(-80));
  }
  const event = first?.type === 'Literal' ? String(first.value) : '';
  if (/^process\.(on|once|addListener)$/.test(path) && /^un(caught|handled)/.test(event)) {
    traits.processHandlers.push(excerpt(node));
  }
  if (/(^|\.)assert(\.\w+)?$|^invariant$/.test(path)) traits.assertions.push(excerpt(node));
  if (/(^|\.)(error|fatal|warn)$/.test(path)) traits.errorLogs.push(excerpt(node));
  if (/^(eval|exec|execSync|spawn|spawnSync|vm\.\w+|child_process\.\w+)$/.test(path)) {
    traits.dynamicCode.push(excerpt(node));
  }
}

/** A return of nothing or of a constant, unless bad input was answered just before it. */
function noteReturn(
  node: SyntaxNode,
  ancestors: readonly SyntaxNode[],
  traits: Traits,
  excerpt: (n: SyntaxNode) => string,
): void {
  if (!isConstant(node.argument as SyntaxNode | null)) return;
  const block = ancestors.at(-1);
  const siblings = block?.type === 'BlockStatement' ? (block.body as SyntaxNode[]) : [];
  const before = siblings.slice(0, siblings.indexOf(node));
  if (before.some((statement) => has(statement, isRefusal))) return;
  const at = ancestors.findLastIndex(isFunction);
  const owner = at < 0 ? '<program>' : functionName(ancestors[at]!, ancestors.slice(0, at));
  traits.constantReturns.push(`${excerpt(node)} in ${owner}`);
}

function isConstant(node: SyntaxNode | null): boolean {
  if (node === null || node.type === 'Literal') return true;
  if (node.type === 'Identifier') return node.name === 'undefined';
  if (node.type === 'UnaryExpression') return isConstant(node.argument as SyntaxNode);
  if (node.type === 'ArrayExpression' || node.type === 'ObjectExpression') {
    return childrenOf(node).every((child) =>
      child.type === 'Property' ? isConstant(child.value as SyntaxNode) : isConstant(child),
    );
  }
  return node.type === 'TemplateLiteral' && (node.expressions as SyntaxNode[]).length === 0;
}

/** `x.status(404)`, `x.code(400)`, `x.sendStatus(422)`, `x.writeHead(400)`, `statusCode = 4xx`. */
function isRefusal(node: SyntaxNode): boolean {
  const value = statusSetBy(node)?.value;
  return typeof value === 'number' && value >= 400 && value < 500;
}

/** What a node sets the answer's status to; null where it sets none. */
function statusSetBy(node: SyntaxNode): SyntaxNode | null {
  if (node.type === 'AssignmentExpression') {
    const target = node.left as SyntaxNode;
    const name = (target.property as SyntaxNode | undefined)?.name;
    return name === 'statusCode' || name === 'status' ? (node.right as SyntaxNode) : null;
  }
  if (node.type !== 'CallExpression') return null;
  const name = ((node.callee as SyntaxNode).property as SyntaxNode | undefined)?.name;
  const setters = ['status', 'code', 'sendStatus', 'writeHead'];
  return setters.includes(String(name)) ? ((node.arguments as SyntaxNode[])[0] ?? null) : null;
}

/** `use((error, request, response, next) => ...)` that neither passes on nor answers a failure. */
function isMildHandler(node: SyntaxNode): boolean {
  if (/^TS(As|Satisfies)Expression$/.test(node.type)) {
    return isMildHandler(node.expression as SyntaxNode);
  }
  if (!isFunction(node) || (node.params as SyntaxNode[]).length !== 4) return false;
  const body = node.body as SyntaxNode;
  return !has(body, isThrowing) && !has(body, isFailureAnswer);
}

function isFailureAnswer(node: SyntaxNode): boolean {
  const status = statusSetBy(node);
  const isError = ({ value }: SyntaxNode) => typeof value === 'number' && value >= 400;
  return status !== null && has(status, isError); // `error.status ?? 500`, too
}

/** The handler passes the error on at its own top level, whatever it was. */
function alwaysThrows(body: SyntaxNode): boolean {
  const statements = body.type === 'BlockStatement' ? (body.body as SyntaxNode[]) : [body];
  const at = statements.findIndex((statement) => {
    if (statement.type === 'ThrowStatement') return true;
    const expression = (statement.expression ?? statement.argument) as SyntaxNode | undefined;
    return expression?.type === 'CallExpression' && isPassingOn(expression);
  });
  return at >= 0 && !statements.slice(0, at).some((statement) => has(statement, isJump));
}

function isJump(node: SyntaxNode): boolean {
  return /^(Return|Break|Continue)Statement$/.test(node.type);
}

function isPassingOn(call: SyntaxNode): boolean {
  const path = memberPath(call.callee as SyntaxNode) ?? '';
  const passes = /^(next|reject|done|callback|cb)$|\.(reject|destroy)$|^process\.exit$/.test(path);
  const [first] = call.arguments as SyntaxNode[];
  // `next()`, `done(null)` and `process.exit(0)` say that all is well.
  return passes && first !== undefined && !isCalm(first);
}

function isCalm(node: SyntaxNode): boolean {
  if (node.type === 'Literal') return node.value === null || node.value === 0;
  return node.type === 'Identifier' && node.name === 'undefined';
}

function isThrowing(node: SyntaxNode): boolean {
  return node.type === 'ThrowStatement' || (node.type === 'CallExpression' && isPassingOn(node));
}

/** `.catch(next)`: the handler is somebody else's. */
function isHandedOn(node: SyntaxNode): boolean {
  return node.type === 'Identifier' && /^(next|reject|done)$/.test(String(node.name));
}

/** What any mistake of a program throws: to look for these selects nothing. */
const anyMistake = /^(Error|TypeError|ReferenceError|Object)$/;

/** The handler looks at what it caught: `instanceof X`, `.code === ...`, `.name === ...`. */
function isSelective(node: SyntaxNode): boolean {
  if (node.type !== 'BinaryExpression') return false;
  const other = node.right as SyntaxNode;
  if (anyMistake.test(String(other.name ?? other.value))) return false;
  if (node.operator === 'instanceof') return true;
  const property = ((node.left as SyntaxNode).property as SyntaxNode | undefined)?.name;
  return property === 'code' || property === 'name';
}

function isAwait(node: SyntaxNode): boolean {
  return node.type === 'AwaitExpression';
}

function has(node: SyntaxNode, test: (node: SyntaxNode) => boolean): boolean {
  return test(node) || childrenOf(node).some((child) => has(child, test));
}

function unreadable(reason: string): Hiding {
  return { kind: 'unreadable', reason };
}

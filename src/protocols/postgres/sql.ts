/** What a SQL text does, and when two texts are the same: judged by tokens, not by parsing. */
import type { Effect } from '../../domain/exchange.ts';
import { type Token, tokensOf } from './tokens.ts';

/** Everything that is asked of a SQL text, worked out once. */
export interface Sql {
  text: string;
  /** Without comments and without white space that means nothing. */
  normal: string;
  /** `normal` with every literal replaced by `?`: safe to show, equal for one form. */
  form: string;
  /** The literals, in order, as values: strings without their quotes. */
  literals: string[];
  /** One for each statement, keywords in lower case. */
  statements: Statement[];
  effect: Effect;
}

export interface Statement {
  /** First keyword, lower case; '' for an empty statement. */
  verb: string;
  /** Words and symbols in lower case; literals and quoted identifiers as written. */
  words: string[];
  effect: Effect;
}

export function sqlOf(text: string): Sql {
  const tokens = tokensOf(text);
  while (tokens.at(-1)?.text === ';') tokens.pop();
  const statements = split(tokens).map(statementOf);
  const literals = tokens
    .filter((token) => isLiteral(token))
    .map((token) => literalValue(token.text));
  return {
    text,
    normal: joined(tokens, (token) => token.text),
    form: joined(tokens, (token) => (isLiteral(token) ? '?' : token.text)),
    literals,
    statements,
    effect: strongest(statements.map((statement) => statement.effect)),
  };
}

/** The tag of a control statement as the server would acknowledge it: `BEGIN`, `SET`. */
export function controlTag(statement: Statement): string {
  const [verb = '', next = ''] = statement.words;
  if (verb === 'start') return 'START TRANSACTION';
  if (verb === 'end') return 'COMMIT';
  if (verb === 'abort') return 'ROLLBACK';
  if (verb === 'declare') return 'DECLARE CURSOR';
  if (verb === 'close') return next === 'all' ? 'CLOSE CURSOR ALL' : 'CLOSE CURSOR';
  if (verb === 'discard') return `DISCARD ${next.toUpperCase()}`;
  if (verb === 'lock') return 'LOCK TABLE';
  if (verb === 'deallocate') return next === 'all' ? 'DEALLOCATE ALL' : 'DEALLOCATE';
  if (verb === 'set' && next === 'constraints') return 'SET CONSTRAINTS';
  return verb.toUpperCase();
}

const reads = ['select', 'table', 'values', 'show'];
const writes = [
  ...['insert', 'update', 'delete', 'merge', 'truncate', 'create', 'alter', 'drop', 'grant'],
  ...['revoke', 'comment', 'call', 'do', 'refresh', 'reindex', 'vacuum', 'analyze', 'cluster'],
  ...['import', 'security', 'reassign'],
];
const controls = [
  ...['begin', 'start', 'commit', 'end', 'rollback', 'abort', 'savepoint', 'release', 'set'],
  ...['reset', 'discard', 'listen', 'unlisten', 'prepare', 'deallocate', 'declare', 'close'],
  ...['lock', 'checkpoint', 'load', ''],
];
/** Functions that change something although a SELECT calls them. */
const changing: readonly RegExp[] = [
  /^(nextval|setval|set_config|pg_notify|pg_(try_)?advisory_\w*|lo_\w+|dblink\w*)$/,
  /^(pg_(cancel|terminate)_backend|pg_switch_wal|pg_logical_emit_message)$/,
  /^(txid_current|pg_current_xact_id)$/,
];

function statementOf(tokens: Token[]): Statement {
  const words = tokens.map((token) =>
    token.kind === 'word' || token.kind === 'symbol' ? token.text.toLowerCase() : token.text,
  );
  while (words[0] === '(') words.shift();
  const verb = words[0] ?? '';
  return { verb, words, effect: effectOf(verb, words) };
}

function effectOf(verb: string, words: string[]): Effect {
  if (controls.includes(verb)) return 'control';
  if (writes.includes(verb)) return 'write';
  if (verb === 'explain') {
    const runs = words.slice(1, 12).includes('analyze');
    return runs && modifies(words) ? 'write' : 'read';
  }
  if (verb === 'copy') return words.includes('from') && !words.includes('to') ? 'write' : 'read';
  if (verb === 'with' && modifies(words)) return 'write';
  if (verb === 'with' || reads.includes(verb)) {
    if (selectsInto(words)) return 'write';
    return words.some((word, i) => words[i + 1] === '(' && isChanging(word)) ? 'unknown' : 'read';
  }
  if (verb === 'fetch' || verb === 'move') return 'read';
  if (verb === 'notify') return 'write';
  return 'unknown';
}

function isChanging(name: string): boolean {
  return changing.some((names) => names.test(name));
}

/** A data-modifying keyword where a statement may begin: `AS (INSERT`, `) UPDATE`. */
function modifies(words: readonly string[]): boolean {
  return words.some((word, i) => {
    if (!['insert', 'update', 'delete', 'merge'].includes(word)) return false;
    const before = words[i - 1] ?? '(';
    return before === '(' || before === ')' || /^(explain|analyze|verbose)$/.test(before);
  });
}

/** `SELECT ... INTO t`, which makes a table. */
function selectsInto(words: readonly string[]): boolean {
  let depth = 0;
  for (const word of words) {
    if (word === '(') depth += 1;
    if (word === ')') depth -= 1;
    if (depth === 0 && word === 'into') return true;
  }
  return false;
}

/** What a text with several statements does is what its strongest statement does. */
function strongest(effects: readonly Effect[]): Effect {
  for (const effect of ['write', 'unknown', 'read'] as const) {
    if (effects.includes(effect)) return effect;
  }
  return 'control';
}

function split(tokens: readonly Token[]): Token[][] {
  const statements: Token[][] = [[]];
  for (const token of tokens) {
    if (token.text === ';') statements.push([]);
    else statements.at(-1)!.push(token);
  }
  const spoken = statements.filter((statement) => statement.length > 0);
  return spoken.length === 0 ? [[]] : spoken;
}

function joined(tokens: readonly Token[], textOf: (token: Token) => string): string {
  return tokens
    .map((token, i) => (token.spaced && i > 0 ? ` ${textOf(token)}` : textOf(token)))
    .join('');
}

function isLiteral(token: Token): boolean {
  return token.kind === 'string' || token.kind === 'number';
}

function literalValue(literal: string): string {
  const quoted = /^(?:[bBxXnNeE]|[uU]&)?'([\s\S]*)'$/.exec(literal)?.[1];
  if (quoted !== undefined) return quoted.replaceAll("''", "'");
  return /^\$([^$]*)\$([\s\S]*)\$\1\$$/.exec(literal)?.[2] ?? literal;
}

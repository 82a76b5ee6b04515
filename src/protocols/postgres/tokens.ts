/** SQL as tokens, by PostgreSQL's own lexical rules: no literal is taken for a keyword. */

export interface Token {
  kind: 'word' | 'identifier' | 'string' | 'number' | 'parameter' | 'symbol';
  /** As written. */
  text: string;
  /** Whether white space or a comment stood before it. */
  spaced: boolean;
}

/** In the order in which they are tried at a place; sticky. Source: PostgreSQL manual, 4.1. */
const shapes: readonly [Token['kind'], RegExp][] = [
  ['string', /[eE]'(?:[^'\\]|\\[\s\S]|'')*'?/y],
  ['string', /(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'?/y],
  ['identifier', /(?:[uU]&)?"(?:[^"]|"")*"?/y],
  ['parameter', /\$\d+/y],
  ['string', /\$([A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$[\s\S]*?\$\1\$/y],
  ['word', /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y],
  ['number', /(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)/y],
  ['symbol', /::|:=|[<>=!~]+|[\s\S]/y],
];
const space = /[ \t\r\n\f\v]+/y;
const lineComment = /--[^\r\n]*/y;

/** Comments and white space are left out; a trailing unterminated literal is one token. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  let spaced = false;
  for (let at = 0; at < sql.length; ) {
    const blank = match(space, sql, at) + match(lineComment, sql, at) || blockComment(sql, at);
    if (blank > 0) {
      at += blank;
      spaced = true;
      continue;
    }
    for (const [kind, shape] of shapes) {
      const length = match(shape, sql, at);
      if (length === 0) continue;
      tokens.push({ kind, text: sql.slice(at, at + length), spaced });
      at += length;
      break;
    }
    spaced = false;
  }
  return tokens;
}

function match(shape: RegExp, sql: string, at: number): number {
  shape.lastIndex = at;
  const found = shape.exec(sql);
  return found === null ? 0 : found[0].length;
}

/** Block comments nest (4.1.5). */
function blockComment(sql: string, from: number): number {
  if (!sql.startsWith('/*', from)) return 0;
  let depth = 0;
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  for (let found = mark.exec(sql); found !== null; found = mark.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return mark.lastIndex - from;
  }
  return sql.length - from;
}

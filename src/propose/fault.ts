/** What a V8 exception's message says about the value that was not what the code expected. */
import type { Trace } from '../domain/failure.ts';

export type Fault =
  /** `a.b.c` where `a.b` is null or undefined, and `c` is `property`. */
  | { kind: 'nullish-read'; property: string | null }
  /** `a.b.c = x` where `a.b` is null or undefined. */
  | { kind: 'nullish-write'; property: string | null }
  /** `const { p } = source` where source is null or undefined. */
  | { kind: 'nullish-pattern'; property: string | null; source: string | null }
  /** Calling what is no function; `expression` is the source text of the callee. */
  | { kind: 'not-callable'; expression: string }
  | { kind: 'not-iterable'; expression: string | null }
  /** `Object.keys(null)`, `'x' in undefined`. */
  | { kind: 'nullish-argument' }
  /** A built-in refused its argument: JSON.parse, new URL, BigInt, repeat, toFixed ... */
  | { kind: 'refused-argument'; callee: string | null }
  | { kind: 'invalid-date' }
  /** A name that nothing declares. */
  | { kind: 'not-defined'; name: string }
  /** A second answer after the first. */
  | { kind: 'answered-twice' }
  | { kind: 'other' };

interface Rule {
  type: RegExp;
  message: RegExp;
  fault: (found: RegExpExecArray, trace: Trace) => Fault;
}

/** Messages of V8: src/common/message-template.h of the V8 project lists them. */
const rules: readonly Rule[] = [
  {
    type: /^TypeError$/,
    message: /^Cannot read properties of (?:null|undefined)(?: \(reading '(.*)'\))?/s,
    fault: (found) => ({ kind: 'nullish-read', property: found[1] ?? null }),
  },
  {
    type: /^TypeError$/,
    message: /^Cannot set properties of (?:null|undefined)(?: \(setting '(.*)'\))?/s,
    fault: (found) => ({ kind: 'nullish-write', property: found[1] ?? null }),
  },
  {
    type: /^TypeError$/,
    message: /^Cannot destructure (?:property '(.*?)' of )?'(.*)' as it is (?:null|undefined)/s,
    fault: (found) => ({
      kind: 'nullish-pattern',
      property: found[1] ?? null,
      source: found[2] ?? null,
    }),
  },
  {
    type: /^TypeError$/,
    message: /^(?:(?:undefined|object null) is not iterable|Spread syntax requires)/,
    fault: () => ({ kind: 'not-iterable', expression: null }),
  },
  {
    type: /^TypeError$/,
    message: /^(.*?) is not (?:async )?iterable/s,
    fault: (found) => ({ kind: 'not-iterable', expression: iterableText(found[1] ?? '') }),
  },
  {
    type: /^TypeError$/,
    message: /^(.*) is not a (?:function|constructor)/s,
    fault: (found) => ({ kind: 'not-callable', expression: found[1] ?? '' }),
  },
  {
    type: /^TypeError$/,
    message: /^Cannot convert undefined or null to object|^Cannot use 'in' operator/,
    fault: () => ({ kind: 'nullish-argument' }),
  },
  {
    type: /^ReferenceError$/,
    message: /^([\w$]+) is not defined/,
    fault: (found) => ({ kind: 'not-defined', name: found[1] ?? '' }),
  },
  {
    type: /^RangeError$/,
    message: /^Invalid time value/,
    fault: () => ({ kind: 'invalid-date' }),
  },
  {
    type: /Error/,
    message: /^Cannot (?:set|write) headers after they are sent/,
    fault: () => ({ kind: 'answered-twice' }),
  },
  {
    type: /^(?:SyntaxError|RangeError|URIError|TypeError)/,
    message: /./s,
    fault: (_found, trace) => {
      const callee = refusingCallee(trace);
      return callee === null ? { kind: 'other' } : { kind: 'refused-argument', callee };
    },
  },
];

/** The fault of a trace; `other` when no rule knows the message. */
export function faultOf(trace: Trace): Fault {
  const type = trace.type.replace(/ \[.*\]$/, '');
  for (const rule of rules) {
    const found = rule.type.test(type) ? rule.message.exec(trace.message) : null;
    if (found !== null) return rule.fault(found, trace);
  }
  return { kind: 'other' };
}

/** The innermost exception that names in-app code: a wrapper says less than what it wraps. */
export function innermost(trace: Trace): Trace {
  for (const cause of trace.causes) {
    const inner = innermost(cause);
    if (inner.lines.some((line) => line.inApp)) return inner;
  }
  return trace;
}

/** `JSON.parse` when the runtime's own lines stand above the first in-app line. */
function refusingCallee(trace: Trace): string | null {
  const first = trace.lines.findIndex((line) => line.inApp);
  if (first <= 0) return null;
  const above = trace.lines.slice(0, first);
  if (above.some((line) => /node_modules/.test(line.file))) return null;
  const named = above.at(-1)?.function?.replace(/^(?:async|new) /, '') ?? null;
  return named === null || named === '' ? null : named;
}

/** `number 5` is a value, `rows` is source text. */
function iterableText(text: string): string | null {
  const value = /^(?:undefined|null|true|false|number|string|bigint|symbol|object|boolean)\b/;
  return value.test(text) ? null : text.replace(/^\(intermediate value\)/, '');
}

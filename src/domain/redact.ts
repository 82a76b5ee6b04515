/**
 * Exists so that no recorded secret is shown: one function for every text that leaves. It goes by
 * form, not by knowledge, and would rather take away too much than too little. Source text and
 * diffs of the repository are not recorded and do not go through it.
 */

const mark = (what: string) => `[redacted ${what}]`;

/** Names whose value is secret wherever it stands: JSON, form, query, header, environment. */
const secretName =
  '(?:[\\w.-]{0,40}(?:passw(?:or)?d|passphrase|passwd|pwd|secret|api[_-]?key|apikey|' +
  'access[_-]?key|private[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|' +
  'csrf[_-]?token|xsrf[_-]?token|credentials?|session[_-]?(?:id|key|token)|' +
  'card[_-]?number|cvv|cvc|ssn)[\\w.-]{0,40}|token|sid|jwt|otp|pin|authorization|cookie)';

/** Headers whose whole value is secret, as a header line or in a printed list of headers. */
const secretHeader =
  '(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|api-key|x-auth-token|' +
  'x-access-token|x-csrf-token|x-xsrf-token|x-amz-security-token|x-forwarded-authorization)';

/** A pattern for a quoted text with escapes, which does not hold the characters of `without`. */
function quoted(quote: string, without: string): string {
  return `${quote}(?:[^${quote}\\\\${without}]|\\\\.)*${quote}`;
}

type Rule = [pattern: RegExp, replace: (...groups: string[]) => string];

const rules: readonly Rule[] = [
  [
    /-----BEGIN ([A-Z ]{0,30}PRIVATE KEY[A-Z ]{0,10})-----[\s\S]{0,20000}?(?:-----END \1-----|$)/g,
    () => mark('private key'),
  ],
  [/\beyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*){0,3}/g, () => mark('token')],
  // `Cookie: a=b; c=d` to the end of the line; `authorization', 'Bearer x'` as Node prints it.
  [
    new RegExp(
      `(^|[\\n\\r])([ \\t]*(?:[<>] )?["']?${secretHeader}["']?[ \\t]*:[ \\t]*)[^\\r\\n]+`,
      'gi',
    ),
    (_, before, name) => `${before}${name}${mark('header')}`,
  ],
  [
    new RegExp(`(["']${secretHeader}["']\\s*,\\s*)(?:"[^"\\n]*"|'[^'\\n]*')`, 'gi'),
    (_, name) => `${name}"${mark('header')}"`,
  ],
  // JSON, Python, Ruby, JavaScript: a quoted or bare name, a colon or arrow, a quoted value.
  [
    new RegExp(
      `((\\\\?["'])${secretName}\\2\\s*(?::|=>|=)\\s*)` +
        `(?:(\\\\?")(?:[^"\\\\]|\\\\[^"])*?\\3|${quoted('"', '')}|${quoted("'", '')}` +
        '|[^\\s,}\\])]+)',
      'gi',
    ),
    (_, name) => `${name}"${mark('value')}"`,
  ],
  [
    new RegExp(
      `(\\b${secretName}\\s{0,4}(?::|=>|=)\\s{0,4})` +
        `(?:${quoted('"', '\\n')}|${quoted("'", '\\n')})`,
      'gi',
    ),
    (_, name) => `${name}"${mark('value')}"`,
  ],
  // Forms, queries, environments and logfmt: `password=x`, up to the next separator.
  [
    new RegExp(`((?:^|[^\\w.-])${secretName}=)(?!\\[redacted)[^\\s&;,"'<>]+`, 'gi'),
    (_, name) => `${name}${mark('value')}`,
  ],
  // Prose and YAML: only where the name leaves no doubt.
  [
    /(\b(?:pass(?:word|wd|phrase)|pwd|secret|api[_-]?key)\s?:\s?)(?!["'[{\s])[^\s,;"'<>]+/gi,
    (_, name) => `${name}${mark('value')}`,
  ],
  [/\b(Bearer|Token|Digest) +(?=[\w.~+/-]{0,60}[\d_.-])[\w.~+/-]{8,}=*/gi, keepScheme],
  [/\b(Basic) +(?=[A-Za-z0-9+/]{0,60}(?:\d|=|[a-z][A-Z]))[A-Za-z0-9+/]{8,}={0,2}/g, keepScheme],
  // Tokens that their issuers gave a form of their own.
  [
    new RegExp(
      '\\b(?:gh[pousr]_\\w{20,}|github_pat_\\w{20,}|glpat-[\\w-]{16,}|xox[abeoprs]-[\\w-]{10,}|' +
        'sk-(?:ant-|proj-)?[\\w-]{16,}|[rs]k_(?:live|test)_\\w{10,}|whsec_[\\w+/=]{10,}|' +
        'fp_[\\w-]{20,}|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\\w-]{30,}|npm_\\w{30,}|' +
        'SG\\.[\\w-]{16,}\\.[\\w-]{16,})',
      'g',
    ),
    () => mark('token'),
  ],
  [
    /\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#@"'<>]{1,500}@/gi,
    (_, scheme) => `${scheme}${mark('login')}@`,
  ],
  [
    /(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])/g,
    (number) => (isCard(number) ? mark('card') : number),
  ],
  [/[\w.%+-]{1,64}(?:@|%40)(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b/gi, () => mark('e-mail')],
];

/**
 * The text with its secrets taken away: headers that authenticate, bearer tokens and JWTs, private
 * keys, passwords in JSON, forms and URLs, tokens of known issuers, card numbers, e-mail addresses.
 * Doing it twice changes nothing.
 */
export function redact(text: string): string {
  let result = text;
  for (const [pattern, replace] of rules) result = result.replace(pattern, replace);
  return result;
}

/** What is the repository's own, named by the field it stands in: shown as it is. */
const sourceFields = ['diff', 'search', 'replace'];

/**
 * A copy of a JSON value with every string redacted. A field with a secret's name loses its whole
 * value; source text (a diff, the text of a stack line) stays.
 */
export function redactValue<T>(value: T): T {
  return redactIn(value) as T;
}

const secretField = new RegExp(`^${secretName}$`, 'i');

function redactIn(value: unknown): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map(redactIn);
  if (typeof value !== 'object' || value === null) return value;
  const isStackLine = 'inApp' in value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (sourceFields.includes(name) || (isStackLine && name === 'text')) return [name, inner];
      const secret = secretField.test(name) && typeof inner === 'string' && inner !== '';
      return [name, secret ? mark('value') : redactIn(inner)];
    }),
  );
}

function keepScheme(_: string, scheme: string): string {
  return `${scheme} ${mark('token')}`;
}

/** Luhn's check, and a first digit that issuers use (ISO/IEC 7812): others are plain numbers. */
function isCard(text: string): boolean {
  const digits = text.replace(/\D/g, '');
  if (!/^(?:[34569]|2[2-7])/.test(digits) || digits.length < 13 || digits.length > 19) return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    let digit = Number(digits[digits.length - 1 - index]);
    if (index % 2 === 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

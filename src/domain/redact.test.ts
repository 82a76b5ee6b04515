/** Planted secrets are gone from whatever they stand in, and ordinary text stays readable. */
import { describe, expect, it } from 'vitest';
import { redact, redactValue } from './redact.ts';

const jwt =
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
const key = [
  '-----BEGIN RSA PRIVATE KEY-----',
  'MIIEpAIBAAKCAQEAplantedplanted',
  '-----END RSA PRIVATE KEY-----',
].join('\n');

/** Each text holds `planted`, which must not survive. */
const planted: [what: string, text: string, secret: string][] = [
  [
    'an authorization header',
    'GET / HTTP/1.1\r\nAuthorization: Basic cGxhbnRlZDpwdw==\r\nA: b',
    'cGxhbnRlZDpwdw',
  ],
  ['a lower-case header', 'host: x\nauthorization: planted-value\nok: 1', 'planted-value'],
  ['a cookie header', 'Cookie: theme=dark; sid=planted1; a=b', 'planted1'],
  ['a header of a shown request', '> cookie: theme=dark; visit=planted1', 'planted1'],
  ['a set-cookie header', 'set-cookie: sid=planted1; HttpOnly', 'planted1'],
  ['an API key header', 'X-Api-Key: planted1', 'planted1'],
  ['headers as JSON', '{"authorization":"Bearer planted-1","accept":"*/*"}', 'planted-1'],
  ['headers as Node prints them', "[ 'authorization', 'planted value' ]", 'planted value'],
  ['a bearer token in a message', 'invalid token: Bearer abc.def-12345678', 'abc.def-12345678'],
  ['a JWT alone', `got ${jwt}!`, 'dozjgNryP4J3jVmN'],
  ['a JWT in an URL', `/cb?id=${jwt}&x=1`, 'dozjgNryP4J3jVmN'],
  ['a private key', `key is\n${key}\nend`, 'plantedplanted'],
  ['a private key cut short', key.slice(0, 60), 'MIIEpAIB'],
  ['a private key in JSON', JSON.stringify({ pem: key }), 'plantedplanted'],
  ['a password in JSON', '{"user":"bo","password":"pl4nted, x"}', 'pl4nted'],
  ['a password with quotes in JSON', '{"password":"a\\"planted\\"b","x":1}', 'planted'],
  ['a password in escaped JSON', '{"body":"{\\"password\\":\\"planted\\",\\"a\\":1}"}', 'planted'],
  ['a number as a PIN', '{"pin": 483920, "a": 1}', '483920'],
  ['a password in a form', 'user=bo&password=planted%21&x=1', 'planted'],
  ['a password at the end of a form', 'password=planted', 'planted'],
  ['a client secret', 'grant_type=x&client_secret=planted', 'planted'],
  ['a token in a query', 'GET /x?access_token=planted&a=1', 'planted'],
  ['a bare token in a query', 'GET /x?token=planted', 'planted'],
  ['an environment line', 'STRIPE_SECRET_KEY=planted', 'planted'],
  ['a prefixed variable', 'export DB_PASSWORD="planted value"', 'planted'],
  ['YAML', 'db:\n  password: planted\n  port: 1', 'planted'],
  ['Python', "{'password': 'planted', 'a': None}", 'planted'],
  ['Ruby', '{"password"=>"planted", "a"=>nil}', 'planted'],
  ['JavaScript', "{ password: 'planted', a: 1 }", 'planted'],
  ['an URL with a login', 'connect postgres://app:planted@db:5432/x failed', 'planted'],
  ['an URL with a token', 'http://planted@host/git/a.git', 'planted'],
  ['a GitHub token', `using ghp_${'a1'.repeat(18)}`, 'a1a1a1'],
  ['an AWS key id', 'AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7'],
  ['a Stripe key', 'sk_live_planted1234567890', 'planted1234'],
  ['a model key', 'sk-ant-api03-planted1234567890', 'planted1234'],
  ['a card number', 'card 4111 1111 1111 1111 declined', '1111 1111'],
  ['a card number without blanks', '{"n":"5500005555555559"}', '5500005555555559'],
  ['an e-mail address', 'no account for jo.doe+x@mail.example.org', 'jo.doe'],
  ['an encoded e-mail address', '/u?mail=jo.doe%40example.org', 'jo.doe'],
];

const ordinary = [
  "TypeError: Cannot read properties of null (reading 'city')",
  'GET /orders/17?limit=20&cursor=abc -> 500 (31 B)',
  '    at toView (/app/src/orders.ts:41:22)',
  'SyntaxError: Unexpected token < in JSON at position 0',
  'SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE o.id = $1',
  'Basic authentication is required',
  'took 1700000000000000 us, order 4111111111111112, at 2026-01-01T00:00:00.000Z',
  'sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945',
  'http://orders.localhost:8080/orders?sort=asc#top',
  '198.18.0.2:5432 -> [fd00:198::1]:443',
  'the tokenizer keyboard secretary cookies',
];

describe('redact', () => {
  for (const [what, text, secret] of planted) {
    it(`takes away ${what}`, () => {
      expect(text).toContain(secret);
      const shown = redact(text);
      expect(shown).not.toContain(secret);
      expect(shown).toContain('[redacted');
      expect(redact(shown)).toBe(shown);
    });
  }

  it('keeps what is around a secret', () => {
    expect(redact('user=bo&password=planted&x=1')).toBe('user=bo&password=[redacted value]&x=1');
    expect(redact('{"user":"bo","password":"planted","n":1}')).toBe(
      '{"user":"bo","password":"[redacted value]","n":1}',
    );
    expect(redact('A: 1\r\nCookie: a=b\r\nB: 2')).toBe('A: 1\r\nCookie: [redacted header]\r\nB: 2');
    expect(redact('postgres://a:b@db/x')).toBe('postgres://[redacted login]@db/x');
  });

  it('leaves ordinary text alone', () => {
    for (const text of ordinary) expect(redact(text)).toBe(text);
  });

  it('is quick on long hostile text', () => {
    const patterns = ['a'.repeat(300_000), '"password":"'.repeat(20_000), '\\"'.repeat(100_000)];
    patterns.push(
      '1 '.repeat(100_000),
      'eyJ'.repeat(80_000),
      'a.'.repeat(100_000),
      '@'.repeat(9e4),
    );
    patterns.push('-----BEGIN PRIVATE KEY-----'.repeat(8000), 'password= '.repeat(30_000));
    for (const text of patterns) expect(redact(text).length).toBeGreaterThan(0);
  });
});

describe('redactValue', () => {
  it('goes into every text of a document, but not into source', () => {
    const document = {
      title: 'POST /login password=planted',
      password: 'planted',
      count: 3,
      nothing: null,
      nested: [{ text: 'jo@example.org', inApp: true }, { text: 'jo@example.org' }],
      diff: "+const password = 'from the repository';",
    };
    expect(redactValue(document)).toEqual({
      title: 'POST /login password=[redacted value]',
      password: '[redacted value]',
      count: 3,
      nothing: null,
      nested: [{ text: 'jo@example.org', inApp: true }, { text: '[redacted e-mail]' }],
      diff: "+const password = 'from the repository';",
    });
  });
});

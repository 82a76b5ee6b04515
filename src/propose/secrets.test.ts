// Secrets that programs copy into variables of any name are known by where they came from.
import { describe, expect, it } from 'vitest';
import { secretsOf, withoutSecrets } from './secrets.ts';

const from = (env: Record<string, string>) => secretsOf({ recording: null, env });

describe('secretsOf', () => {
  it('takes settings, and the password of an address', () => {
    const DATABASE_URL = 'postgres://app:s3cr%2Ft@db:5432/app';
    expect(from({ DATABASE_URL })).toEqual([
      DATABASE_URL,
      decodeURIComponent(DATABASE_URL),
      's3cr%2Ft',
      's3cr/t',
    ]);
    expect(from({ KEY: 'a1b2c3d4', HOOK: 'https://x.test/?sig=abcdef12' })).toEqual([
      'a1b2c3d4',
      'abcdef12',
    ]);
  });

  it('leaves plain words, numbers and addresses', () => {
    const env = { MODE: 'production', PORT: '300000', URL: 'http://rates:3000', AT: 'redis:6379' };
    expect(from(env)).toEqual([]);
  });
});

it('hides whole values before parts of them', () => {
  expect(withoutSecrets('x abcdef12 abcdef', ['abcdef12', 'abcdef'])).toBe(
    'x [redacted value] [redacted value]',
  );
});

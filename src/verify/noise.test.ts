// What is taken for noise, and what is not although it is near it.
import { describe, expect, it } from 'vitest';
import { differences } from './noise.ts';

describe('differences', () => {
  it('are those from both old answers', () => {
    const old = { id: 1, name: 'a', tags: ['x'] };
    expect(differences(old, old, old)).toEqual([]);
    expect(differences(old, old, { ...old, name: 'b' })).toEqual(['name is "b", was "a"']);
    expect(differences(old, old, { id: 1, tags: [] })).toEqual([
      'name is absent, was "a"',
      'tags.0 is absent, was "x"',
    ]);
    expect(differences(old, old, { ...old, more: 1 })).toEqual(['more is 1, was absent']);
    expect(differences({}, {}, { constructor: 1 })).toEqual(['constructor is 1, was absent']);
  });
  it('are none where old answers differ by themselves', () => {
    expect(differences({ id: 'a1' }, { id: 'b2' }, { id: 'c3' })).toEqual([]);
    expect(differences({ at: 1 }, { at: 2 }, { at: 3 })).toEqual([]);
  });
  it('are those of another kind even there', () => {
    expect(differences({ id: 'a1' }, { id: 'b2' }, { id: null })).toEqual(['id is null, was "a1"']);
    expect(differences({ id: 'a1' }, { id: 'b2' }, {})).toEqual(['id is absent, was "a1"']);
    expect(differences({ id: 'a1' }, { id: 'b2' }, { id: '' })).toEqual(['id is "", was "a1"']);
  });
  it('are found in texts with a random part', () => {
    const page = (nonce: string, word: string) =>
      `<html><script nonce="${nonce}"></script><p>${'Dear customer, '.repeat(9)}${word}</p></html>`;
    const [first, second] = [page('a1b2', 'total 12'), page('c3d4', 'total 12')];
    expect(differences(first, second, page('e5f6', 'total 12'))).toEqual([]);
    expect(differences(first, second, page('e5f6', 'nothing 12'))).toHaveLength(1);
    expect(differences(first, second, page('e5f6', ''))).toHaveLength(1);
    expect(differences(first, second, 'oops')).toHaveLength(1);
  });
});

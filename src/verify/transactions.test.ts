// Writes that are made and undone again.
import { describe, expect, it } from 'vitest';
import type { Served } from '../domain/outcome.ts';
import type { Sample } from './outcome-sane.ts';
import { endingsOf, undoneWork } from './transactions.ts';

const control = (title: string) => ({ title, effect: 'control', duringBoot: false }) as Served;
const sibling = (...titles: string[]) => ({ status: 201, endings: endingsOf(titles) }) as Sample;

it('counts how transactions end', () => {
  const titles = ['BEGIN', 'commit', 'COMMIT -> COMMIT', 'ROLLBACK TO SAVEPOINT a', 'END'];
  expect(endingsOf(titles)).toEqual({ commits: 3, rollbacks: 0 });
  const undone = ['rollback', 'ROLLBACK WORK', 'ABORT', 'ROLLBACK WORK TO a', 'endless'];
  expect(endingsOf(undone)).toEqual({ commits: 0, rollbacks: 3 });
});

describe('undone work', () => {
  it('is not committed, or rolled back', () => {
    const siblings = [sibling('BEGIN', 'COMMIT'), sibling('COMMIT')];
    expect(undoneWork([control('BEGIN'), control('COMMIT')], siblings)).toBeNull();
    expect(undoneWork([control('BEGIN'), control('ROLLBACK')], siblings)).toMatch('not commit');
    expect(undoneWork([control('COMMIT'), control('ROLLBACK')], siblings)).toMatch('rolls back');
    expect(undoneWork([], siblings)).toMatch('not commit');
    expect(undoneWork([control('ROLLBACK')], [sibling()])).toMatch('rolls back');
  });
  it('is none where successful requests do the same, or none is known', () => {
    expect(undoneWork([control('ROLLBACK')], [sibling('ROLLBACK')])).toBeNull();
    expect(undoneWork([control('ROLLBACK')], [])).toBeNull();
    expect(undoneWork([], [sibling()])).toBeNull();
  });
});

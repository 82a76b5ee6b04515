// The clock of a Node without glibc: every way to read the time gives the moved one.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

it('moves the time of a program, and nothing else of Date', () => {
  const source = `
    const at = Date.now();
    const fixed = new Date(2024, 1, 29, 12);
    class Own extends Date {}
    console.log(JSON.stringify({
      now: at, made: new Date().getTime(), text: Date.parse(Date()), own: new Own().getTime(),
      fixed: fixed.getMonth(), parsed: new Date('2024-02-29T12:00:00Z').getTime(),
      utc: Date.UTC(2024, 1, 29), is: new Date() instanceof Date && fixed.constructor === Date,
      isOwn: new Own() instanceof Own, length: Date.length, name: Date.name,
    }));`;
  const preload = join(import.meta.dirname, 'inside', 'clock.cjs');
  const offsetMs = -86_400_000;
  const printed = execFileSync(process.execPath, ['--require', preload, '--eval', source], {
    env: { ...process.env, FIXPOINT_CLOCK_OFFSET_MS: String(offsetMs), NODE_OPTIONS: '' },
  });
  const seen = JSON.parse(printed.toString()) as Record<string, number>;
  for (const name of ['now', 'made', 'text', 'own']) {
    expect([name, Math.abs(seen[name]! - (Date.now() + offsetMs)) < 60_000]).toEqual([name, true]);
  }
  expect(seen).toMatchObject({
    ...{ fixed: 1, parsed: Date.UTC(2024, 1, 29, 12), utc: Date.UTC(2024, 1, 29) },
    ...{ is: true, isOwn: true, length: 7, name: 'Date' },
  });
});

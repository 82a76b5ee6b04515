// Sandboxes kept open: used again only when they are sound, and all removed in the end.
import { describe, expect, it } from 'vitest';
import { SandboxPool } from './pool.ts';
import type { Sandbox } from './sandbox.ts';

/** Sandboxes that write down what happens to them. */
function pooled(options: { size?: number; usesMax?: number; failures?: number } = {}) {
  const events: string[] = [];
  let opened = 0;
  let failures = options.failures ?? 0;
  const open = async (): Promise<Sandbox> => {
    if (failures-- > 0) throw new Error('no space');
    const name = `s${++opened}`;
    events.push(`open ${name}`);
    return {
      anchorId: name,
      link: { isLost: false },
      uses: 0,
      clear: async () => void events.push(`clear ${name}`),
      close: async () => void events.push(`close ${name}`),
    } as unknown as Sandbox;
  };
  const { size = 1, usesMax = 10 } = options;
  const pool = new SandboxPool({ open, size, usesMax, attemptsMax: 3, retryDelayMs: 1 });
  return { pool, events };
}

describe('the pool', () => {
  it('opens in advance, and gives the same one again once it is cleared', async () => {
    const { pool, events } = pooled();
    pool.fill();
    const first = await pool.take();
    pool.giveBack(first, { isSound: true });
    expect(await pool.take()).toBe(first);
    expect(events).toEqual(['open s1', 'clear s1']);
    pool.giveBack(first, { isSound: true });
    await pool.close();
    expect(events.at(-1)).toBe('close s1');
  });

  it('never gives one again that broke, died or was used enough', async () => {
    for (const way of ['broke', 'died', 'used'] as const) {
      const { pool, events } = pooled({ usesMax: way === 'used' ? 1 : 10 });
      const first = await pool.take();
      if (way === 'died') Object.assign(first.link, { isLost: true });
      pool.giveBack(first, { isSound: way !== 'broke' });
      const second = await pool.take();
      expect([way, second === first]).toEqual([way, false]);
      expect(events).toContain('close s1');
      pool.giveBack(second, { isSound: true });
      await pool.close();
      expect(events.filter((event) => event.startsWith('open')).length).toBe(
        events.filter((event) => event.startsWith('close')).length,
      );
    }
  });

  it('does not give one that died while it waited', async () => {
    const { pool } = pooled();
    const first = await pool.take();
    pool.giveBack(first, { isSound: true });
    Object.assign(first.link, { isLost: true });
    expect(await pool.take()).not.toBe(first);
    await pool.close();
  });

  it('tries again when opening fails, and says so when it goes on failing', async () => {
    const { pool } = pooled({ failures: 2 });
    expect((await pool.take()).anchorId).toBe('s1');
    const { pool: hopeless } = pooled({ failures: 3 });
    await expect(hopeless.take()).rejects.toThrow('no space');
  });

  it('gives nothing once it is closed', async () => {
    const { pool, events } = pooled();
    const taken = await pool.take();
    await pool.close();
    await expect(pool.take()).rejects.toThrow('closed');
    pool.giveBack(taken, { isSound: true });
    expect(events).toContain('close s1');
  });
});

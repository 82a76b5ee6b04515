// Two sorts of tests: units beside the code run in parallel; whatever starts the platform, a sandbox
// or the sensor shares one kernel and one Docker Engine, so those files run one after the other.
import { defineConfig } from 'vitest/config';

const alone = ['test/**/*.test.ts', 'src/**/*.system.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'units',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts'],
          exclude: alone,
          testTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'system',
          include: alone,
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

// Browser tests: one file after the other, because each has a cloud, boards and a browser of its own on this machine.
import { defineConfig } from 'vitest/config';
import { LineReporter } from './reporter.ts';
import { InOrder } from './stage/order.ts';

export default defineConfig({
  root: import.meta.dirname,
  test: {
    include: ['*.browser.ts'],
    environment: 'node',
    pool: 'forks',
    fileParallelism: false,
    sequence: { sequencer: InOrder },
    globalSetup: './stage/asked.ts',
    testTimeout: 90_000,
    hookTimeout: 90_000,
    disableConsoleIntercept: true,
    reporters: [new LineReporter()],
  },
});

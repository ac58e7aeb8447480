// Pictures of the screens, taken by the same means as the browser tests drive them.
import { defineConfig } from 'vitest/config';
import tests from './vitest.config.ts';

export default defineConfig({ ...tests, test: { ...tests.test, include: ['screenshots.ts'], testTimeout: 240_000, hookTimeout: 240_000 } });

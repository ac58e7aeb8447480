// How the pages are built, and how they are served while one works on them (`npm run dev`, against a cloud at S4T_URL).
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { firstLoadBudget } from './budget.ts';

const cloud = process.env['S4T_URL'] ?? 'http://127.0.0.1:8812';

export default defineConfig({
  base: '/ui/',
  plugins: [svelte(), firstLoadBudget()],
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { '/v2': { target: cloud, ws: true } } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});

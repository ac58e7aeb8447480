// The budget of the first load: what a browser fetches before the first screen stands, gzip, in all.
// The build prints the sizes and fails when the budget is passed. Heavy screens are lazy and do not count.
import type { Plugin } from 'vite';
import { gzipSync } from 'node:zlib';

const BUDGET_KIB = 150;

interface Part {
  name: string;
  kib: number;
}

/** Prints the first load part by part and fails the build above the budget. */
export function firstLoadBudget(): Plugin {
  return {
    name: 'first-load-budget',
    apply: 'build',
    generateBundle(_, bundle) {
      const first = new Set<string>();
      const take = (name: string): void => {
        const chunk = bundle[name];
        if (!chunk || first.has(name)) return;
        first.add(name);
        if (chunk.type !== 'chunk') return;
        chunk.imports.forEach(take);
        chunk.viteMetadata?.importedCss.forEach((css) => first.add(css));
      };
      for (const [name, chunk] of Object.entries(bundle)) {
        if (chunk.type === 'chunk' && chunk.isEntry) take(name);
      }
      const parts: Part[] = [...first].map((name) => ({ name, kib: weigh(bundle[name]) }));
      parts.sort((a, b) => b.kib - a.kib);
      const total = parts.reduce((sum, part) => sum + part.kib, 0);
      for (const part of parts) console.log(`first load  ${part.kib.toFixed(1).padStart(7)} KiB gzip  ${part.name}`);
      console.log(`first load  ${total.toFixed(1).padStart(7)} KiB gzip  in all, of ${BUDGET_KIB}`);
      if (total > BUDGET_KIB) this.error(`the first load passes its budget of ${BUDGET_KIB} KiB; make a screen lazy`);
    },
  };
}

type Output = Parameters<Extract<NonNullable<Plugin['generateBundle']>, (...args: never[]) => unknown>>[1][string];

function weigh(output: Output | undefined): number {
  if (!output) return 0;
  const text = output.type === 'chunk' ? output.code : output.source;
  return gzipSync(text).length / 1024;
}

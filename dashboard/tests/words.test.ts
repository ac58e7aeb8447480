// Every language says everything, and nothing stands in a dictionary that no screen says.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { en } from '../src/i18n/en';
import { it as italian } from '../src/i18n/it';

type Tree = { [key: string]: unknown };

/** `boards.title` -> its kind. */
function leaves(tree: Tree, prefix = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value as Tree, `${prefix}${key}.`)
      : [[prefix + key, Array.isArray(value) ? 'list' : typeof value]],
  );
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'i18n' ? [] : sources(path);
    return /\.(svelte|ts)$/.test(entry.name) && entry.name !== 'generated.ts' ? [readFileSync(path, 'utf8')] : [];
  });
}

test('Italian says what English says, in the same shape', () => {
  expect(leaves(italian)).toEqual(leaves(en));
});

test('no text is empty, and hardly any is the same in both languages', () => {
  const texts = (tree: Tree): Map<string, string> =>
    new Map(leaves(tree).filter(([, kind]) => kind === 'string').map(([key]) => [key, String(key.split('.').reduce((at, part) => (at as Tree)[part] as Tree, tree))]));
  const [english, other] = [texts(en), texts(italian)];
  const same = [...english].filter(([key, text]) => other.get(key) === text);
  for (const [key, text] of [...english, ...other]) expect(text.trim(), key).not.toBe('');
  // Names (Python), units (MAC) and words that both share (Ping, Password).
  expect(same.length / english.size).toBeLessThan(0.1);
});

test('every text is said somewhere', () => {
  const code = sources('src').join('\n');
  // Groups that are read by a word of the API.
  const byWord = /^(states|problem\.kinds|operations\.methods|palette\.kinds|nav\.themes|nav\.|board\.tabs|lending\.(nouns|rightsWords|rightsHints)|add\.(lifetimes|packages|kinds|one$|several$)|plugins\.(limitNames|languages|visibilities|modes)|boards\.(inject|move|label|restart|reboot|decommission)|injections\.(call|start|restart)|injections\.acts|acts\.(names|texts|fields)|injections\.boot|contribution\.toWords|audit\.(sorts|kinds|fields|eraseSorts|eraseHints)|recordings\.wishes|people\.roleTexts|quota\.names|parted\.acts)/;
  const unsaid = leaves(en).map(([key]) => key).filter((key) => !byWord.test(key) && !code.includes(`t.${key}`));
  expect(unsaid).toEqual([]);
});

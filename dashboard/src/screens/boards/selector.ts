// Label selectors, read as the cloud reads them (a comma means "and"): `key=value`, `key!=value`, `key`, `!key`,
// `key in (a|b)`, `key notin (a|b)`. Pure, so that ten thousand boards are filtered without asking.
import type { Labels } from '../../api/types';

/** Most terms of one selector, as in the cloud. */
const MAX_TERMS = 16;
const WORD = /^[A-Za-z0-9._/-]{1,63}$/;

export type Test = (labels: Labels) => boolean;
export type Read = { test: Test } | { wrong: string };

/** Reads a selector; an empty one fits everything. */
export function readSelector(text: string): Read {
  const terms = text.split(',').map((term) => term.trim());
  if (text.trim() === '') return { test: () => true };
  if (terms.length > MAX_TERMS) return { wrong: `${terms.length} > ${MAX_TERMS}` };
  const tests: Test[] = [];
  for (const term of terms) {
    const test = readTerm(term);
    if (!test) return { wrong: term };
    tests.push(test);
  }
  return { test: (labels) => tests.every((test) => test(labels)) };
}

function readTerm(term: string): Test | undefined {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term);
  if (set) {
    const [, key = '', how, list = ''] = set;
    const values = list.split('|').map((value) => value.trim());
    if (![key, ...values].every((word) => WORD.test(word))) return undefined;
    return how === 'in'
      ? (labels) => values.includes(of(labels, key) ?? '')
      : (labels) => !values.includes(of(labels, key) ?? '');
  }
  const pair = /^([^!=]+)(!=|=)([^!=]+)$/.exec(term);
  if (pair) {
    const [, left = '', how, right = ''] = pair;
    const [key, value] = [left.trim(), right.trim()];
    if (!WORD.test(key) || !WORD.test(value)) return undefined;
    return how === '=' ? (labels) => of(labels, key) === value : (labels) => of(labels, key) !== value;
  }
  const absent = term.startsWith('!');
  const key = absent ? term.slice(1).trim() : term;
  if (!WORD.test(key)) return undefined;
  return absent ? (labels) => of(labels, key) === undefined : (labels) => of(labels, key) !== undefined;
}

// A key may have the name of something that every object has.
function of(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

// Which boards fit, and how the address keeps the filter.
import { expect, test } from 'vitest';
import type { Fleet, Summary } from '../src/api/types';
import { fleetsOf } from '../src/screens/fleets/members';
import { fitting, fromQuery, toQuery, type Filter } from '../src/screens/boards/filter';
import { readLabels, writeLabels } from '../src/screens/boards/labels';
import { readSelector } from '../src/screens/boards/selector';

function board(name: string, status: Summary['status'], labels: Record<string, string>, fleet: string | null = null): Summary {
  return { id: `id-${name}`, name, project: 'p', owner: 'o', status, labels, fleet, created_at: '', revision: 1 };
}

const BOARDS = [
  board('harbour', 'online', { kind: 'lamp', zone: 'north' }),
  board('market', 'offline', { kind: 'lamp', zone: 'centre' }, 'f1'),
  board('station', 'online', { kind: 'gateway', broken: 'yes' }, 'f1'),
];
function fleet(id: string, rule: string | null, project = 'p'): Fleet {
  return { id, name: id, project, description: '', rule, created_at: '', revision: 1 };
}

const FLEETS = [fleet('f1', null), fleet('lamps', 'kind=lamp'), fleet('theirs', 'kind', 'other')];
const NONE: Filter = { text: '', statuses: [], selector: '', fleet: '' };

function names(filter: Partial<Filter>): string[] {
  return fitting(BOARDS, { ...NONE, ...filter }, filter.fleet === '-' ? FLEETS.slice(0, 1) : FLEETS).map((one) => one.name);
}

test('text finds names and labels, every word must fit', () => {
  expect(names({ text: 'ar' })).toEqual(['harbour', 'market']);
  expect(names({ text: 'LAMP centre' })).toEqual(['market']);
  expect(names({ text: 'zone=north' })).toEqual(['harbour']);
});

test('states, fleets and selectors narrow down together', () => {
  expect(names({ statuses: ['online'] })).toEqual(['harbour', 'station']);
  expect(names({ fleet: 'f1', statuses: ['online'] })).toEqual(['station']);
  expect(names({ fleet: '-' })).toEqual(['harbour']);
  expect(names({ selector: 'kind=lamp, zone in (north|east)' })).toEqual(['harbour']);
});

test('a board is in the fleet it was put into and in those of its project whose rule fits', () => {
  expect(BOARDS.map((one) => fleetsOf(FLEETS, one).map((of) => of.id))).toEqual([['lamps'], ['f1', 'lamps'], ['f1']]);
  expect(names({ fleet: 'lamps' })).toEqual(['harbour', 'market']);
  expect(names({ fleet: 'theirs' })).toEqual([]);
});

test('a key that every object has is a label only where it was given', () => {
  const read = readSelector('constructor');
  expect('test' in read && [read.test({}), read.test({ constructor: 'x' })]).toEqual([false, true]);
});

test('selectors mean what they mean in the cloud', () => {
  expect(names({ selector: 'kind!=lamp' })).toEqual(['station']);
  expect(names({ selector: '!broken' })).toEqual(['harbour', 'market']);
  expect(names({ selector: 'broken' })).toEqual(['station']);
  expect(names({ selector: 'zone notin (north)' })).toEqual(['market', 'station']);
  for (const wrong of ['=x', 'a=b=c', 'a in x', 'a,,b', 'ü=1', `${'k'.repeat(64)}=1`]) {
    expect(readSelector(wrong), wrong).toHaveProperty('wrong');
  }
  expect(readSelector(Array.from({ length: 17 }, (_, n) => `k${n}`).join(','))).toHaveProperty('wrong');
});

test('the address keeps the whole filter', () => {
  const filter: Filter = { text: 'a b', statuses: ['online', 'offline'], selector: 'kind in (a|b),!c', fleet: 'f1' };
  expect(fromQuery(new URLSearchParams(toQuery(filter).toString()))).toEqual(filter);
  expect(toQuery(NONE).toString()).toBe('');
  expect(fromQuery(new URLSearchParams('status=online,nonsense')).statuses).toEqual(['online']);
});

test('labels are read line by line and written back the same', () => {
  const labels = { kind: 'lamp', 'site/zone': 'a.b' };
  expect(readLabels(writeLabels(labels))).toEqual({ labels });
  expect(readLabels(' a = b \n\n')).toEqual({ labels: { a: 'b' } });
  expect(readLabels('a')).toEqual({ wrong: 'a' });
  expect(readLabels('a=<b>')).toEqual({ wrong: 'a=<b>' });
});

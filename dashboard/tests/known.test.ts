// What is known of a list while it is read.
import { expect, test } from 'vitest';
import type { CloudEvent, Summary } from '../src/api/types';
import { Known } from '../src/live/known';
import { board } from '../src/live/reduce';

const AT = '2026-01-01T00:00:00Z';

function summary(id: string, more: Partial<Summary> = {}): Summary {
  return { id, name: id, project: 'p', owner: 'o', status: 'offline', labels: {}, created_at: AT, revision: 1, ...more };
}

function event(id: string, word: string): CloudEvent {
  return { seq: 1, at: AT, project: 'p', kind: `board.${word}`, subject_type: 'board', subject_id: id, body: { status: word } };
}

function known(...items: Summary[]): Known<Summary> {
  const list = new Known(board);
  list.begin();
  list.take(items);
  list.end();
  return list;
}

test('an event that comes while the list is read loses nothing that the list says', () => {
  const list = known(summary('harbour'));
  list.begin();
  list.hear(event('harbour', 'online'));
  list.take([summary('harbour', { labels: { healed: 'yes' } })]);
  list.end();
  expect(list.get('harbour')).toMatchObject({ status: 'online', labels: { healed: 'yes' } });
});

test('an event that comes behind the part of the list that has its item is kept too', () => {
  const list = known(summary('harbour'));
  list.begin();
  list.take([summary('harbour', { labels: { healed: 'yes' } })]);
  list.hear(event('harbour', 'online'));
  list.end();
  expect(list.get('harbour')).toMatchObject({ status: 'online', labels: { healed: 'yes' } });
});

test('what an answer told as a whole is newer than the list', () => {
  const list = known(summary('harbour'), summary('market'));
  list.begin();
  list.put(summary('harbour', { revision: 2 }));
  list.drop('market');
  list.take([summary('harbour'), summary('market')]);
  list.end();
  expect(list.all().map(({ id, revision }) => [id, revision])).toEqual([['harbour', 2]]);
});

test('what the list does not have any more is gone at its end, whatever was told of it', () => {
  const list = known(summary('harbour'), summary('market'));
  list.begin();
  list.hear(event('market', 'online'));
  list.take([summary('harbour')]);
  expect(list.size).toBe(2);
  list.end();
  expect(list.all().map(({ id }) => id)).toEqual(['harbour']);
});

test('what was told while the list was read first is not told again by the next read', () => {
  const list = known(summary('harbour'));
  list.begin();
  list.hear(event('harbour', 'online'));
  list.end();
  list.begin();
  list.take([summary('harbour')]);
  list.end();
  expect(list.get('harbour')?.status).toBe('offline');
});

// Addresses and what they show.
import { expect, test } from 'vitest';
import { match, to } from '../src/app/routes';

test('every noun has its list and its things', () => {
  expect(match('/ui/')).toEqual({ screen: 'overview' });
  expect(match('/ui')).toEqual({ screen: 'overview' });
  expect(match('/ui/boards')).toEqual({ screen: 'boards' });
  expect(match('/ui/boards/harbour')).toEqual({ screen: 'board', board: 'harbour', tab: 'summary' });
  expect(match('/ui/boards/harbour/logs')).toEqual({ screen: 'board', board: 'harbour', tab: 'logs' });
  expect(match('/ui/people')).toEqual({ screen: 'people', tab: 'users' });
  expect(match('/ui/people/roles')).toEqual({ screen: 'people', tab: 'roles' });
  expect(match('/ui/audit')).toEqual({ screen: 'audit', tab: 'rows' });
  expect(match('/ui/audit/reads')).toEqual({ screen: 'audit', tab: 'reads' });
  expect(match('/ui/recordings')).toEqual({ screen: 'recordings' });
  expect(match('/ui/recordings/0193')).toEqual({ screen: 'recording', recording: '0193' });
  expect(match('/ui/transfers')).toEqual({ screen: 'transfers' });
  expect(match('/ui/plugins/new')).toEqual({ screen: 'plugin', plugin: 'new' });
});

test('what is no address leads nowhere', () => {
  for (const path of ['/ui/bords', '/ui/boards/a/b', '/ui/boards/a/logs/c', '/ui/system/x', '/ui/people/x', '/ui/audit/x', '/ui/transfers/x', '/ui/plugins/a/b']) {
    expect(match(path)).toEqual({ screen: 'nowhere' });
  }
});

test('names are escaped on the way out and read on the way in', () => {
  const name = 'a b/c?d';
  expect(match(to('boards', name))).toEqual({ screen: 'board', board: name, tab: 'summary' });
  expect(match('/ui/boards/%E0%A4%A')).toEqual({ screen: 'board', board: '%E0%A4%A', tab: 'summary' });
});

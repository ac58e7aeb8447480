// What events do to lists.
import { expect, test } from 'vitest';
import type { CloudEvent, Operation, Summary } from '../src/api/types';
import { board, operation, plain } from '../src/live/reduce';

const AT = '2026-01-01T00:00:00Z';

function event(kind: string, body: Record<string, unknown> = {}): CloudEvent {
  return { seq: 1, at: AT, project: 'p', kind, subject_type: kind.split('.')[0] ?? '', subject_id: 'id', body };
}

const HARBOUR: Summary = {
  id: 'id', name: 'harbour', project: 'p', owner: 'o', status: 'offline', labels: { kind: 'lamp' }, created_at: AT, revision: 1,
};

test('a board that comes online is put down at once, with when it was heard', () => {
  const verdict = board(HARBOUR, event('board.online', { name: 'harbour', status: 'online', fleet: null }));
  expect(verdict).toEqual({ put: { ...HARBOUR, status: 'online', fleet: null, last_seen: AT } });
});

test('what an event does not tell is read', () => {
  expect(board(HARBOUR, event('board.updated', { status: 'offline' }))).toBe('fetch');
  expect(board(undefined, event('board.online', { status: 'online' }))).toBe('fetch');
});

test('a board that left is dropped, known or not', () => {
  expect(board(HARBOUR, event('board.decommissioned', { status: 'decommissioned' }))).toBe('drop');
  expect(board(undefined, event('board.deleted', { status: 'offline' }))).toBe('drop');
});

test('an operation goes from word to word and never back', () => {
  const running = operation(undefined, event('operation.running', { board: 'b', method: 'PluginCall', subject: { plugin: 'p1' } }));
  const subject = { noun: 'plugin', id: 'p1' };
  expect(running).toMatchObject({ put: { id: 'id', state: 'running', method: 'PluginCall', subject, sent_at: AT } });
  const known = (running as { put: Operation }).put;
  const done = operation(known, event('operation.succeeded'));
  expect(done).toMatchObject({ put: { state: 'succeeded', ended_at: AT } });
  expect(operation((done as { put: Operation }).put, event('operation.running'))).toBe('keep');
  expect(operation(known, event('operation.pending'))).toBe('keep');
});

test('why an operation failed is read, since the event does not tell', () => {
  expect(operation(undefined, event('operation.failed'))).toMatchObject({ put: { state: 'failed' }, more: 'fetch' });
  expect(operation(undefined, event('operation.succeeded'))).not.toHaveProperty('more');
});

test('a word nobody knows yet is read', () => {
  expect(operation(undefined, event('operation.hibernating'))).toBe('fetch');
  expect(plain(undefined, event('plugin.created'))).toBe('fetch');
  expect(plain({}, event('plugin.deleted'))).toBe('drop');
});

// What a list of delegations and of offers says about a board.
import { expect, test } from 'vitest';
import type { CloudEvent, Delegation, Transfer } from '../src/api/types';
import { reaching } from '../src/screens/lending/lent';
import { concerns, sides } from '../src/screens/transfers/offers';

const of = (resource: string): Delegation => ({ resource }) as Delegation;

test('a board is reached by itself, its fleets, its project, and a plugin or service that is lent on it alone', () => {
  const all = ['board:b1', 'board:b2', 'fleet:f1', 'fleet:f2', 'project:p', 'plugin:x', 'plugin:x@b1', 'service:s@b1', 'plugin:x@b2'].map(of);
  const found = reaching(all, { id: 'b1', project: 'p' }, ['f1']);
  expect(found.map((one) => one.resource)).toEqual(['board:b1', 'fleet:f1', 'project:p', 'plugin:x@b1', 'service:s@b1']);
});

test('offers are told apart by the side on which one is', () => {
  const all = [{ from: 'p', to: 'q' }, { from: 'q', to: 'p' }, { from: 'q', to: 'r' }] as Transfer[];
  expect(sides(all, 'p')).toEqual({ incoming: [all[1]], outgoing: [all[0]], others: [all[2]] });
});

test('a board that goes or changes its name concerns its offers, one that comes online does not', () => {
  const event = (subject_type: string, kind: string): CloudEvent => ({ subject_type, kind }) as unknown as CloudEvent;
  expect(concerns(event('transfer', 'transfer.offered'))).toBe(true);
  expect(concerns(event('board', 'board.transferred'))).toBe(true);
  expect(concerns(event('board', 'board.online'))).toBe(false);
  expect(concerns(event('fleet', 'fleet.updated'))).toBe(false);
});

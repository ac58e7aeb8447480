// Which boards are in which fleet: the one a board was put into, and every one of its project whose rule fits its labels.
// The cloud says the same; here it is said for all boards at once, so that lists follow each change of a label. Pure.
import type { Fleet, Summary } from '../../api/types';
import { readSelector } from '../boards/selector';

/** How a board is in a fleet. */
export type How = 'put' | 'rule';

/** How a board is in this fleet; undefined when it is not. */
export type Membership = (board: Pick<Summary, 'fleet' | 'labels' | 'project'>) => How | undefined;

export function membership(fleet: Pick<Fleet, 'id' | 'project' | 'rule'>): Membership {
  const read = fleet.rule ? readSelector(fleet.rule) : undefined;
  const test = read && 'test' in read ? read.test : undefined;
  return (board) => {
    if (board.fleet === fleet.id) return 'put';
    return test && board.project === fleet.project && test(board.labels) ? 'rule' : undefined;
  };
}

/** The fleets, out of these, that a board is in. */
export function fleetsOf<F extends Pick<Fleet, 'id' | 'project' | 'rule'>>(fleets: readonly F[], board: Summary): F[] {
  return fleets.filter((fleet) => membership(fleet)(board));
}

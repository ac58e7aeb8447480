// What a list of transfers says about one of them. Pure.
import type { CloudEvent, Transfer } from '../../api/types';

/** Offers by which side the project is on. An operator of the cloud also sees those between others. */
export interface Sides {
  incoming: Transfer[];
  outgoing: Transfer[];
  others: Transfer[];
}

export function sides(all: readonly Transfer[], project: string | undefined): Sides {
  return {
    incoming: all.filter((one) => one.to === project),
    outgoing: all.filter((one) => one.from === project),
    others: all.filter((one) => one.to !== project && one.from !== project),
  };
}

/** Whether an event may have made or ended an offer: a board that goes says nothing of its own about offers of it. */
export function concerns(event: CloudEvent): boolean {
  if (event.subject_type === 'transfer') return true;
  return event.subject_type === 'board' && ['transferred', 'decommissioned', 'updated'].some((verb) => event.kind.endsWith(`.${verb}`));
}

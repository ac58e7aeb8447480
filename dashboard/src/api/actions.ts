// What boards do to themselves, in upstream's words: one board, or all of a fleet at once.
import { ask, path } from './request';
import type { Asked, Json, Operation } from './types';

export function onBoard(board: string, action: string, parameters: Json): Promise<Operation> {
  return ask(path('boards', board, 'actions'), { method: 'POST', body: { action, parameters } });
}

/** One request of which every board of the fleet has a part. */
export function onFleet(fleet: string, action: string, parameters: Json): Promise<Asked> {
  return ask(path('fleets', fleet, 'actions'), { method: 'POST', body: { action, parameters } });
}

// Fleets: named sets of boards.
import { ask, pages, path } from './request';
import type { Fleet, FleetChange, NewFleet } from './types';

export function each(seen: (items: Fleet[]) => void): Promise<void> {
  return pages<Fleet>('/v2/fleets', {}, seen);
}

export function show(fleet: string): Promise<Fleet> {
  return ask(path('fleets', fleet));
}

export function create(fleet: NewFleet): Promise<Fleet> {
  return ask('/v2/fleets', { method: 'POST', body: fleet });
}

export function change(fleet: string, change: FleetChange, revision?: number): Promise<Fleet> {
  return ask(path('fleets', fleet), { method: 'PATCH', body: change, revision });
}

export function remove(fleet: string): Promise<void> {
  return ask(path('fleets', fleet), { method: 'DELETE' });
}

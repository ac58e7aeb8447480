// What a list of delegations says about one of them. Pure.
import type { CloudEvent, Delegation, Summary } from '../../api/types';
import { verbOf } from '../../live/reduce';

/** Whether its time has come and is not over. */
export type Phase = 'now' | 'later' | 'over';

export function phase(one: Pick<Delegation, 'from' | 'until' | 'revoked_at'>, now: number): Phase {
  if (one.revoked_at || Date.parse(one.until) <= now) return 'over';
  return Date.parse(one.from) > now ? 'later' : 'now';
}

/** All that rest on it, however far below. */
export function below(all: readonly Delegation[], id: string): Delegation[] {
  const direct = all.filter((one) => one.parent === id && !one.revoked_at);
  return direct.flatMap((one) => [one, ...below(all, one.id)]);
}

/** Those that reach a board: of itself, of a fleet it is in, of its project, of a plugin or service on it alone. */
export function reaching(all: readonly Delegation[], board: Pick<Summary, 'id' | 'project'>, fleets: readonly string[]): Delegation[] {
  const things = new Set([`board:${board.id}`, `project:${board.project}`, ...fleets.map((fleet) => `fleet:${fleet}`)]);
  const isPartHere = (resource: string): boolean => /^(plugin|service):/.test(resource) && resource.endsWith(`@${board.id}`);
  return all.filter((one) => things.has(one.resource) || isPartHere(one.resource));
}

/** Whether an event may have made or ended a delegation: what is given up is lent no more, and says nothing of its own. */
export function concerns(event: CloudEvent): boolean {
  if (event.subject_type === 'delegation') return true;
  const ends = ['deleted', 'decommissioned', 'updated'].includes(verbOf(event));
  return ends && (event.subject_type === 'board' || event.subject_type === 'fleet');
}

/** What a field for a moment holds (`2026-01-31T09:00`), in the person's own time. */
export function fieldOf(moment: Date): string {
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

// Delegations: what others may do with one's boards, and until when.
import { ask, pages, path } from './request';
import type { Delegation, NewDelegation, Revoked } from './types';

const PATH = '/v2/delegations';

/** Those of the project's things that are not over. */
export function given(): Promise<Delegation[]> {
  return all({});
}

/** Those that one gave or holds, in any project. */
export function mine(): Promise<Delegation[]> {
  return all({ of: 'mine' });
}

export function create(delegation: NewDelegation): Promise<Delegation> {
  return ask(PATH, { method: 'POST', body: delegation });
}

/** Takes it back, with all that rest on it. */
export function revoke(delegation: string): Promise<Revoked> {
  return ask(path('delegations', delegation), { method: 'DELETE' });
}

async function all(query: Record<string, string>): Promise<Delegation[]> {
  const items: Delegation[] = [];
  await pages<Delegation>(PATH, { query }, (some) => items.push(...some));
  return items;
}

// Claims: the right to enrol boards.
import { ask, pages, path } from './request';
import type { Claim, MadeClaim, NewClaim } from './types';

export function each(seen: (items: Claim[]) => void): Promise<void> {
  return pages<Claim>('/v2/claims', {}, seen);
}

export function show(claim: string): Promise<Claim> {
  return ask(path('claims', claim));
}

/** The answer holds the claim's text, the only time it is seen. */
export function create(claim: NewClaim): Promise<MadeClaim> {
  return ask('/v2/claims', { method: 'POST', body: claim });
}

export function revoke(claim: string): Promise<void> {
  return ask(path('claims', claim), { method: 'DELETE' });
}

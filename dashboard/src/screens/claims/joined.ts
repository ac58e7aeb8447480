// Which boards came by a claim: made after it, and called as it says. Pure.
import type { Claim, Summary } from '../../api/types';

/** Clocks of one cloud, so no allowance is needed. */
export function joined(boards: readonly Summary[], claim: Claim): Summary[] {
  const replaced = claim.replaces;
  if (replaced) return boards.filter((board) => board.id === replaced && (board.updated_at ?? '') >= claim.created_at);
  return boards.filter((board) => {
    const named = claim.uses === 1 ? board.name === claim.name : board.name.startsWith(claim.name);
    return named && new Date(board.created_at) >= new Date(claim.created_at);
  });
}

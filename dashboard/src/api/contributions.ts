// Contributions: what is given of a board to others, when, how much of it, and to whom without asking.
import { ask, path } from './request';
import type { Contribution, NewContribution } from './types';

export function show(board: string): Promise<Contribution> {
  return ask(path('boards', board, 'contribution'));
}

export function put(board: string, said: NewContribution): Promise<Contribution> {
  return ask(path('boards', board, 'contribution'), { method: 'PUT', body: said });
}

/** Says nothing any more: what is lent is bound by its delegation alone. */
export function withdraw(board: string): Promise<void> {
  return ask(path('boards', board, 'contribution'), { method: 'DELETE' });
}

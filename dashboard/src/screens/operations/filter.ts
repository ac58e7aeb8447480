// Which operations a person wants to see. Pure.
import type { Operation, OperationState } from '../../api/types';

export const STATES: readonly OperationState[] = ['pending', 'running', 'succeeded', 'failed', 'cancelled', 'expired', 'unknown'];

export interface Wanted {
  state: string;
  board: string;
  queries: boolean;
}

export function fromQuery(query: URLSearchParams): Wanted {
  const state = query.get('state') ?? '';
  const known = state === 'open' || STATES.some((one) => one === state);
  return { state: known ? state : '', board: query.get('board') ?? '', queries: query.get('queries') === 'yes' };
}

export function toQuery(wanted: Wanted): URLSearchParams {
  const query = new URLSearchParams();
  if (wanted.state) query.set('state', wanted.state);
  if (wanted.board) query.set('board', wanted.board);
  if (wanted.queries) query.set('queries', 'yes');
  return query;
}

export function fitting(items: readonly Operation[], wanted: Wanted, boardName: (id: string) => string): Operation[] {
  const text = wanted.board.trim().toLowerCase();
  return items.filter((item) => {
    if (!wanted.queries && item.sort === 'query') return false;
    if (wanted.state === 'open' && item.state !== 'pending' && item.state !== 'running') return false;
    if (wanted.state && wanted.state !== 'open' && item.state !== wanted.state) return false;
    return text === '' || boardName(item.board).toLowerCase().includes(text);
  });
}

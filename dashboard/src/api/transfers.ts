// Transfers: boards on their way from one project to another.
import { ask, pages, path } from './request';
import type { Summary, Transfer } from './types';

/** Offers to the own project and by it. */
export async function list(): Promise<Transfer[]> {
  const items: Transfer[] = [];
  await pages<Transfer>('/v2/transfers', {}, (some) => items.push(...some));
  return items;
}

/** At once for who administers both projects, else as an offer. */
export function give(board: string, project: string): Promise<Transfer> {
  return ask(path('boards', board, 'transfer'), { method: 'POST', body: { project } });
}

/** Takes an offered board into the own project. */
export function accept(transfer: string): Promise<Summary> {
  return ask(path('transfers', transfer, 'accept'), { method: 'POST' });
}

/** Withdraws an offer, or declines it. */
export function end(transfer: string): Promise<void> {
  return ask(path('transfers', transfer), { method: 'DELETE' });
}

// Boards: what they are, how they do, and what one asks of them.
import { ask, pages, path } from './request';
import type { Board, BoardChange, Json, LoadSample, MadeClaim, Operation, Summary } from './types';

/** Every board, page by page. */
export function each(seen: (items: Summary[]) => void, signal?: AbortSignal): Promise<void> {
  return pages<Summary>('/v2/boards', signal ? { signal } : {}, seen);
}

/** The boards that have a plugin, or on which a service is open. */
export async function having(what: { plugin: string } | { service: string }): Promise<Summary[]> {
  const items: Summary[] = [];
  await pages<Summary>('/v2/boards', { query: what }, (some) => items.push(...some));
  return items;
}

export function show(board: string): Promise<Board> {
  return ask(path('boards', board));
}

export function change(board: string, change: BoardChange, revision?: number): Promise<Board> {
  return ask(path('boards', board), { method: 'PATCH', body: change, revision });
}

export function decommission(board: string): Promise<void> {
  return ask(path('boards', board), { method: 'DELETE' });
}

/** A claim with which another machine takes over this board's identity. */
export function replace(board: string): Promise<MadeClaim> {
  return ask(path('boards', board, 'replace'), { method: 'POST' });
}

/** Of two machines with one key, lets the one from this address go on, or whichever connects next. */
export function unpark(board: string, from?: string): Promise<Board> {
  return ask(path('boards', board, 'unpark'), { method: 'POST', body: { from: from ?? null } });
}

/** The board makes a new key; the old one is refused once the new one counts. */
export function rotateKey(board: string): Promise<Operation> {
  return ask(path('boards', board, 'rotate-key'), { method: 'POST' });
}

export async function ping(board: string): Promise<Json> {
  return (await ask<{ result: Json }>(path('boards', board, 'ping'), { method: 'POST' })).result;
}

export async function network(board: string): Promise<Json> {
  return (await ask<{ result: Json }>(path('boards', board, 'network'))).result;
}

export function reboot(board: string): Promise<Operation> {
  return ask(path('boards', board, 'reboot'), { method: 'POST' });
}

export function restartAgent(board: string): Promise<Operation> {
  return ask(path('boards', board, 'restart-agent'), { method: 'POST' });
}

/** Load reports of the last hours, oldest first. */
export async function load(board: string, hours: number): Promise<LoadSample[]> {
  return (await ask<{ items: LoadSample[] }>(path('boards', board, 'load'), { query: { hours } })).items;
}

/** Address of the stream of load reports. */
export function loadStream(board: string): string {
  return path('boards', board, 'load');
}

/** Address of the agent's log. */
export function logs(board: string): string {
  return path('boards', board, 'logs');
}

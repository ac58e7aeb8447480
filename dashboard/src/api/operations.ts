// Operations: what was asked of boards, and what became of it.
import { ask, path } from './request';
import type { Operation, OperationDetail, OperationState, Page } from './types';

export interface Wanted {
  board?: string | undefined;
  state?: OperationState | undefined;
  method?: string | undefined;
  main?: string | undefined;
  order?: 'asc' | 'desc' | undefined;
  marker?: string | undefined;
  limit?: number | undefined;
}

function list(wanted: Wanted = {}): Promise<Page<Operation>> {
  return ask('/v2/operations', { query: { limit: 100, ...wanted } });
}

export function show(operation: string): Promise<OperationDetail> {
  return ask(path('operations', operation));
}

export function cancel(operation: string): Promise<Operation> {
  return ask(path('operations', operation, 'cancel'), { method: 'POST' });
}

/** Most pages read for one list. */
const MAX_PAGES = 5;

/** The newest operations, newest first, until enough commands are among them. */
export function newest(enough: number, wanted: Wanted = {}): Promise<Operation[]> {
  const commands = (found: Operation[]): number => found.filter((item) => item.sort === 'command').length;
  return read({ ...wanted, order: 'desc', limit: Math.min(1000, enough * 2) }, (found) => commands(found) >= enough);
}

/** The parts of a request to many boards. */
export function parts(main: string): Promise<Operation[]> {
  return read({ main, limit: 1000 }, () => false);
}

async function read(wanted: Wanted, suffices: (found: Operation[]) => boolean): Promise<Operation[]> {
  const found: Operation[] = [];
  let marker: string | null | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page: Page<Operation> = await list({ ...wanted, marker: marker ?? undefined });
    found.push(...page.items);
    marker = page.next;
    if (!marker || suffices(found)) break;
  }
  return found;
}

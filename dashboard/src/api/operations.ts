// Operations: what was asked of boards, and what became of it.
import { ask, path } from './request';
import type { Operation, OperationDetail, OperationState, Page } from './types';

export interface Wanted {
  board?: string | undefined;
  state?: OperationState | undefined;
  method?: string | undefined;
  main?: string | undefined;
  marker?: string | undefined;
  limit?: number | undefined;
}

/** One page, oldest first. */
function list(wanted: Wanted = {}): Promise<Page<Operation>> {
  return ask('/v2/operations', { query: { limit: 100, ...wanted } });
}

export function show(operation: string): Promise<OperationDetail> {
  return ask(path('operations', operation));
}

export function cancel(operation: string): Promise<Operation> {
  return ask(path('operations', operation, 'cancel'), { method: 'POST' });
}

const MINUTE_MS = 60_000;
/** How far back one looks, step by step, until enough was found; none is the whole log. */
const LOOK_BACK_MS = [10 * MINUTE_MS, 120 * MINUTE_MS, 24 * 60 * MINUTE_MS, 7 * 24 * 60 * MINUTE_MS, undefined];
/** Most pages read of one window. */
const MAX_PAGES = 5;

/** The newest operations, newest first. Lists come oldest first, so this looks back in growing steps. */
export async function newest(enough: number, wanted: Wanted = {}): Promise<Operation[]> {
  let found: Operation[] = [];
  for (const back of LOOK_BACK_MS) {
    found = await since(back === undefined ? undefined : markerAt(Date.now() - back), wanted);
    if (found.length >= enough) break;
  }
  return found.reverse();
}

/** The parts of a request to many boards. */
export function parts(main: string): Promise<Operation[]> {
  return since(undefined, { main });
}

async function since(marker: string | undefined, wanted: Wanted): Promise<Operation[]> {
  const found: Operation[] = [];
  let next: string | null | undefined = marker;
  for (let read = 0; read < MAX_PAGES; read += 1) {
    const page: Page<Operation> = await list({ ...wanted, limit: 1000, marker: next ?? undefined });
    found.push(...page.items);
    next = page.next;
    if (!next) break;
  }
  return found;
}

/** The smallest id (UUIDv7) of a moment: lists are ordered by id, which is the order of creation. */
export function markerAt(millis: number): string {
  const time = Math.max(0, Math.floor(millis)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

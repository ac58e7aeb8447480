// What an event does to a list that is on screen. Pure functions, one for each noun.
import type { BoardStatus, CloudEvent, Operation, OperationState, Subject, Summary } from '../api/types';

/** What to do with the item that an event is about. */
export type Verdict<T> = { put: T; more?: 'fetch' } | 'drop' | 'fetch' | 'keep';

const STATUSES: ReadonlySet<string> = new Set(['registered', 'offline', 'online', 'replacing', 'decommissioned']);
const STATES: ReadonlySet<string> = new Set([
  'pending', 'running', 'succeeded', 'failed', 'cancelled', 'expired', 'unknown',
]);

/** Boards: a change of status is put down at once; whatever the event does not tell is read. */
export function board(known: Summary | undefined, event: CloudEvent): Verdict<Summary> {
  const verb = verbOf(event);
  const body = event.body as { name?: string; status?: string; fleet?: string | null };
  if (verb === 'deleted' || verb === 'decommissioned' || body.status === 'decommissioned') return 'drop';
  if (!known) return 'fetch';
  if (!STATUSES.has(verb)) return 'fetch';
  const heard = verb === 'online' || verb === 'offline';
  return {
    put: {
      ...known,
      name: body.name ?? known.name,
      fleet: body.fleet === undefined ? known.fleet : body.fleet,
      status: (body.status ?? verb) as BoardStatus,
      last_seen: heard ? event.at : known.last_seen,
    },
  };
}

/** Operations: the event's word is the state. */
export function operation(known: Operation | undefined, event: CloudEvent): Verdict<Operation> {
  const state = verbOf(event);
  if (!STATES.has(state)) return 'fetch';
  const next = state as OperationState;
  if (known && !mayFollow(known.state, next)) return 'keep';
  const body = event.body as { board?: string; method?: string; subject?: Record<string, string> | null };
  const base: Operation = known ?? {
    id: event.subject_id,
    project: event.project,
    board: body.board ?? '',
    sort: 'command',
    method: body.method ?? '',
    state: next,
    created_by: '',
    created_at: event.at,
    attempts: 0,
    cancel_requested: false,
    subject: subjectOf(body.subject),
  };
  const told: Verdict<Operation> = {
    put: {
      ...base,
      state: next,
      sent_at: next === 'running' ? (base.sent_at ?? event.at) : base.sent_at,
      ended_at: hasEnded(next) ? event.at : base.ended_at,
    },
  };
  // Why it failed is not in the event.
  return next === 'failed' || next === 'unknown' ? { ...told, more: 'fetch' } : told;
}

/** Plain nouns: gone, or to be read anew. */
export function plain<T>(_: T | undefined, event: CloudEvent): Verdict<T> {
  const verb = verbOf(event);
  return verb === 'deleted' || verb === 'removed' ? 'drop' : 'fetch';
}

/** Whether nothing can happen to it any more. */
export function hasEnded(state: OperationState): boolean {
  return state !== 'pending' && state !== 'running';
}

/** The part of an event's kind behind the dot. */
export function verbOf(event: CloudEvent): string {
  return event.kind.slice(event.kind.indexOf('.') + 1);
}

/** `{"plugin": id}`, as events say it. */
function subjectOf(said: Record<string, string> | null | undefined): Subject | null {
  const [noun, id] = Object.entries(said ?? {})[0] ?? [];
  return noun && id ? { noun, id } : null;
}

// An event that was on its way while the list was read must not turn time back.
function mayFollow(from: OperationState, to: OperationState): boolean {
  if (hasEnded(from)) return false;
  return !(from === 'running' && to === 'pending');
}

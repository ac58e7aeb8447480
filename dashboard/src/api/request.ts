// One way to ask the cloud: JSON in and out, the CSRF word on whatever changes something, problems as errors.
// Deliberately not here: what is asked (see the nouns beside this file), and retries.
import type { Problem } from './types';

/** How long an answer may take; commands are operations and answer at once. */
const DEADLINE_MS = 60_000;
/** Before a look is tried once more. */
const RETRY_MS = 250;

/** What was wrong, as the cloud said it (RFC 9457), or as the browser did when nobody answered. */
export class Failure extends Error {
  constructor(
    readonly problem: Problem,
    readonly requestId: string | null,
  ) {
    super(problem.detail);
    this.name = 'Failure';
  }
}

type Listener = () => void;

let csrf = '';
let onSignedOut: Listener = () => {};

/** The word that proves a request comes from these pages. */
export function useCsrf(word: string): void {
  csrf = word;
}

/** Says that the session is over, for whoever learnt it in another way than by an answer. */
export function signedOut(): void {
  onSignedOut();
}

/** Called when an answer says that the session is over. */
export function whenSignedOut(listener: Listener): void {
  onSignedOut = listener;
}

export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  query?: Record<string, string | number | undefined | null>;
  body?: unknown;
  revision?: number | undefined;
  signal?: AbortSignal;
  accept?: string;
  lastEventId?: string | undefined;
}

/** A path under `/v2` out of segments, each escaped. */
export function path(...segments: string[]): string {
  return '/v2/' + segments.map(encodeURIComponent).join('/');
}

/** Asks and reads the JSON answer; nothing when the answer has no body. */
export async function ask<T>(to: string, options: Ask = {}): Promise<T> {
  const answer = await send(to, { ...options, signal: options.signal ?? AbortSignal.timeout(DEADLINE_MS) });
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

/** Asks and hands back the answer once it is a good one. */
export async function send(to: string, options: Ask = {}): Promise<Response> {
  const method = options.method ?? 'GET';
  const headers = new Headers({ Accept: options.accept ?? 'application/json' });
  if (options.body !== undefined) headers.set('Content-Type', 'application/json');
  if (method !== 'GET') headers.set('X-CSRF-Token', csrf);
  if (options.revision !== undefined) headers.set('If-Match', `"${options.revision}"`);
  if (options.lastEventId !== undefined) headers.set('Last-Event-ID', options.lastEventId);
  const init: RequestInit = { method, headers, credentials: 'same-origin', signal: options.signal ?? null };
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  const answer = await reach(to + query(options.query), init);
  if (answer.ok) return answer;
  const failure = await refused(answer);
  if (answer.status === 401 && to !== '/v2/session') onSignedOut();
  throw failure;
}

/** One more try for what only looks: networks hiccup, and a proxy may close a connection just as it is used. */
async function reach(address: string, init: RequestInit, tries = init.method === 'GET' ? 2 : 1): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (error) {
    const { name } = error as Error;
    if (name === 'AbortError') throw error;
    if (tries <= 1 || name === 'TimeoutError') throw new Failure(unreachable(error), null);
    await new Promise((go) => setTimeout(go, RETRY_MS));
    return reach(address, init, tries - 1);
  }
}

/** Every item of a list, page by page; `seen` gets each page as it comes. */
export async function pages<T>(
  to: string,
  options: Ask,
  seen: (items: T[]) => void,
): Promise<void> {
  let marker: string | null | undefined;
  do {
    const query = { limit: 1000, ...options.query, marker: marker ?? undefined };
    const page: { items: T[]; next?: string | null } = await ask(to, { ...options, query });
    seen(page.items);
    marker = page.next;
  } while (marker);
}

function query(values: Ask['query']): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values ?? {})) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

async function refused(answer: Response): Promise<Failure> {
  const id = answer.headers.get('x-request-id');
  let detail = `${answer.status} ${answer.statusText}`;
  try {
    const problem = (await answer.json()) as Problem & { error?: { message?: unknown }; error_message?: unknown };
    if (typeof problem.detail === 'string') return new Failure(problem, problem.request_id ?? id);
    // Below /identity the cloud answers in Keystone's shape.
    if (typeof problem.error?.message === 'string') detail = problem.error.message;
    // Below /v1 in upstream's: JSON inside of JSON.
    if (typeof problem.error_message === 'string') detail = (JSON.parse(problem.error_message) as { faultstring?: string }).faultstring ?? detail;
  } catch {
    // Not a problem of the cloud's own: something stands between.
  }
  const kind = KINDS[answer.status] ?? 'internal';
  return new Failure({ type: 'about:blank', title: answer.statusText, status: answer.status, kind, detail }, id);
}

/** What a status says where no kind stands beside it. */
const KINDS: Record<number, Problem['kind']> = {
  400: 'invalid', 401: 'unauthenticated', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 429: 'exhausted', 503: 'unreachable', 504: 'timeout',
};

function unreachable(error: unknown): Problem {
  const late = (error as Error).name === 'TimeoutError';
  return {
    type: 'about:blank',
    title: '',
    status: 0,
    kind: late ? 'timeout' : 'unreachable',
    detail: (error as Error).message,
  };
}

/** Whatever was thrown, as a failure. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Failure({ type: 'about:blank', title: '', status: 0, kind: 'internal', detail }, null);
}
